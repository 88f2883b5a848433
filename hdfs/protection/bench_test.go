package protection

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"net"
	"testing"
)

// sink accepts everything.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkProtection writes packets of a block with each protection, and discards them.
func BenchmarkProtection(b *testing.B) {
	packet := bytes.Repeat([]byte{7}, 65_536+600)
	made := map[string]net.Conn{}
	for name, seal := range map[string]bool{"integrity": false, "privacy, RC4": true} {
		c, err := newWrapped(sink{}, []byte("session"), seal)
		if err != nil {
			b.Fatal(err)
		}
		made[name] = c
	}
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	made["privacy, AES"] = &streams{Conn: sink{}, out: cipher.NewCTR(block, make([]byte, 16))}
	for _, name := range []string{"integrity", "privacy, RC4", "privacy, AES"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(packet)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := made[name].Write(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
