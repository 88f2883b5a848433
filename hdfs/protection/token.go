package protection

import (
	"errors"
	"fmt"
	"net"

	"sluice/hadoop/protobuf"
)

// Token is a delegation token: its holder acts in HDFS as the user that requested it.
type Token struct {
	Identifier, Password []byte
	Kind                 string
}

// FetchToken requests a delegation token of a user from a name node on a connection that is
// authenticated with Kerberos, without earlier requests. renewer may renew it; a name node cancels it
// after a day otherwise.
func FetchToken(made net.Conn, user, renewer string) (*Token, error) {
	message, err := call(made, user, "getDelegationToken", protobuf.AppendBytes(nil, 1, renewer))
	if err == nil {
		message, err = field(message, 1)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for a delegation token: %w", err)
	}
	return readToken(message)
}

// readToken parses a TokenProto.
func readToken(message []byte) (*Token, error) {
	var t Token
	f := protobuf.Read(message)
	for f.Next() {
		switch f.Number {
		case 1:
			t.Identifier = f.Bytes
		case 2:
			t.Password = f.Bytes
		case 3:
			t.Kind = string(f.Bytes)
		}
	}
	if f.Err == nil && (len(t.Identifier) == 0 || len(t.Password) == 0) {
		f.Err = errors.New("it is empty")
	}
	if f.Err != nil {
		return nil, fmt.Errorf("the delegation token: %w", f.Err)
	}
	return &t, nil
}
