package site

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Site is the properties of the files. The zero Site has none.
type Site struct {
	values map[string]property
	files  []string
}

type property struct {
	Name  string `xml:"name"`
	Value string `xml:"value"`
	Final bool   `xml:"final"`
}

const (
	hbaseSite  = "hbase-site.xml"
	coreSite   = "core-site.xml"
	hdfsSite   = "hdfs-site.xml"
	mapredSite = "mapred-site.xml"

	// maxFileBytes bounds a file; the largest have some 100 KB.
	maxFileBytes = 4 << 20
	// maxValueBytes bounds the length of a value after its ${names} are replaced.
	maxValueBytes = 16 << 10
	// maxReplaced is the number of replacements in a value; Hadoop's class Configuration has the
	// same limit.
	maxReplaced = 20
)

// Load reads the files of HADOOP_CONF_DIR and HBASE_CONF_DIR; the latter take precedence. If
// neither variable is set, the Site is empty, without an error. It is an error if HBASE_CONF_DIR
// has no hbase-site.xml.
func Load(getenv func(string) string) (Site, error) {
	var s Site
	hadoop, hbase := getenv("HADOOP_CONF_DIR"), getenv("HBASE_CONF_DIR")
	for _, name := range []string{coreSite, hbaseSite} {
		for _, dir := range []string{hadoop, hbase} {
			if dir == "" {
				continue
			}
			err := s.read(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) && (name == coreSite || dir != hbase) {
				continue
			}
			if err != nil {
				return Site{}, fmt.Errorf("the configuration of HBase: %w", err)
			}
		}
	}
	return s, nil
}

// LoadHDFS reads the files of HADOOP_CONF_DIR for HDFS or, if it has none of them, those of
// HADOOP_HOME/conf. Without files the Site is empty, which is not an error.
func LoadHDFS(getenv func(string) string) (Site, error) {
	dirs := []string{getenv("HADOOP_CONF_DIR")}
	if home := getenv("HADOOP_HOME"); home != "" {
		dirs = append(dirs, filepath.Join(home, "conf"))
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		var s Site
		for _, name := range []string{coreSite, hdfsSite, mapredSite} {
			if err := s.read(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return Site{}, fmt.Errorf("the configuration of Hadoop: %w", err)
			}
		}
		if len(s.files) > 0 {
			return s, nil
		}
	}
	return Site{}, nil
}

// read adds a file. Its properties replace known ones that are not final.
func (s *Site) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > maxFileBytes {
		return fmt.Errorf("%s has more than %d bytes", path, maxFileBytes)
	}
	properties, err := parse(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.values == nil {
		s.values = make(map[string]property)
	}
	for _, p := range properties {
		if !s.values[p.Name].Final {
			s.values[p.Name] = p
		}
	}
	s.files = append(s.files, path)
	return nil
}

func parse(b []byte) ([]property, error) {
	var document struct {
		XMLName    xml.Name   `xml:"configuration"`
		Properties []property `xml:"property"`
	}
	if err := xml.Unmarshal(b, &document); err != nil {
		return nil, fmt.Errorf("no configuration of Hadoop's: %w", err)
	}
	for i := range document.Properties {
		p := &document.Properties[i]
		p.Name, p.Value = strings.TrimSpace(p.Name), strings.TrimSpace(p.Value)
	}
	return document.Properties, nil
}

// Files returns the files that were read.
func (s Site) Files() []string { return s.files }

// Get returns a property's value, "" if there is none. A ${name} in it is replaced by that
// property, if there is one.
func (s Site) Get(name string) string {
	value := s.values[name].Value
	for range maxReplaced {
		bytes := len(value)
		replaced := variable.ReplaceAllStringFunc(value, func(v string) string {
			if p, known := s.values[v[2:len(v)-1]]; known && bytes+len(p.Value) <= maxValueBytes {
				bytes += len(p.Value)
				return p.Value
			}
			return v
		})
		if replaced == value {
			break
		}
		value = replaced
	}
	return value
}

var variable = regexp.MustCompile(`\$\{[^}$]+\}`)

// Is reports whether a property has this value, ignoring case.
func (s Site) Is(name, value string) bool { return strings.EqualFold(s.Get(name), value) }

// List returns a property's comma-separated values.
func (s Site) List(name string) (list []string) {
	for part := range strings.SplitSeq(s.Get(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
