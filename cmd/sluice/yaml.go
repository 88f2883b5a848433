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

// maxConfigBytes is the size limit of a configuration file.
const maxConfigBytes = 1 << 20

// loadYAML loads a configuration file with kong-yaml's loader. A key that is not a flag is an
// error, because a misspelled setting would otherwise be ignored without a message.
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

// Resolve implements kong.Resolver. In kong the file overrides the environment; here the
// environment overrides the file.
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

// readers are the commands that read the table and the archive of a collector or a run.
var readers = []string{"scan", "archive", "audit", "doctor", "schema"}

// stored returns the value of a flag for the location of table or archive from the collector
// section of the file, or else from the run section, so that commands that read what these store
// need no section of their own. nil: another flag or command, or no value.
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
			return fmt.Errorf("configuration: %q is not a flag of sluice%s; its flags are: %s", path+key, strings.ReplaceAll(" "+path, ".", ""), strings.Join(known, ", "))
		}
		if err := checkKeys(node.Children[i], below, path+key+"."); err != nil {
			return err
		}
	}
	return nil
}
