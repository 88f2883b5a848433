package protocol

import "testing"

// FuzzDecode decodes any bytes as every message, and the bodies of valid batches.
func FuzzDecode(f *testing.F) {
	for _, m := range messages() {
		f.Add(m.Append(nil))
	}
	c, err := NewCodec(1 << 16)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	m := Batch{Stream: 1, Lines: 2, Compression: Zstd}
	m.Range.End = 200
	c.Encode(&m, make([]byte, 200), nil)
	f.Add(append(m.AppendHead(nil), m.Body...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range messages() {
			if err := m.Decode(b); err != nil {
				continue
			}
			if err := m.Decode(m.Append(nil)); err != nil {
				t.Fatalf("decoded values cannot be encoded and decoded again: %v", err)
			}
		}
		var m Batch
		if err := m.Decode(b); err != nil || m.Range.Len() > 1<<16 {
			return
		}
		if data, err := c.Data(&m, nil); err == nil && int64(len(data)) != m.Range.Len() {
			t.Fatalf("%d bytes for %s", len(data), m.Range)
		}
	})
}
