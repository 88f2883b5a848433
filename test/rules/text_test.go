package rules

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Patterns of text that belongs to one machine: its directories, and the hosts of its package
// mirrors. They are written so that they do not match themselves.
var (
	machinePath  = regexp.MustCompile(`(?m)(?:^|[\s"'=:(,\x60])(/(?:root|work|workspace|builds)/[\w.]+\S*)`)
	registryHost = regexp.MustCompile(`https?://(?:[^/\s"'@]*@)?([\w.-]*(?:artifactory|nexus|jfrog|registry|mirror|proxy)[\w.-]*)`)
	anyAddress   = regexp.MustCompile(`(?i)(?:GOPROXY|GOSUMDB|index-url|registry)\s*[?:]?=\s*"?(https?://[\w.-]+)`)
)

// publicHosts are public registries, and names reserved for examples.
var publicHosts = regexp.MustCompile(`(^|\.)(golang\.org|apache\.org|docs\.rs|example(\.(com|org|net))?|test|invalid)$`)

// isLog reports whether a file is a log, which may contain any path that a client requested.
func isLog(name string) bool {
	ext := path.Ext(name)
	return strings.Contains(name, "testdata/") && (ext == ".log" || ext == ".gz" || ext == ".zst" || ext == ".bz2")
}

func TestTreeNamesNoMachine(t *testing.T) {
	for _, name := range files(t) {
		if isLog(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range machinePath.FindAllSubmatch(text, -1) {
			t.Errorf("%s names a directory of the machine it was written on: %s", name, m[1])
		}
		for _, m := range append(registryHost.FindAllSubmatch(text, -1), anyAddress.FindAllSubmatch(text, -1)...) {
			host := strings.TrimPrefix(strings.TrimPrefix(string(m[1]), "https://"), "http://")
			if !publicHosts.MatchString(host) {
				t.Errorf("%s names a host that only some can reach: %s", name, host)
			}
		}
	}
}

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksInDocumentsExist(t *testing.T) {
	for _, name := range files(t) {
		if path.Ext(name) != ".md" || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			linked := filepath.Join(root, path.Dir(name), target)
			if target == "" {
				linked = filepath.Join(root, name)
			}
			if info, err := os.Stat(linked); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			} else if anchor != "" && !info.IsDir() && !anchors(t, linked)[anchor] {
				t.Errorf("%s links to %s, which has no such heading", name, m[1])
			}
		}
	}
}

// notInAnchors matches the characters of a heading that are not in its anchor.
var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// anchors returns the anchors of the headings of a Markdown file, as GitHub makes them.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			all[strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(heading[1:]), ""), " ", "-")] = true
		}
	}
	return all
}

// TestMachinePatterns checks the patterns on texts that they must and must not match.
func TestMachinePatterns(t *testing.T) {
	found := func(text string) bool {
		if machinePath.MatchString(text) {
			return true
		}
		for _, m := range append(registryHost.FindAllStringSubmatch(text, -1), anyAddress.FindAllStringSubmatch(text, -1)...) {
			if !publicHosts.MatchString(strings.TrimPrefix(m[1], "https://")) {
				return true
			}
		}
		return false
	}
	const slash = "/" // keeps these lines from matching themselves
	for text, want := range map[string]bool{
		"cd " + slash + "root/src && make":                true,
		`"` + slash + `work/main/x.go"`:                   true,
		"GOPROXY=https:" + slash + "/goproxy.corp.lan":    true,
		"see https:" + slash + "/user@nexus.corp.lan/npm": true,
		"GOPROXY=https://proxy.golang.org":                false,
		"GET /artwork/root/1.png":                         false,
		"the framework/work/x":                            false,
		"http://proxy.example.com/":                       false,
		"ProxyPass / http://backend.example:8080/":        false,
	} {
		if found(text) != want {
			t.Errorf("%q: found is %v, want %v", text, !want, want)
		}
	}
}
