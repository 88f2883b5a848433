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
	paths, home := sparkJars(t, python)
	classes := compile(t, filepath.Dir(paths[0])+"/*"+string(os.PathListSeparator)+home+"/jars", "HBaseRow")
	converter := filepath.Join(t.TempDir(), "converter.jar")
	run(t, exec.Command("jar", "--create", "--file", converter, "-C", classes, "HBaseRow.class"))
	script, err := sources.ReadFile("spark/hbase.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", string(script), strings.Join(append(paths, converter), ","), c.ZooKeeper, l.Table, l.Layout, fmt.Sprint(l.From), fmt.Sprint(l.To))
	cmd.Env = append(os.Environ(), "TZ=UTC", "PYSPARK_PYTHON="+python)
	return answersOf(t, run(t, cmd), questions)
}

// SparkShell returns the answers of Spark's Scala shell to the first two questions, on a table in
// the layout typed.
func SparkShell(t testing.TB, c *cluster.Cluster, python string, l Lines) [][]Row {
	t.Helper()
	paths, home := sparkJars(t, python)
	script, err := sources.ReadFile("spark/hbase.scala")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hbase.scala")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(home, "bin", "spark-shell"), "--master", "local[2]", "--jars", strings.Join(paths, ","),
		"--conf", "spark.ui.enabled=false", "--conf", "spark.hadoopRDD.ignoreEmptySplits=false", "-i", file)
	cmd.Env = append(os.Environ(), "TZ=UTC", "SPARK_HOME="+home, "ZOOKEEPER="+c.ZooKeeper, "TABLE="+l.Table)
	return answersOf(t, run(t, cmd), 2)
}

// sparkJars returns the jars that Spark needs beside its own, and Spark's directory.
func sparkJars(t testing.TB, python string) (paths []string, home string) {
	t.Helper()
	need(t, "java", "javac", "jar", "mvn")
	home = strings.TrimSpace(run(t, exec.Command(python, "-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))")))
	paths, err := filepath.Glob(filepath.Join(jars(t, "spark"), "*.jar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no jars for Spark: %v", err)
	}
	return paths, home
}

// answersOf reads the lines of Spark's output that begin with "answer"; the others are messages.
func answersOf(t testing.TB, output string, questions int) [][]Row {
	t.Helper()
	var answers strings.Builder
	for line := range strings.Lines(output) {
		if _, answer, ok := strings.Cut(line, "answer\t"); ok {
			answers.WriteString(answer)
		}
	}
	rows, err := parseRows(answers.String(), questions)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
