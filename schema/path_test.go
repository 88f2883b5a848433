package schema

import (
	"encoding/json"
	"testing"
)

func TestAPathThatIsNotUTF8SurvivesJSON(t *testing.T) {
	texts := map[string]string{}
	for _, path := range []string{"/l/access.log", "/l/caf\xe9_access.log", "/l/caf\xc3\xa9_access.log", "/l/\xff\xfe", "/l/caf\ufffd_access.log", `/l/caf\xe9_access.log`, "/l/caf\xe9\\x", "/l/caf\xe9\\\\x"} {
		type written struct {
			Path      string
			PathBytes []byte `json:",omitempty"`
		}
		b, err := json.Marshal(written{path, PathBytes(path)})
		if err != nil {
			t.Fatal(err)
		}
		var read written
		if err := json.Unmarshal(b, &read); err != nil {
			t.Fatal(err)
		}
		if got := PathOf(read.Path, read.PathBytes); got != path {
			t.Errorf("%q comes back as %q", path, got)
		}
		text := PathText(path)
		if text != path && PathBytes(path) == nil {
			t.Errorf("%q is written as %q", path, text)
		}
		if other, ok := texts[text]; ok && PathBytes(path) != nil && PathBytes(other) != nil {
			t.Errorf("%q and %q are both written as %q", path, other, text)
		}
		texts[text] = path
	}
}
