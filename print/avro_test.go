package print

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"sluice/schema"
)

var avroCodecs = []string{AvroZstandard, AvroDeflate, AvroNull}

func avroFile(t *testing.T, codec string) []byte {
	return output(t, "avro", Options{Codec: codec, Formats: [][]schema.Field{lookup(t, "combined").Fields()}}, entries(t))
}

func TestAvroFilesAreReadBack(t *testing.T) {
	for _, codec := range avroCodecs {
		t.Run(codec, func(t *testing.T) { avroIsReadBack(t, codec) })
	}
	if _, err := New(io.Discard, "avro", Options{Codec: "snappy"}); err == nil {
		t.Error("snappy is not written")
	}
}

func avroIsReadBack(t *testing.T, codec string) {
	file := avroFile(t, codec)
	d, err := ocf.NewDecoder(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	want, err := schema.AvroSchema(avroRecord, schema.AvroFields(lookup(t, "combined").Fields()))
	if err != nil {
		t.Fatal(err)
	}
	if meta := d.Metadata(); string(meta["avro.schema"]) != want || string(meta["avro.codec"]) != codec {
		t.Errorf("metadata %s", meta)
	}
	for i, line := range hostile {
		var rec map[string]any
		if !d.HasNext() {
			t.Fatalf("%d records of %d: %v", i, len(hostile), d.Error())
		}
		if err := d.Decode(&rec); err != nil {
			t.Fatal(err)
		}
		if body, ok := rec["logbody"].([]byte); !ok || string(body) != line || rec["host"] != `web"01` {
			t.Errorf("%q is read back as %v", line, rec)
		}
	}
	if d.HasNext() || d.Error() != nil {
		t.Errorf("more records, or %v", d.Error())
	}
}

func TestAvroFilesWithoutRecordsAreFiles(t *testing.T) {
	d, err := ocf.NewDecoder(bytes.NewReader(output(t, "avro", Options{Fields: []string{"status"}}, nil)))
	if err != nil || d.HasNext() {
		t.Errorf("%v", err)
	}
}

const avroTools = "org.apache.avro:avro-tools:1.12.0"

// TestJavaReadsAvroFiles compares the output of avro-tools tojson for an avro file with the output
// avrojson, byte for byte.
func TestJavaReadsAvroFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it needs Java")
	}
	dir := t.TempDir()
	jar := filepath.Join(dir, "avro-tools-1.12.0.jar")
	if err := fetchAvroTools(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("left out: ", err)
	}
	want := output(t, "avrojson", Options{Formats: [][]schema.Field{lookup(t, "combined").Fields()}}, entries(t))
	for _, codec := range avroCodecs {
		file := filepath.Join(dir, codec+".avro")
		if err := os.WriteFile(file, avroFile(t, codec), 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("java", "-Dfile.encoding=UTF-8", "-jar", jar, "tojson", file)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: avro-tools tojson: %v\n%s", codec, err, &stderr)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: avro-tools prints\n%s\nwant\n%s", codec, got, want)
		}
	}
}

func fetchAvroTools(dir string) error {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	out, err := exec.Command("mvn", "-q", "-B", "dependency:copy", "-Dartifact="+avroTools, "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}
