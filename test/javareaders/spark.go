package javareaders

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/cluster"
)

// Spark returns the answers of PySpark to the given number of questions. python is an interpreter
// with PySpark and fastavro.
func Spark(t testing.TB, c *cluster.Cluster, python string, l Lines, questions int) [][]Row {
	t.Helper()
	need(t, "java", "javac", "jar", "mvn")
	lib := jars(t, "spark")
	home := strings.TrimSpace(run(t, exec.Command(python, "-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))")))
	classes := compile(t, lib+"/*"+string(os.PathListSeparator)+home+"/jars", "HBaseRow")
	converter := filepath.Join(t.TempDir(), "converter.jar")
	run(t, exec.Command("jar", "--create", "--file", converter, "-C", classes, "HBaseRow.class"))
	paths, err := filepath.Glob(filepath.Join(lib, "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	script, err := sources.ReadFile("spark/hbase.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", string(script), strings.Join(append(paths, converter), ","), c.ZooKeeper, l.Table, l.Layout, fmt.Sprint(l.From), fmt.Sprint(l.To))
	cmd.Env = append(os.Environ(), "TZ=UTC", "PYSPARK_PYTHON="+python)
	var answers strings.Builder
	for line := range strings.Lines(run(t, cmd)) {
		if answer, ok := strings.CutPrefix(line, "answer\t"); ok {
			answers.WriteString(answer)
		}
	}
	rows, err := parseRows(answers.String(), questions)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
