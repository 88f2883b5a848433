package dashboard

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sluice/monitor"
)

var screenshots = flag.String("screenshots", "", "directory for pictures of the pages, as a browser shows them")

// browser is a tab of a real browser, and the problems that it reported.
type browser struct {
	ctx context.Context
	own string // URL of the only server to which requests are permitted

	mu       sync.Mutex
	problems []string
}

// open starts chromium. If it is missing, the test is skipped, or fails if CI=true.
func open(t *testing.T, own string) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs a browser")
	}
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing (apt-get install chromium)")
		}
		t.Skip("chromium is missing: the pages are not tested in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program))
	if os.Geteuid() == 0 { // chromium's sandbox does not work for root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b := &browser{own: own}
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	b.ctx = ctx
	b.do(t, call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}))
	// The limit is for the following calls only: one on the first call would end the browser.
	b.ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	return b
}

// hear records requests to other servers and everything that the browser's console would show as an
// error or warning.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	note := func(s string) { b.problems = append(b.problems, s) }
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.own+"/") {
			note("a request to " + e.Request.URL)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			note("console: " + e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		note("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		note("console." + string(e.Type))
	case *page.EventJavascriptDialogOpening:
		note("dialog: " + e.Message)
	}
}

// call returns an action that sends a command of the DevTools protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func (b *browser) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// value returns the value of an expression in the page as text.
func (b *browser) value(t *testing.T, expression string) string {
	t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// await waits until an expression is true.
func (b *browser) await(t *testing.T, expression string) {
	t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); b.value(t, expression) != "true"; {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("timed out waiting for %s", expression)
		}
	}
}

// quiet reports every problem that the browser recorded as an error.
func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		t.Error(p)
	}
}

func (b *browser) picture(t *testing.T, name string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// views are the screen sizes and color schemes in which the pages are tested.
var views = []struct {
	name          string
	width, height int64
	dark          bool
}{
	{"light", 1440, 900, false},
	{"dark", 1440, 900, true},
	{"telephone", 390, 844, false},
}

// set returns an action that sets the browser to views[i].
func set(i int) chromedp.Action[chromedp.Void] {
	v := views[i]
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	return chromedp.Steps(
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: v.height, DeviceScaleFactor: 1, Mobile: v.name == "telephone"}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
	)
}

func TestThePagesInABrowser(t *testing.T) {
	var fleet atomic.Pointer[monitor.Fleet]
	first := demo(100)
	fleet.Store(&first)
	days := 1
	if *screenshots != "" {
		days = 8
	}
	h := remember(t, &first, 100, days)
	handler, err := Handler(Config{Look: func() monitor.Fleet { return *fleet.Load() }, Thresholds: limits, History: h, Logs: demoLogs})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	b := open(t, server.URL)

	b.do(t, set(0), chromedp.Navigate(server.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#hosts")))
	for expression, want := range map[string]string{
		`document.querySelector("h1").innerText.replace(/\s+/g, " ")`:                                      "ERROR 3 with an error, of 100 hosts.",
		`document.querySelectorAll("#hosts tbody tr").length`:                                              "100",
		`document.querySelectorAll("#glance a").length`:                                                    "100",
		`document.querySelectorAll("img, script:not([src])").length`:                                       "0",
		`[...document.querySelectorAll("#hosts tbody tr th")].slice(0, 2).map(h => h.innerText).join(" ")`: "img01.example.net " + hostile, // the hosts with the oldest lines
		`document.querySelector("#hosts tbody tr .state").innerText`:                                       "ERROR",
		`document.querySelectorAll("#hosts .spark .t").length`:                                             "100",
		`document.documentElement.scrollWidth <= innerWidth`:                                               "true",
		`document.querySelector("#glance").getBoundingClientRect().bottom <= innerHeight`:                  "true", // a hundred hosts fit on one screen
	} {
		if got := b.value(t, expression); got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	b.views(t, "hosts")
	b.filter(t)
	b.oneHost(t)
	b.do(t, chromedp.Navigate(server.URL+"/sinks"), chromedp.WaitVisible(chromedp.CSS("#sinks table")))
	if got := b.value(t, `document.querySelector("#sinks tbody").innerText`); !strings.Contains(got, "connection refused") {
		t.Errorf("the sinks: %s", got)
	}
	b.views(t, "sinks")
	b.quiet(t)
	b.renewal(t, server, &fleet)
	b.withoutScript(t, handler)
}

// views takes screenshots in every view and checks that no page is wider than the screen.
func (b *browser) views(t *testing.T, page string) {
	t.Helper()
	for i, v := range views {
		b.do(t, set(i))
		if wide := b.value(t, `document.documentElement.scrollWidth > innerWidth`); wide != "false" {
			t.Errorf("%s: wider than the screen (%s)", page, v.name)
		}
		b.picture(t, page+"-"+v.name)
	}
	b.do(t, set(0))
}

func (b *browser) filter(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.SendKeys(chromedp.CSS("#filter"), "onerror"))
	if n := b.value(t, `document.querySelectorAll("#hosts tbody tr:not([hidden])").length`); n != "1" {
		t.Errorf("%s hosts are left by the filter", n)
	}
}

// oneHost follows the link of the one host that the filter left, and checks its page.
func (b *browser) oneHost(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.CSS("#hosts tbody tr:not([hidden]) th a")), chromedp.WaitVisible(chromedp.CSS("#chart-traffic")))
	for expression, want := range map[string]string{
		`document.querySelector("h1 bdi").innerText`:                                                                       hostile,
		`document.querySelectorAll("img, b:not(dd b), script:not([src])").length`:                                          "0",
		`[...document.querySelectorAll("svg title")].map(t => t.textContent).join("; ")`:                                   "State; Traffic; Lag; Lines that did not parse; Unread in the logs",
		`[...document.querySelectorAll("#chart-traffic svg path")].filter(p => /c[2-5]/.test(p.className.baseVal)).length`: "4",
		`document.querySelector("#logs tbody").innerText.includes("<b>shop</b>")`:                                          "true",
		`document.querySelector("#changes .state").innerText`:                                                              "ERROR",
	} {
		if got := b.value(t, expression); got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	b.views(t, "host")
	b.do(t, chromedp.Click(chromedp.CSS("#figures-traffic summary")), chromedp.WaitVisible(chromedp.CSS("#figures-traffic table")))
	for _, name := range []string{"1h", "8d", "400d"} {
		b.do(t, chromedp.Click(chromedp.CSS(`.spans a[href$="`+name+`"]`)), chromedp.WaitVisible(chromedp.CSS(`.spans a[href$="`+name+`"][aria-current]`)), chromedp.WaitVisible(chromedp.CSS("#chart-lag")))
		b.picture(t, "host-"+name)
	}
}

// renewal checks that the script shows new figures without a reload, and reports when the server
// does not answer.
func (b *browser) renewal(t *testing.T, server *httptest.Server, fleet *atomic.Pointer[monitor.Fleet]) {
	t.Helper()
	b.do(t, chromedp.Navigate(server.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#hosts")))
	fewer := demo(2)
	fewer.Sinks = nil
	fleet.Store(&fewer)
	const look = `document.dispatchEvent(new Event("visibilitychange"))`
	b.value(t, look)
	b.await(t, `document.querySelector("h1").innerText.includes("All 2 hosts are well.")`)
	b.quiet(t)
	server.Close()
	b.value(t, look)
	b.await(t, `document.getElementById("stale").hidden === false`)
	if got := b.value(t, `document.getElementById("stale").innerText`); !strings.Contains(got, "the server does not answer") {
		t.Errorf("without a server: %q", got)
	}
}

// withoutScript checks that the page without scripts shows the same hosts and reloads itself.
func (b *browser) withoutScript(t *testing.T, handler http.Handler) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	b.do(t, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}), chromedp.Navigate(server.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#hosts")))
	if n := b.value(t, `document.querySelectorAll("#hosts tbody tr").length`); n != "2" {
		t.Errorf("without script: %s hosts", n)
	}
	if b.value(t, `document.querySelector("noscript meta") !== null || document.querySelector("meta[http-equiv=refresh]") !== null`) != "true" {
		t.Error("without script the page is not loaded again")
	}
}
