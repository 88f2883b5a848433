package peers

import (
	"strings"
	"testing"
	"time"
)

func TestCountersAndTimesAreRead(t *testing.T) {
	n, err := taken(strings.NewReader(`{"SINK.none":{"Type":"SINK"},"CHANNEL.memory":{"EventPutSuccessCount":"13","EventTakeSuccessCount":"12","Type":"CHANNEL"}}`))
	if err != nil || n != 12 {
		t.Errorf("%d %v", n, err)
	}
	for _, text := range []string{"", "{}", `{"CHANNEL.memory":{"EventTakeSuccessCount":"many"}}`} {
		if n, err := taken(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %d", text, n)
		}
	}
	cpu, err := cpuOfStat("4711 (java) x) S 1 2 3 4 5 6 7 8 9 10 250 75 0 0 20 0")
	if err != nil || cpu != 3250*time.Millisecond {
		t.Errorf("%s %v", cpu, err)
	}
	if _, err := cpuOfStat("1 (x) S"); err == nil {
		t.Error("a stat that was cut was read")
	}
}
