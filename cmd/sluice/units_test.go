package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ways returns the three ways to set a flag of run.
func ways(flag, value string) map[string]func(t *testing.T, c *cli) error {
	parse := func(t *testing.T, c *cli, args ...string) error {
		_, err := grammar(t, c).Parse(joinNegative(append([]string{"run", "access.log"}, args...)))
		return err
	}
	return map[string]func(t *testing.T, c *cli) error{
		"flag": func(t *testing.T, c *cli) error { return parse(t, c, "--"+flag, value) },
		"environment": func(t *testing.T, c *cli) error {
			t.Setenv("SLUICE_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_")), value)
			return parse(t, c)
		},
		"yaml": func(t *testing.T, c *cli) error {
			return parse(t, c, "--config", configFile(t, "run:\n  "+flag+": "+value+"\n"))
		},
	}
}

func TestUnitsAreReadFromFlagEnvironmentAndFile(t *testing.T) {
	for _, c := range []struct {
		flag, value string
		want        func(r *runCmd) bool
	}{
		{"cpu", "100%", func(r *runCmd) bool { return r.CPU == 100 }},
		{"cpu", "7.5 %", func(r *runCmd) bool { return r.CPU == 7.5 }},
		{"cpu", "0", func(r *runCmd) bool { return r.CPU == 0 }},
		{"spool-max", "10GiB", func(r *runCmd) bool { return r.SpoolMax == 10240 }},
		{"spool-max", "10GB", func(r *runCmd) bool { return r.SpoolMax == 9536 }},
		{"spool-max", "2T", func(r *runCmd) bool { return r.SpoolMax == 2<<20 }},
		{"spool-max", "0", func(r *runCmd) bool { return r.SpoolMax == 0 }},
		{"roll-size", "64", func(r *runCmd) bool { return r.RollSize == 64 }},
		{"roll-size", "2.5 mib", func(r *runCmd) bool { return r.RollSize == 2 }},
		{"roll-interval", "1d", func(r *runCmd) bool { return r.RollInterval == 24*time.Hour }},
		{"roll-interval", "1d12h", func(r *runCmd) bool { return r.RollInterval == 36*time.Hour }},
		{"min-margin", "1w", func(r *runCmd) bool { return r.MinMargin == 7*24*time.Hour }},
		{"latency", "1.5s", func(r *runCmd) bool { return r.Latency == 1500*time.Millisecond }},
		{"keep-local", "0", func(r *runCmd) bool { return r.KeepLocal == 0 }},
	} {
		for way, parse := range ways(c.flag, c.value) {
			t.Run(c.flag+" "+c.value+" by "+way, func(t *testing.T) {
				var got cli
				if err := parse(t, &got); err != nil || !c.want(&got.Run) {
					t.Errorf("%v: cpu %v, spool-max %d, roll-size %d, roll-interval %v, min-margin %v, latency %v", err,
						got.Run.CPU, got.Run.SpoolMax, got.Run.RollSize, got.Run.RollInterval, got.Run.MinMargin, got.Run.Latency)
				}
			})
		}
	}
}

func TestInvalidUnitsAreRejected(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"cpu", "-1", "from 0 on"}, {"cpu", "NaN", "percentage"}, {"cpu", "5%%", "percentage"}, {"cpu", "five", "percentage"}, {"cpu", "Inf", "percentage"},
		{"spool-max", "10XB", "size"}, {"spool-max", "-1", "size"}, {"spool-max", "1k6", "size"}, {"spool-max", "GB", "size"}, {"spool-max", "99999999T", "too large"},
		{"roll-size", "100KB", "less than 1 MiB"}, {"roll-interval", "5", "unit"}, {"roll-interval", "1x", "unit"}, {"roll-interval", "-1h", "negative"},
		{"min-margin", "tomorrow", "unit"}, {"latency", "9999999w", "unit"},
	} {
		for way, parse := range ways(c.flag, c.value) {
			t.Run(c.flag+" "+c.value+" by "+way, func(t *testing.T) {
				if err := parse(t, new(cli)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.flag) {
					t.Errorf("%v, want %q", err, c.want)
				}
			})
		}
	}
}

func TestTextsInAConfigurationFileAreTexts(t *testing.T) {
	for _, yaml := range []string{"scan:\n  host: 01\n", "scan:\n  status: 404\n", "scan:\n  from: 2015-05-17\n", "scan:\n  where: true\n", "data: 5\n"} {
		var c cli
		if _, err := grammar(t, &c).Parse([]string{"scan", "--config", configFile(t, yaml)}); err == nil || !strings.Contains(err.Error(), "quotes") {
			t.Errorf("%q: %v", yaml, err)
		}
	}
	var c cli
	if _, err := grammar(t, &c).Parse([]string{"scan", "--config", configFile(t, "scan:\n  host: \"01\"\n  from: -2h\n  fields: [status]\n")}); err != nil || c.Scan.Host != "01" || c.Scan.From != "-2h" || !slices.Equal(c.Scan.Fields, []string{"status"}) {
		t.Errorf("%v: %+v", err, c.Scan)
	}
}

func TestValuesThatBeginWithAMinusBelongToTheirFlag(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"scan --from -2h --to -1h", "scan --from=-2h --to=-1h"}, {"scan --from=-2h", "scan --from=-2h"}, {"scan --limit -5", "scan --limit=-5"},
		{"scan --count -q", "scan --count -q"}, {"scan -o csv --reverse", "scan -o csv --reverse"}, {"run -- --from -2h", "run -- --from -2h"},
		{"scan --from -", "scan --from -"}, {"scan --from", "scan --from"}, {"-2h", "-2h"},
	} {
		if got := joinNegative(strings.Fields(c.args)); strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q", c.args, got)
		}
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
