package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"sluice/hadoop/sasl"
	"sluice/hadoop/site"
	"sluice/hbase"
	"sluice/hbase/rpc"
)

// hbaseFlags are settings for connections to a cluster that take precedence over hbase-site.xml.
type hbaseFlags struct {
	HBaseTimeout    time.Duration `name:"hbase-timeout" default:"5s" placeholder:"D" help:"Time limit for a connection to an HBase server, and for its silence, before the call is retried."`
	HBaseService    string        `name:"hbase-service" placeholder:"NAME" help:"Kerberos: principal of the HBase servers, such as hbase/_HOST@EXAMPLE.COM, where _HOST stands for the server's name (default: hbase.regionserver.kerberos.principal of hbase-site.xml, or hbase/_HOST)."`
	HBaseProtection []string      `name:"hbase-protection" placeholder:"QOP" help:"Kerberos: accepted quality of protection (authentication, integrity, privacy), the preferred first (default: hbase.rpc.protection of hbase-site.xml, or the strongest that a server offers)."`
	HBaseTLSCA      string        `name:"hbase-tls-ca" placeholder:"FILE" help:"TLS: file of the authorities that sign the HBase servers' certificates, in PEM; system for the system's."`
	HBaseTLSCert    string        `name:"hbase-tls-cert" placeholder:"FILE" help:"TLS: file of the client certificate, in PEM, for servers that require one."`
	HBaseTLSKey     string        `name:"hbase-tls-key" placeholder:"FILE" help:"TLS: file of the client certificate's key, in PEM (default: the certificate's file)."`
}

// hbaseTable is the location of a table and the connection settings of its cluster, from the flags
// and Hadoop's configuration files.
type hbaseTable struct {
	url      hbase.URL
	options  hbase.Options
	kerberos *sasl.Kerberos  // nil: without
	tls      *sasl.TLSConfig // nil: without
	files    []string        // Hadoop configuration files that were read
}

// hbaseTables opens tables in HBase.
type hbaseTables struct {
	ctx        context.Context
	cli        *cli
	log        *slog.Logger
	trees      *trees      // for staging directories
	quarantine *quarantine // for rows that the servers reject
}

// locate parses the table's URL and reads Hadoop's configuration files. It does not connect.
func (o *hbaseTables) locate(t tableFlags) (h hbaseTable, err error) {
	if t.HBaseTimeout <= 0 {
		return h, usage("--hbase-timeout %s: must be greater than 0", t.HBaseTimeout)
	}
	files, err := site.Load(os.Getenv)
	if err != nil {
		return h, usageError{err}
	}
	h.files = files.Files()
	place := hbase.Place{Quorum: files.Get("hbase.zookeeper.quorum"), Root: files.Get("zookeeper.znode.parent")}
	if port := files.Get("hbase.zookeeper.property.clientPort"); port != "" {
		if place.Port, err = strconv.Atoi(port); err != nil {
			return h, usage("hbase.zookeeper.property.clientPort: %w", err)
		}
	}
	if h.url, err = place.ParseURL(t.Table); err != nil {
		return h, usage("--table %w", err)
	}
	handshake := rpc.Handshake(rpc.Simple)
	if t.kerberized(files, o.cli.kerberosFlags) {
		if h.kerberos, err = t.kerberos(files, o.cli.kerberosFlags); err != nil {
			return h, usageError{err}
		}
		handshake = h.kerberos.Handshake(rpc.Preamble(rpc.AuthKerberos))
	}
	if h.tls, err = t.tls(files); err != nil {
		return h, err
	}
	if h.tls != nil {
		if handshake, err = sasl.TLS(*h.tls, handshake); err != nil {
			return h, usageError{err}
		}
	}
	h.options = hbase.Options{Timeout: t.HBaseTimeout, Handshake: handshake, Logger: o.log}
	return h, nil
}

// kerberized reports whether the cluster uses Kerberos. Flags for the Kerberos of HBase take
// precedence over hbase-site.xml. Log-in flags are used last, because they may be for HDFS only.
func (h hbaseFlags) kerberized(files site.Site, k kerberosFlags) bool {
	if h.HBaseService != "" || len(h.HBaseProtection) > 0 {
		return true
	}
	if method := files.Get("hbase.security.authentication"); method != "" {
		return strings.EqualFold(method, "kerberos")
	}
	return k.KerberosKeytab != "" || k.KerberosPrincipal != ""
}

func (h hbaseFlags) kerberos(files site.Site, k kerberosFlags) (*sasl.Kerberos, error) {
	c := k.as(sasl.Config{ServerPrincipal: h.HBaseService})
	if c.ServerPrincipal == "" {
		master, server := files.Get("hbase.master.kerberos.principal"), files.Get("hbase.regionserver.kerberos.principal")
		if master != "" && server != "" && master != server {
			return nil, fmt.Errorf("hbase-site.xml: the principals of the masters (%s) and of the region servers (%s) differ\nhint: set both properties to one principal", master, server)
		}
		c.ServerPrincipal = server
	}
	names := h.HBaseProtection
	if len(names) == 0 {
		names = files.List("hbase.rpc.protection")
	}
	for _, name := range names {
		c.Protections = append(c.Protections, sasl.Protection(strings.ToLower(name)))
	}
	return sasl.New(c)
}

const systemAuthorities = "system"

// tls returns the TLS settings, nil for a cluster without TLS.
func (h hbaseFlags) tls(files site.Site) (*sasl.TLSConfig, error) {
	if h.HBaseTLSCA == "" && h.HBaseTLSCert == "" && !files.Is("hbase.client.netty.tls.enabled", "true") {
		if h.HBaseTLSKey != "" {
			return nil, usage("--hbase-tls-key %s: no certificate for this key\nhint: give --hbase-tls-cert, too", h.HBaseTLSKey)
		}
		return nil, nil
	}
	c := &sasl.TLSConfig{AuthorityFile: h.HBaseTLSCA, CertificateFile: h.HBaseTLSCert, KeyFile: h.HBaseTLSKey}
	store := files.Get("hbase.rpc.tls.truststore.location")
	switch {
	case c.AuthorityFile == systemAuthorities:
		c.AuthorityFile = ""
	case c.AuthorityFile != "" || store == "":
	case files.Is("hbase.rpc.tls.truststore.type", "PEM") || strings.HasSuffix(store, ".pem"):
		c.AuthorityFile = store
	default:
		return nil, usage("hbase-site.xml: hbase.rpc.tls.truststore.location is %s, a Java key store, which sluice cannot read\nhint: export its certificates in PEM (keytool -exportcert -rfc -keystore %s -alias … -file ca.pem) and give --hbase-tls-ca ca.pem, or --hbase-tls-ca %s", store, store, systemAuthorities)
	}
	return c, nil
}

// explainHBase adds to an error of a cluster how to correct it. An error that the user can correct
// becomes a usageError.
func explainHBase(err error, url string) error {
	var layout *hbase.LayoutError
	var remote *rpc.RemoteError
	errors.As(err, &remote)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hbase.ErrTableNotFound), errors.Is(err, hbase.ErrNoLayout):
		return usage("%w: make one with `sluice schema apply --table %s`", err, url)
	case errors.As(err, &layout):
		return usageError{err}
	case errors.Is(err, rpc.ErrSettings):
		return usageError{err}
	case remote != nil && strings.HasSuffix(remote.Class, ".AccessDeniedException") && strings.Contains(remote.Message, "uthentication is required"):
		return usage("%w: this cluster requires Kerberos\nhint: set HBASE_CONF_DIR to the directory of its hbase-site.xml, or give --kerberos-keytab or --hbase-service", err)
	case remote != nil && strings.HasSuffix(remote.Class, "SaslException"):
		return usage("%w: the servers rejected the Kerberos ticket\nhint: --hbase-service must be their principal (hbase.regionserver.kerberos.principal), and the clocks must agree", err)
	case remote != nil && (strings.HasSuffix(remote.Class, ".AccessDeniedException") || strings.HasSuffix(remote.Class, ".AccessControlException")):
		return usage("%w: this user lacks permission: in the HBase shell, grant it RWC on the table or its namespace (C is for reading the table's layout, and for schema apply)", err)
	case errors.Is(err, rpc.ErrNoAnswer):
		return fmt.Errorf("%w (for TLS: --hbase-tls-ca, --hbase-tls-cert)", err)
	}
	return err
}
