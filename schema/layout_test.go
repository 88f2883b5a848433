package schema

import (
	"errors"
	"testing"
)

// FuzzLayout: what is read from a table's descriptor is checked, and what passes
// is written again the same.
func FuzzLayout(f *testing.F) {
	for _, name := range []string{LayoutTyped, LayoutPacked, LayoutFlume} {
		l, err := NewLayout(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(l.Marshal())
	}
	f.Add([]byte(`{"name":"typed","family":"l","salts":2,"cells":["status"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := UnmarshalLayout(b)
		if err != nil {
			if !errors.Is(err, errLayout) {
				t.Fatalf("%v is no errLayout", err)
			}
			return
		}
		again, err := UnmarshalLayout(l.Marshal())
		if err != nil || !again.Equal(l) {
			t.Errorf("%+v came back as %+v, %v", l, again, err)
		}
		if n := len(l.Ranges(0, 0)); n != max(l.Salts, 1) {
			t.Errorf("%d ranges for %d salts", n, l.Salts)
		}
	})
}

// TestInvalidLayoutsAreRejected by name, family and salts.
func TestInvalidLayoutsAreRejected(t *testing.T) {
	for _, l := range []Layout{
		{}, {Name: "packed", Family: "l"}, {Name: "packed", Family: "l", Salts: 8, Cells: []string{"status"}}, {Name: "other", Family: "l", Salts: 8}, {Name: "typed", Salts: 8}, {Name: "typed", Family: "a:b", Salts: 8},
		{Name: "typed", Family: "l"}, {Name: "typed", Family: "l", Salts: 255}, {Name: "flume", Family: "prop", Salts: 8}, {Name: "typed", Family: "l'", Salts: 8},
	} {
		if err := l.Check(); !errors.Is(err, errLayout) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, err := NewLayout("nonsense"); !errors.Is(err, errLayout) {
		t.Errorf("nonsense: %v", err)
	}
}
