package trace

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const text = `unix_seconds,level,bytes_per_second,cpu_share,budget_share,cpu_pressure,io_pressure,steal,throttled,load,cpu_use
1800000000.000,full,5000000,0.0200,0.0500,0.010,0.000,0.001,0.000,0.500,0.300
1800000000.500,slowed,500000,0.0060,0.0050,0.930,0.100,0.001,0.000,2.500,0.990
1800000001.000,paused,0,0.0010,0.0050,0.950,0.700,0.001,0.000,2.500,0.990
1800000002.000,full,5000000,0.0400,0.0500,0.000,0.000,0.001,0.000,0.100,0.100
`

func TestSVG(t *testing.T) {
	steps, err := Read(strings.NewReader(text))
	if err != nil || len(steps) != 4 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	var got bytes.Buffer
	if err := SVG(&got, "a < b", steps, []Mark{{time.UnixMilli(1800000000500), "load begins"}}); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(got.Bytes())); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	const golden = "testdata/trace.svg"
	if *rewrite {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the picture is not %s; -rewrite writes it anew", golden)
	}
}

func TestReadIgnoresAPartialRowAtTheEnd(t *testing.T) {
	for cut, want := range map[int]int{1: 3, 8: 3, 60: 3, 90: 2} {
		steps, err := Read(strings.NewReader(text[:len(text)-1-cut]))
		if cut == 1 { // then the last number is only shorter by a digit
			want = 4
		}
		if err != nil || len(steps) != want {
			t.Errorf("cut by %d: %d steps, want %d: %v", cut, len(steps), want, err)
		}
	}
	for _, bad := range []string{"", "a,b\n", strings.Replace(text, "0.930", "x", 1)} {
		if steps, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%.20q is read as %d steps", bad, len(steps))
		}
	}
}
