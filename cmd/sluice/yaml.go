package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"gopkg.in/yaml.v3"
)

// maxConfigBytes bounds a configuration file.
const maxConfigBytes = 1 << 20

// loadYAML is kong-yaml's loader, but a key that is no flag is an error: a
// setting that is silently not used is worse than none.
func loadYAML(r io.Reader) (kong.Resolver, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxConfigBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfigBytes {
		return nil, fmt.Errorf("configuration: the file is larger than %d bytes", maxConfigBytes)
	}
	resolver, err := kongyaml.Loader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	if err := yaml.Unmarshal(b, &keys); err != nil {
		return nil, err
	}
	return strictResolver{resolver, keys}, nil
}

type strictResolver struct {
	kong.Resolver
	keys map[string]any
}

// Resolve implements kong.Resolver. kong itself lets a file win over the
// environment; here what is nearer to the call wins.
func (s strictResolver) Resolve(c *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	value, err := s.Resolver.Resolve(c, parent, flag)
	if value == nil && err == nil {
		value = s.stored(c, flag)
	}
	return value, err
}

// readers are the commands that read what a collector or a run stores.
var readers = []string{"scan", "archive", "audit", "doctor", "schema"}

// stored returns the value that the collector's part of the file has for a flag that
// says where table and archive are, or else the run's part: who reads what they store
// need not write it twice.
func (s strictResolver) stored(c *kong.Context, flag *kong.Flag) any {
	command, _, _ := strings.Cut(c.Command(), " ")
	where := flag.Name == "table" || flag.Name == "archive" || strings.HasPrefix(flag.Name, "hbase-") || strings.HasPrefix(flag.Name, "archive-")
	if !where || !slices.Contains(readers, command) {
		return nil
	}
	for _, part := range []string{"collector", "run"} {
		if keys, ok := s.keys[part].(map[string]any); ok && keys[flag.Name] != nil {
			return keys[flag.Name]
		}
	}
	return nil
}

// Validate implements kong.Resolver.
func (s strictResolver) Validate(app *kong.Application) error {
	if err := checkKeys(app.Node, s.keys, ""); err != nil {
		return err
	}
	return s.Resolver.Validate(app)
}

func checkKeys(node *kong.Node, keys map[string]any, path string) error {
	var known []string
	for _, f := range node.Flags {
		known = append(known, f.Name)
	}
	for key, value := range keys {
		if slices.Contains(known, key) {
			continue
		}
		i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == key })
		below, isMap := value.(map[string]any)
		if i < 0 || !isMap {
			slices.Sort(known)
			return fmt.Errorf("configuration: %q is no flag of sluice%s; there are: %s", path+key, strings.ReplaceAll(" "+path, ".", ""), strings.Join(known, ", "))
		}
		if err := checkKeys(node.Children[i], below, path+key+"."); err != nil {
			return err
		}
	}
	return nil
}
