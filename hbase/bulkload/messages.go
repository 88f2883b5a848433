package bulkload

import (
	"strings"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
)

// The methods are of ClientService, methodStoreFiles of AdminService; fields are numbered as in
// Client.proto and Admin.proto.
const (
	methodStoreFiles = "GetStoreFile"

	methodPrepare = "PrepareBulkLoad"
	methodLoad    = "BulkLoadHFile"
	methodCleanup = "CleanupBulkLoad"
)

// prepareRequest asks for a staging directory. Any region of the table will do.
func prepareRequest(table string, r *region.Region) []byte {
	namespace, name, found := strings.Cut(table, ":")
	if !found {
		namespace, name = "default", table
	}
	full := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, namespace), 2, name)
	return protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, full), 2, r.Specifier())
}

// parsePrepared returns the staging directory's URI, which is also the token of later calls.
func parsePrepared(message []byte) (token string, err error) {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == 1 {
			token = string(f.Bytes)
		}
	}
	return token, f.Err
}

// loadRequest asks a region to take the file at path, a full URI. copy_file is never set: the file
// would stay where it is, loaded or not.
func loadRequest(token, family, path string, r *region.Region, user *DelegationToken) []byte {
	param := protobuf.AppendBytes(nil, 1, r.Specifier())
	param = protobuf.AppendBytes(param, 2, protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, family), 2, path))
	param = protobuf.AppendBool(param, 3, true) // assign_seq_num: as of a write at this moment
	if user != nil {
		param = protobuf.AppendBytes(param, 4, user.message())
	}
	return protobuf.AppendBytes(param, 5, token)
}

// parseLoaded returns whether the region has the file's rows.
func parseLoaded(message []byte) (loaded bool, err error) {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == 1 {
			loaded = f.Bool()
		}
	}
	return loaded, f.Err
}

// storeFilesRequest asks for the names of a region's files.
func storeFilesRequest(family string, r *region.Region) []byte {
	return protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, r.Specifier()), 2, family)
}

// parseStoreFiles returns the number of the files.
func parseStoreFiles(message []byte) (n int, err error) {
	f := protobuf.Read(message)
	for f.Next() {
		if f.Number == 1 {
			n++
		}
	}
	return n, f.Err
}

// cleanupRequest asks for the staging directory to be removed.
func cleanupRequest(token string, r *region.Region) []byte {
	return protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, token), 2, r.Specifier())
}

// DelegationToken is a token with which a region server acts in HDFS as this client's user.
type DelegationToken struct {
	Identifier, Password []byte
	Kind, Service        string
}

// message returns HBase's DelegationToken.
func (t *DelegationToken) message() []byte {
	m := protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, t.Identifier), 2, t.Password)
	return protobuf.AppendBytes(protobuf.AppendBytes(m, 3, t.Kind), 4, t.Service)
}
