package bulkload

import (
	"fmt"
	"testing"

	"sluice/schema"
)

// The rows of several hosts, with the same times, come in batches: by time, as a replay reads them, or
// host by host.
func TestRowsOfHostsThatComeByTimeMakeOneFile(t *testing.T) {
	const hosts, batches, batchRows = 8, 8, 250
	for _, byTime := range []bool{true, false} {
		l, r, table := newLocal(t)
		value := make([]byte, 150)
		add := func(host, batch int) {
			for i := range batchRows {
				at := int64(batch*batchRows + i + 1)
				key := fmt.Appendf(nil, "%012d-%02d", at, host)
				if err := l.sorter.add(t.Context(), r, key, at*1e6, []schema.Cell{{Qualifier: "line", Value: value}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range hosts * batches {
			if byTime {
				add(i%hosts, i/hosts)
			} else {
				add(i/batches, i%batches)
			}
		}
		if err := l.sorter.end(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if one := len(r.files) == 1; one != byTime || table.rows > 0 {
			t.Errorf("by time %t: %d files; %d rows for Put", byTime, len(r.files), table.rows)
		}
		for _, err := range r.discard() {
			if err != nil {
				t.Error(err)
			}
		}
	}
}
