package httpdconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write puts a file below dir and gives its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRejectionReportsWhereAndWhat: what httpd rejects is rejected, with file and line.
func TestRejectionReportsWhereAndWhat(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"missing include":      {"\nInclude absent.conf", "httpd.conf:2: include: DIR/absent.conf: file does not exist; create it, or use IncludeOptional"},
		"nothing matches":      {"Include *.none", `httpd.conf:1: include: nothing in DIR matches "*.none"; use IncludeOptional`},
		"bad pattern":          {"Include [a", "pattern"},
		"include of itself":    {"Include httpd.conf", "httpd.conf:1: include: DIR/httpd.conf would be included more than 128 files deep; does a file include itself?"},
		"include without name": {"Include", "httpd.conf:1: include: takes one file"},
		"two files":            {"Include a b", "takes one file"},
		"inside an include":    {"Include other", "DIR/other:2: customlog: takes a file"},
		"section over files":   {"<VirtualHost *:80>\nInclude closes\n", "DIR/closes:1: </virtualhost> closes nothing in this file"},
		"unclosed":             {"\n<VirtualHost *:80>", "httpd.conf:2: <virtualhost> is not closed"},
		"unclosed and skipped": {"\n<IfDefine X>\n", "httpd.conf:2: <ifdefine> is not closed"},
		"unclosed macro":       {"<Macro X>\n", "httpd.conf:1: <macro> is not closed"},
		"crossed":              {"<Directory />\n<VirtualHost *:80>", "httpd.conf:2: not allowed here, inside <directory>"},
		"crossed end":          {"<VirtualHost *:80>\n<Directory />\n</VirtualHost>", "httpd.conf:3: expected </directory>"},
		"crossed and skipped":  {"<IfDefine X>\n<Directory />\n</IfDefine>", "httpd.conf:3: expected </directory>"},
		"nested hosts":         {"<VirtualHost *:80>\n<VirtualHost *:81>", "httpd.conf:2: not allowed here"},
		"no bracket":           {"<VirtualHost *:80", "httpd.conf:1: <virtualhost has no closing '>'"},
		"space in end":         {"<IfDefine !X>\n</IfDefine >", "httpd.conf:2: </ifdefine has no closing '>'"},
		"host without address": {"<VirtualHost>", "needs an address"},
		"no condition":         {"<IfDefine>", "needs an argument"},
		"bad version":          {"<IfVersion >= x>", `version "x"`},
		"bad operator":         {"<IfVersion % 2>", `unknown operator "%"`},
		"open regexp":          {"<IfVersion = /2>", "no closing /"},
		"format unquoted":      {"LogFormat %h %l %u", "httpd.conf:1: logformat: takes a format and at most one nickname; quote the format"},
		"log without format":   {"CustomLog logs/a", "customlog: takes a file, a format"},
		"log with condition":   {"CustomLog logs/a f if=x", `condition "if=x"`},
		"empty condition":      {"CustomLog logs/a f env=!", "is empty"},
		"log in a directory":   {"<Directory />\nCustomLog a f", "httpd.conf:2: customlog: not allowed here, inside <directory>"},
		"global log in a host": {"<VirtualHost *:80>\nGlobalLog a f", "httpd.conf:2: globallog: not allowed here, inside <virtualhost>"},
		"transfer log":         {"TransferLog a b", "takes one file"},
		"pipe to nothing":      {`CustomLog "||$ " f`, "no command follows '|'"},
		"server root":          {"ServerRoot /nonexistent/root", "give its directory as the server root"},
		"relative server root": {"ServerRoot conf", "takes one absolute directory"},
		"define":               {"Define a b c", "takes a name and at most one value"},
		"define with colon":    {"Define a:b c", "holds a ':'"},
		"macro unknown":        {"Use M", "httpd.conf:1: use: macro m is not defined above"},
		"macro arguments":      {"<Macro M $a>\n</Macro>\nUse M", "httpd.conf:3: use: macro m takes 1 arguments, not 0"},
		"macro in itself":      {"<Macro M>\nUse M\n</Macro>\nUse M", "httpd.conf:2: use: macro m uses itself (macro m, used at DIR/httpd.conf:4)"},
		"error in a macro":     {"<Macro M>\nCustomLog a\n</Macro>\n\nUse M", "httpd.conf:2: customlog: takes a file, a format or nickname, and at most one condition; quote the format (macro m, used at DIR/httpd.conf:5)"},
		"NUL":                  {"a\n\x00", "httpd.conf:2: a NUL byte"},
		"long line":            {strings.Repeat("x", maxLineBytes+1), "httpd.conf:1: a line of more than"},
		"long continued line":  {strings.Repeat("x\\\n", maxLineBytes+1), "httpd.conf:1: a line of more than"},
		"large file":           {strings.Repeat(" \n", maxFileBytes/2+1), "more than 16777216 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "other", "\nCustomLog x\n")
			write(t, dir, "closes", "</VirtualHost>\n")
			conf, err := Read(write(t, dir, "httpd.conf", c.text), Options{})
			if err == nil {
				t.Fatalf("accepted: %+v", conf)
			}
			want := strings.ReplaceAll(c.want, "DIR", dir)
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestConfigurationsThatMultiplyAreErrors: files, variables and arguments that multiply each other are an error
// before they take all memory.
func TestConfigurationsThatMultiplyAreErrors(t *testing.T) {
	var doubling strings.Builder
	doubling.WriteString("Define A0 0123456789\n")
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&doubling, "Define A%d ${A%d}${A%d}\n", i, i-1, i-1)
	}
	argument := "<Macro M $a>\n" + strings.Repeat("$a", 4000) + "\n</Macro>\nUse M " + strings.Repeat("x", 4000)
	for name, c := range map[string]struct{ text, want string }{
		"variables":       {doubling.String(), "once its variables are put in"},
		"macro arguments": {argument, "once its arguments are put in"},
		"includes":        {"Include many/*", "files are included"},
		"logs":            {strings.Repeat("CustomLog a f\n", maxLogs+1), fmt.Sprintf("httpd.conf:%d: customlog: more than", maxLogs+1)},
		"hosts":           {strings.Repeat("<VirtualHost a>\n</VirtualHost>\n", maxVirtualHosts+1), "virtual hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i := range 15 {
				include := ""
				if i < 14 {
					include = strings.Repeat(fmt.Sprintf("Include many/%02d\n", i+1), 2)
				}
				write(t, dir, fmt.Sprintf("many/%02d", i), include)
			}
			_, err := Read(write(t, dir, "httpd.conf", c.text), Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.300v, want %s", err, c.want)
			}
		})
	}
}

// TestMacrosAreBounded uses a smaller limit, because reaching the real one takes seconds.
func TestMacrosAreBounded(t *testing.T) {
	text := "<Macro M0>\nTimeout 5\n</Macro>\n"
	for i := 1; i <= 40; i++ {
		text += fmt.Sprintf("<Macro M%d>\nUse M%d\nUse M%d\n</Macro>\n", i, i-1, i-1)
	}
	path := write(t, t.TempDir(), "httpd.conf", text+"Use M40\n")
	r, err := newReader(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.bytesLeft = 1 << 20
	if err := r.readFile(path); err == nil || !strings.Contains(err.Error(), "with everything put in") {
		t.Errorf("got %.300v", err)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	path := write(t, t.TempDir(), "httpd.conf", strings.Repeat("CustomLog a nick\n", 2*maxWarnings))
	conf, err := Read(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(conf.Warnings) != maxWarnings || len(conf.Logs) != 2*maxWarnings {
		t.Errorf("%d warnings, %d logs", len(conf.Warnings), len(conf.Logs))
	}
	if last := conf.Warnings[maxWarnings-1]; !strings.Contains(last, "not shown") {
		t.Errorf("the last warning is %q", last)
	}
}

func TestUnreadableFileReportsPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	if err := os.Chmod(write(t, dir, "secret.conf", ""), 0); err != nil {
		t.Fatal(err)
	}
	for _, directive := range []string{"Include", "IncludeOptional"} {
		_, err := Read(write(t, dir, "httpd.conf", directive+" secret.conf"), Options{})
		if err == nil || !strings.Contains(err.Error(), "secret.conf: permission denied; run as root") {
			t.Errorf("%s: %v", directive, err)
		}
	}
}

func TestFilesThatCannotBeConfigurationsAreErrors(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                          "not a regular file",
		filepath.Join(dir, "absent"): "file does not exist",
	} {
		if _, err := Read(path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}
