package monitor

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzStatusFile checks that Read does not panic for any content, and that a status that it accepts
// is the same after Write and Read.
func FuzzStatusFile(f *testing.F) {
	for _, name := range []string{"health.json", "agent_health.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(append([]byte(`{"pid":1,"host":"web01","health":`), b...), '}'))
	}
	f.Add([]byte(`{"storing":{"waiting":{"web01":{}},"shares":{"evil":{"bytes":-1}}},"logs":{}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "status.json")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Read(path)
		if err != nil {
			return
		}
		if err := Write(path, &s); err != nil {
			return // a time that JSON cannot represent
		}
		first, err := Read(path)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if err := Write(path, &first); err != nil {
			t.Fatal(err)
		}
		if again, err := Read(path); err != nil || !reflect.DeepEqual(first, again) {
			t.Errorf("%+v came back as %+v, %v", first, again, err)
		}
	})
}
