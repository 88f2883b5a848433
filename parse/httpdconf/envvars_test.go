package httpdconf

import (
	"maps"
	"path/filepath"
	"testing"
)

func TestEnvvars(t *testing.T) {
	given := map[string]string{"GIVEN": "kept"}
	for _, c := range []struct {
		name, dir, text string
		want            map[string]string
	}{
		{"none", "apache2", "", map[string]string{}},
		{"suffix of the only instance", "apache2", "export DIR=/var/log/apache2$SUFFIX", map[string]string{"DIR": "/var/log/apache2"}},
		{"suffix of a second instance", "apache2-shop", "export DIR=/var/log/apache2${SUFFIX}/x", map[string]string{"SUFFIX": "-shop", "DIR": "/var/log/apache2-shop/x"}},
		{"quotes", "a", `export A="b $C" # d` + "\nB='$C \"'; x\nD=e\\ f\n", map[string]string{"A": "b ", "B": `$C "`, "D": "e f"}},
		{"container's defaults", "a", `: ${A:=/b$GIVEN}` + "\n" + `: "${A:=c}"` + "\n: ${GIVEN:=lost}\nexport A\n", map[string]string{"A": "/b"}},
		{"given wins", "a", "export GIVEN=lost", map[string]string{"GIVEN": "lost"}},
		{"a shell's work", "a", "A=$(date)\nB=`date`\nC=${D%x}\nE=\"open\nif true; then\nF=1\nfi\nG=2\n. /etc/default/locale\n", map[string]string{"G": "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), c.dir)
			write(t, dir, "envvars", c.text)
			got, err := readEnvvars(dir, given)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(c.want, given)
			if !maps.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
