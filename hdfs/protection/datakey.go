package protection

import (
	"encoding/base64"
	"fmt"
	"net"

	"sluice/hadoop/protobuf"
)

// DataKey is the key that a client logs in with at data nodes if dfs.encrypt.data.transfer is set,
// instead of blocks' tokens.
type DataKey struct{ user, password string }

// FetchDataKey requests the key of a user from a name node on an authenticated connection without
// earlier requests. It is nil if data nodes need none.
func FetchDataKey(made net.Conn, user string) (*DataKey, error) {
	message, err := call(made, user, "getDataEncryptionKey", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the key of data nodes: %w", err)
	}
	message, err = field(message, 1)
	if err != nil || len(message) == 0 {
		return nil, err
	}
	return readDataKey(message)
}

// readDataKey parses a DataEncryptionKeyProto. The user's name is made of the key's number, block
// pool and nonce.
func readDataKey(message []byte) (*DataKey, error) {
	var number uint64
	var pool, nonce, key []byte
	f := protobuf.Read(message)
	for f.Next() {
		switch f.Number {
		case 1:
			number = f.Uint
		case 2:
			pool = f.Bytes
		case 3:
			nonce = f.Bytes
		case 4:
			key = f.Bytes
		}
	}
	if f.Err == nil && len(key) == 0 {
		f.Err = fmt.Errorf("it is empty")
	}
	if f.Err != nil {
		return nil, fmt.Errorf("the key of data nodes: %w", f.Err)
	}
	base64 := base64.StdEncoding.EncodeToString
	return &DataKey{fmt.Sprintf("%d %s %s", int32(number), pool, base64(nonce)), base64(key)}, nil
}
