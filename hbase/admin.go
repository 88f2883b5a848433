package hbase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/retry"
	"sluice/schema"
)

// Admin creates tables and reads their descriptors. It is safe for concurrent use.
type Admin struct {
	url     URL
	cluster *region.Cluster
	retries *retry.Registry
}

// OpenAdmin does not connect. Options.Layout is ignored.
func OpenAdmin(url URL, o Options) *Admin {
	o = o.withDefaults()
	retries := &retry.Registry{Of: "hbase", Now: o.Now, Log: o.Logger}
	return &Admin{url: url, cluster: openCluster(url, o, retries), retries: retries}
}

// Close ends running calls.
func (a *Admin) Close() error { return a.cluster.Close() }

// State returns the operations that are being retried.
func (a *Admin) State() []RetryState { return a.retries.List() }

// Creation is the attributes of a new table.
type Creation struct {
	Layout schema.Layout
	// Compression is HBase's name of it; empty: the first of SNAPPY, ZSTD, LZ4 and GZ that the
	// cluster supports.
	Compression string
	// TTL is the time after the event at which a row expires; 0: never.
	TTL time.Duration
	// Schema, if not empty, is stored in the descriptor: the Avro schema of a packed table's usual
	// format.
	Schema string
}

// compressions are tried in this order, the cheapest first.
var compressions = []string{"SNAPPY", "ZSTD", "LZ4", "GZ"}

// Create creates the table, and its namespace, and returns its compression. An existing table with
// this layout is not changed; another layout is a *LayoutError, and a family with other attributes
// a *FamilyError.
func (a *Admin) Create(ctx context.Context, c Creation) (compression string, made bool, err error) {
	if err := c.Layout.Check(); err != nil {
		return "", false, err
	}
	have, d, err := a.describe(ctx)
	switch {
	case err == nil && !have.Equal(c.Layout):
		return "", false, &LayoutError{a.url.Table, have, c.Layout}
	case err == nil:
		if different := c.differences(d.family); len(different) > 0 {
			return "", false, &FamilyError{a.url.Table, different}
		}
		return d.family["COMPRESSION"], false, nil
	case !errors.Is(err, ErrTableNotFound):
		return "", false, err
	}
	if err := a.createNamespace(ctx); err != nil {
		return "", false, err
	}
	try := []string{c.Compression}
	if c.Compression == "" {
		try = append(compressions, "NONE")
	}
	for _, compression = range try {
		err = a.create(ctx, c, compression)
		if !lacksCompression(err) {
			break
		}
	}
	if lacksCompression(err) {
		err = fmt.Errorf("the region servers do not support %s (without --compression, sluice chooses one that they support): %w", c.Compression, err)
	}
	if err != nil {
		return "", false, fmt.Errorf("hbase: create %s: %w", a.url.Table, err)
	}
	return compression, true, nil
}

// lacksCompression reports whether the master cannot use the compression, which it tests before it
// creates the table.
func lacksCompression(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ompression")
}

func tableName(name string) []byte {
	namespace, table := splitName(name)
	return protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, namespace), 2, table)
}

// appendPair appends a BytesBytesPair or NameStringPair.
func appendPair(dst []byte, field int, name, value string) []byte {
	return protobuf.AppendBytes(dst, field, protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, name), 2, value))
}

// attributes returns the attributes of the column family, by HBase's names.
func (c Creation) attributes(compression string) [][2]string {
	ttl := foreverTTL
	if seconds := int64(c.TTL / time.Second); seconds > 0 {
		ttl = strconv.FormatInt(seconds, 10)
	}
	return [][2]string{
		{"VERSIONS", "1"}, {"DATA_BLOCK_ENCODING", "FAST_DIFF"}, {"COMPRESSION", compression}, {"TTL", ttl},
		{"BLOOMFILTER", "NONE"}, // rows are scanned, never read by key
	}
}

// foreverTTL is HConstants.FOREVER: a family without a TTL.
const foreverTTL = "2147483647"

// differences returns the attributes of a family that differ from those of the Creation. Any
// compression is accepted if none was requested, and any Bloom filter.
func (c Creation) differences(family map[string]string) (different []string) {
	for _, attribute := range c.attributes(strings.ToUpper(c.Compression)) {
		name, want, have := attribute[0], attribute[1], family[attribute[0]]
		if have == "" {
			have = familyDefaults[name]
		}
		if name == "BLOOMFILTER" || name == "COMPRESSION" && want == "" || strings.EqualFold(have, want) {
			continue
		}
		different = append(different, fmt.Sprintf("%s %s, not %s", name, readableTTL(name, have), readableTTL(name, want)))
	}
	return different
}

// familyDefaults are the values of attributes that are not in a descriptor (class
// ColumnFamilyDescriptorBuilder).
var familyDefaults = map[string]string{"VERSIONS": "1", "DATA_BLOCK_ENCODING": "NONE", "COMPRESSION": "NONE", "TTL": foreverTTL}

func readableTTL(name, value string) string {
	if name != "TTL" {
		return value
	}
	if value == foreverTTL {
		return "FOREVER"
	}
	return value + " s"
}

func (a *Admin) create(ctx context.Context, c Creation, compression string) error {
	family := protobuf.AppendBytes(nil, 1, c.Layout.Family)
	for _, attribute := range c.attributes(compression) {
		family = appendPair(family, 2, attribute[0], attribute[1])
	}
	table := protobuf.AppendBytes(nil, 1, tableName(a.url.Table))
	table = appendPair(table, 2, schema.LayoutAttribute, string(c.Layout.Marshal()))
	if c.Schema != "" {
		table = appendPair(table, 2, schema.SchemaAttribute, c.Schema)
	}
	table = protobuf.AppendBytes(table, 3, family)
	param := protobuf.AppendBytes(nil, 1, table)
	for _, key := range c.Layout.SplitKeys() {
		param = protobuf.AppendBytes(param, 2, key)
	}
	return a.procedure(ctx, "CreateTable", protobuf.AppendUint(param, 4, rand.Uint64())) // the nonce: a retried request creates one table
}

func (a *Admin) createNamespace(ctx context.Context) error {
	namespace, _ := splitName(a.url.Table)
	if namespace == defaultNamespace {
		return nil
	}
	err := a.procedure(ctx, "CreateNamespace", protobuf.AppendUint(protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, namespace)), 3, rand.Uint64()))
	var remote *rpc.RemoteError
	if asRemote(err, &remote) && strings.HasSuffix(remote.Class, "NamespaceExistException") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hbase: create namespace %s: %w", namespace, err)
	}
	return nil
}

// Drop removes the table and its content.
func (a *Admin) Drop(ctx context.Context) error {
	name := protobuf.AppendBytes(nil, 1, tableName(a.url.Table))
	var remote *rpc.RemoteError
	err := a.procedure(ctx, "DisableTable", name)
	if asRemote(err, &remote) && strings.HasSuffix(remote.Class, "TableNotEnabledException") {
		err = nil
	}
	if err == nil {
		err = a.procedure(ctx, "DeleteTable", name)
	}
	if err != nil {
		return fmt.Errorf("hbase: drop %s: %w", a.url.Table, err)
	}
	return nil
}

// call calls the active master.
func (a *Admin) call(ctx context.Context, method string, param []byte) (message []byte, err error) {
	err = a.cluster.Retry(ctx, "the master", func(ctx context.Context) error {
		response, err := a.cluster.Master(ctx, &rpc.Request{Method: method, Param: param})
		if err == nil {
			message = response.Message // kept, so the response is not released
		}
		return err
	})
	return message, err
}

// procedure calls a method of the master that starts a procedure, and waits for its end, at most
// for the cluster's limit.
func (a *Admin) procedure(ctx context.Context, method string, param []byte) error {
	message, err := a.call(ctx, method, param)
	if err != nil {
		return err
	}
	id, err := firstUint(message, 1)
	if err != nil {
		return err
	}
	began, limit := time.Now(), a.cluster.Limit()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		message, err := a.call(ctx, "getProcedureResult", protobuf.AppendUint(nil, 1, id))
		if err != nil {
			return err
		}
		running, err := parseProcedure(message)
		if err != nil || !running {
			return err
		}
		if waited := time.Since(began); limit > 0 && waited >= limit {
			return &rpc.UnreachableError{Waited: waited, Attempts: 1, Err: fmt.Errorf("%s: the master has started it and not finished, for example because no region server can open a region; the master continues, and repeating the command creates no second table", method)}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", method, ctx.Err())
		}
	}
}

func firstUint(message []byte, field int) (uint64, error) {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == field {
			return f.Uint, nil
		}
	}
	return 0, f.Err
}

const procedureRunning = 1

// parseProcedure parses a GetProcedureResultResponse; its exception is the error.
func parseProcedure(message []byte) (running bool, err error) {
	var remote *rpc.RemoteError
	f := protobuf.Read(message)
	for f.Next() {
		switch f.Number {
		case 1:
			running = f.Uint == procedureRunning
		case 5: // ForeignExceptionMessage {2 GenericExceptionMessage {1 class, 2 message}}
			foreign := protobuf.Read(f.Bytes)
			for foreign.Next() {
				if foreign.Number == 2 {
					if remote, err = rpc.ParseNested(foreign.Bytes); err != nil {
						return false, err
					}
				}
			}
			if foreign.Err != nil {
				return false, foreign.Err
			}
		}
	}
	if f.Err == nil && remote != nil {
		return false, remote
	}
	return running, f.Err
}

// Layout reads the layout of the table.
func (a *Admin) Layout(ctx context.Context) (schema.Layout, error) {
	layout, _, err := a.describe(ctx)
	return layout, err
}

// Describe returns the attributes of the table as a Creation.
func (a *Admin) Describe(ctx context.Context) (Creation, error) {
	layout, d, err := a.describe(ctx)
	if err != nil {
		return Creation{}, err
	}
	c := Creation{Layout: layout, Compression: cmp.Or(d.family["COMPRESSION"], familyDefaults["COMPRESSION"]), Schema: string(d.schema)}
	if ttl := d.family["TTL"]; ttl != "" && ttl != foreverTTL {
		seconds, err := strconv.ParseInt(ttl, 10, 32)
		if err != nil {
			return Creation{}, fmt.Errorf("hbase: %s: TTL %q of the column family: %w", a.url.Table, ttl, err)
		}
		c.TTL = time.Duration(seconds) * time.Second
	}
	return c, nil
}

func (a *Admin) describe(ctx context.Context) (layout schema.Layout, d descriptor, err error) {
	message, err := a.call(ctx, "GetTableDescriptors", protobuf.AppendBytes(nil, 1, tableName(a.url.Table)))
	if err != nil {
		var remote *rpc.RemoteError
		if asRemote(err, &remote) && strings.HasSuffix(remote.Class, "TableNotFoundException") {
			err = ErrTableNotFound
		}
		return layout, d, fmt.Errorf("hbase: %s: %w", a.url.Table, err)
	}
	d, err = parseDescriptor(message)
	switch {
	case err != nil:
	case !d.found:
		err = ErrTableNotFound
	case d.layout == nil:
		err = ErrNoLayout
	default:
		layout, err = schema.UnmarshalLayout(d.layout)
	}
	if err != nil {
		return layout, d, fmt.Errorf("hbase: %s: %w", a.url.Table, err)
	}
	return layout, d, nil
}

// descriptor is the part of a table's descriptor that is used.
type descriptor struct {
	found  bool
	layout []byte
	schema []byte
	family map[string]string // attributes of the one column family
}

func parseDescriptor(message []byte) (d descriptor, err error) {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number != 1 {
			continue
		}
		d.found, d.family = true, make(map[string]string)
		table := protobuf.Read(f.Bytes)
		for table.Next() {
			switch table.Number {
			case 2:
				switch name, value := parsePair(table.Bytes); name {
				case schema.LayoutAttribute:
					d.layout = value
				case schema.SchemaAttribute:
					d.schema = value
				}
			case 3:
				family := protobuf.Read(table.Bytes)
				for family.Next() {
					if family.Number == 2 {
						name, value := parsePair(family.Bytes)
						d.family[name] = string(value)
					}
				}
			}
		}
		if table.Err != nil {
			return d, table.Err
		}
	}
	return d, f.Err
}

func parsePair(b []byte) (name string, value []byte) {
	f := protobuf.Read(b)
	for f.Next() {
		switch f.Number {
		case 1:
			name = string(f.Bytes)
		case 2:
			value = f.Bytes
		}
	}
	return name, value
}
