package report

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// example is a report with names that would change a page if they were not escaped.
func example() *Report {
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	r := &Report{From: start, To: start.Add(48 * time.Hour), Made: start, Hosts: `web01,"><b>`, Lines: 1_234_567, Bytes: 9_876_543_210, Failed: 1234, Notes: []string{"<i>note</i>"}}
	for i := range 48 {
		n := int64(1000 + 100*(i%24))
		r.Spans = append(r.Spans, Span{Start: start.Add(time.Duration(i) * time.Hour), ByClass: [6]int64{1, 0, n, n / 4, n / 8, n / 50}, Bytes: n * 1000})
	}
	r.Tables = []Table{{Title: "Most frequent paths", Columns: []string{"Path", "Requests"}, Rows: []Row{{`/<script>document.title='harm'</script>`, []string{"7"}}, {"/\u202egpj.exe\x1b[2J", []string{"5"}}, {strings.Repeat("/long", 1000), []string{"1"}}}}}
	return r
}

// TestReportIsOneFileThatLoadsNothing checks also that text from clients is escaped.
func TestReportIsOneFileThatLoadsNothing(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, example()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"default-src &#39;none&#39;; style-src &#39;sha256-", "/&lt;script&gt;document", "<b>", "1\u202f234\u202f567", "9.9 GB", "0.1 %", "&lt;i&gt;note", "/\ufffdgpj.exe\ufffd[2J", `<rect class="c5"`, "<title>2026-11-28 00:00:00: 1\u202f000 2xx</title>"} {
		if strings.Contains(page, want) != (want != "<b>") {
			t.Errorf("%q: %v", want, want == "<b>")
		}
	}
	for _, not := range []string{"<script", "src=", "href=", "url(", "@import", "\u202e", "\x1b"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	if len(page) > 60_000 {
		t.Errorf("%d bytes", len(page))
	}
	b.Reset()
	if err := Write(&b, &Report{Bytes: -1, Failed: -1}); err != nil || !strings.Contains(b.String(), "<dd>–</dd>") {
		t.Errorf("empty: %v", err)
	}
}

// TestReportInABrowser checks that chromium applies the style, whose hash is in the policy, and
// runs no script.
func TestReportInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it needs a browser")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing (apt-get install chromium)")
		}
		t.Skip("left out: chromium is missing")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	var b bytes.Buffer
	if err := Write(&b, example()); err != nil {
		t.Fatal(err)
	}
	show := func(name, page string) (dom, said string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		args := []string{"--headless", "--disable-gpu", "--user-data-dir=" + filepath.Join(dir, name), "--enable-logging=stderr", "--window-size=1000,1200", "--dump-dom", "file://" + path}
		if os.Geteuid() == 0 { // chromium's sandbox does not work for root
			args = append(args, "--no-sandbox")
		}
		c := exec.CommandContext(ctx, program, args...)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		return out.String(), errs.String()
	}
	const refused = "Content Security Policy"
	dom, said := show("well", b.String())
	if strings.Contains(said, refused) {
		t.Errorf("the policy forbids what the page has:\n%s", said)
	}
	if !strings.Contains(dom, "<title>Requests from 2026-11-28 00:00 – sluice</title>") || strings.Count(dom, "<rect") != 48*5+5 || !strings.Contains(dom, "/&lt;script&gt;document.title") {
		t.Errorf("%.2000s", dom)
	}
	// The policy must also block a script that was injected into the page.
	dom, said = show("harmed", strings.Replace(b.String(), "<h1>", `<script>document.title="harm"</script><h1>`, 1))
	if strings.Contains(dom, "<title>harm</title>") || !strings.Contains(said, refused) {
		t.Errorf("the policy lets a script run:\n%s", said)
	}
}
