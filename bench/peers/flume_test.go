package peers

import (
	"strings"
	"testing"
	"time"
)

func TestCountersAndCPUTimesAreParsed(t *testing.T) {
	count := func(text string) (int64, error) {
		report, err := readReport(strings.NewReader(text))
		if err != nil {
			return 0, err
		}
		return report.count("CHANNEL.memory", "EventTakeSuccessCount")
	}
	n, err := count(`{"SINK.none":{"Type":"SINK"},"CHANNEL.memory":{"EventPutSuccessCount":"13","EventTakeSuccessCount":"12","Type":"CHANNEL"}}`)
	if err != nil || n != 12 {
		t.Errorf("%d %v", n, err)
	}
	for _, text := range []string{"", "{}", `{"CHANNEL.memory":{"EventTakeSuccessCount":"many"}}`} {
		if n, err := count(text); err == nil {
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
