package checkpoint

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestNamesOfRotationsAreKnown(t *testing.T) {
	for _, test := range []struct {
		path, log string
		want      Kinship
	}{
		{"/l/access-20261128.log", "/l/access.log", RotatedHere},
		{"/l/access.1.log", "/l/access.log", RotatedHere},
		{"/l/access.log.1", "/l/access.log", RotatedHere},
		{"/l/access.log.12.gz", "/l/access.log", RotatedHere},
		{"/l/access.log-20261128.xz", "/l/access.log", RotatedHere},
		{"/l/access.log.old", "/l/access.log", RotatedHere},
		{"/l/access.log.bak", "/l/access.log", RotatedHere},
		{"/l/access.log~", "/l/access.log", RotatedHere},
		{"/l/access-2026-W48.log", "/l/access.log", RotatedHere},
		{"/l/20261128-access.log", "/l/access.log", RotatedHere},
		{"/l/access.log_mon", "/l/access.log", RotatedHere},
		{"/l/access_Mon.log.zst", "/l/access.log", RotatedHere},
		{"/l/access.log-2026-11-28T14:30", "/l/access.log", RotatedHere},
		{"/l/access_log20261128", "/l/access_log", RotatedHere},
		{"/l/access.log.gz", "/l/access.log", RotatedHere},
		{"/l/caf\xe9_access.log.1", "/l/caf\xe9_access.log", RotatedHere},
		{"/l/old/access.log-20261128", "/l/access.log", RotatedElsewhere},
		{"/l/old/access.log", "/l/access.log", RotatedElsewhere},
		{"/l/access.log.2", "/l/access.log.1", Siblings},
		{"/l/access_log.443", "/l/access_log.80", Siblings},
		{"/l/access_log.8080", "/l/access_log.80", Siblings},
		{"/l/access_log_2", "/l/access_log_1", Siblings},
		{"/l/access_log_10", "/l/access_log_1", Siblings},
		{"/l/shop-access.log", "/l/access.log", Unrelated},
		{"/l/ssl_access.log", "/l/access.log", Unrelated},
		{"/l/access_shop.log", "/l/access.log", Unrelated},
		{"/l/accessmon.log", "/l/access.log", Unrelated},
		{"/l/access..log", "/l/access.log", Unrelated},
		{"/l/error.log", "/l/access.log", Unrelated},
	} {
		if got := KinshipOf(test.path, test.log); got != test.want {
			t.Errorf("%q of %q: %d, want %d", test.path, test.log, got, test.want)
		}
	}
}

// Origins finds the same logs as a comparison of each pair of names.
func TestOriginsAreTheLogsOfWhichAFileIsARotation(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 20))
	parts := []string{"access", "log", "mon", "old", "a", "site", "1", "20261128", "80", ".", "-", "_", "~", ".gz", strings.Repeat("9", 40)}
	name := func() string {
		var b strings.Builder
		for range 1 + random.IntN(6) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return b.String()
	}
	related := 0
	for range 50_000 {
		file, log := name(), name()
		if random.IntN(2) == 0 { // a part of the file's name is left out
			from := random.IntN(len(file))
			log = file[:from] + file[from+random.IntN(len(file)-from):]
		}
		want := isRotated(file, log)
		if got := slices.Contains(Origins(file), trimCompressed(log)); got != want {
			t.Fatalf("%q of %q: %t, want %t; %q", file, log, got, want, Origins(file))
		}
		if want {
			related++
		}
	}
	if related < 1000 {
		t.Errorf("%d pairs are related", related)
	}
}
