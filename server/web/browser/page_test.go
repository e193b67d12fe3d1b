package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long something may take to appear. Nothing is measured by it: it only ends a test that fails.
const patience = time.Minute

// locate finds things on the screen by their role and name.
//
//go:embed locate.js
var locate string

// tab is one tab of the browser, with cookies of its own.
type tab struct {
	t      *testing.T
	ctx    context.Context
	server *server

	mu      sync.Mutex
	wrong   []string // errors in the console, and requests elsewhere
	allowed []string // what of them a test expects
}

// visit opens a page in a new tab. At the end of the test, nothing may have gone wrong in it.
func visit(t *testing.T, s *server, path string) *tab {
	t.Helper()
	b := &tab{t: t, server: s}
	ctx, cancel := chromedp.NewContext(browserFor(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.heard))
	b.ctx = ctx
	// The tab lives as long as the context of its first command.
	if err := chromedp.Do(ctx, chromedp.Func(listenIn)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			b.shot(filepath.Join(os.TempDir(), strings.ReplaceAll(t.Name(), "/", "-")+".png"))
		}
		b.fine()
		cancel()
	})
	b.goTo(path)
	return b
}

// listenIn has a tab report what happens in it, and helps it to find things.
func listenIn(ctx context.Context, to *chromedp.Target) error {
	_, err := cdp.Call(ctx, to, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: locate})
	for _, enable := range []cdp.Command[cdp.Empty, cdp.Empty]{log.Enable, runtime.Enable} {
		if err == nil {
			_, err = cdp.Call(ctx, to, enable, cdp.Empty{})
		}
	}
	if err == nil {
		_, err = cdp.Call(ctx, to, network.Enable, network.EnableParams{})
	}
	return err
}

// heard notes what must not happen.
func (b *tab) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			for _, arg := range e.Args {
				b.wrong = append(b.wrong, fmt.Sprintf("console: %s %s", arg.Value, arg.Description))
			}
		}
	case *log.EventEntryAdded:
		// An API's answer 4xx is in the log too. Those are shown to the reader, and not errors of the page.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			b.wrong = append(b.wrong, "log: "+e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		// Chromium's own icons, as that of a date field, are data: URLs.
		url := e.Request.URL
		inside := []string{b.server.url, "blob:", "about:", "data:"}
		if !slices.ContainsFunc(inside, func(prefix string) bool { return strings.HasPrefix(url, prefix) }) {
			b.wrong = append(b.wrong, "a request elsewhere: "+url)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 500 {
			b.wrong = append(b.wrong, fmt.Sprintf("%s: %d", e.Response.URL, e.Response.Status))
		}
	}
}

// allow has the test accept errors that have a text in them.
func (b *tab) allow(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, text)
}

// fine fails the test if something went wrong that was not allowed.
func (b *tab) fine() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.wrong {
		expected := false
		for _, a := range b.allowed {
			expected = expected || strings.Contains(text, a)
		}
		if !expected {
			b.t.Error(text)
		}
	}
	b.wrong = nil
}

// run runs actions of chromedp, or fails the test.
func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// goTo follows an address, as if it were typed.
func (b *tab) goTo(path string) { b.t.Helper(); b.run(chromedp.Navigate(b.server.url + path)) }

// back goes back by one page.
func (b *tab) back() { b.t.Helper(); b.run(chromedp.NavigateBack()) }

// reload reads the page anew.
func (b *tab) reload() { b.t.Helper(); b.run(chromedp.Reload()) }

// size sets the size of the window.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height))
}

// dark has the system prefer dark colours, or light ones.
func (b *tab) dark(on bool) {
	b.t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
	if err != nil {
		b.t.Fatal(err)
	}
}

// eval evaluates an expression in the page; a promise is awaited. out may be nil.
func (b *tab) eval(js string, out any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](
		"Promise.resolve("+js+").then((v) => JSON.stringify(v) ?? 'null')", chromedp.EvalAwaitPromise))
	if err == nil && out != nil {
		err = json.Unmarshal([]byte(text), out)
	}
	if err != nil {
		b.t.Fatalf("%.300s: %v", js, err)
	}
}

// call calls a function of locate.js.
func (b *tab) call(name string, out any, args ...any) {
	b.t.Helper()
	list := make([]string, len(args))
	for i, a := range args {
		text, err := json.Marshal(a)
		if err != nil {
			b.t.Fatal(err)
		}
		list[i] = string(text)
	}
	b.eval(fmt.Sprintf("window.__test ? __test.%s(%s) : null", name, strings.Join(list, ",")), out)
}

// until waits until a condition holds.
func (b *tab) until(what string, holds func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			var text string
			b.eval("document.body.innerText", &text)
			b.t.Fatalf("%s; on the page at %s: %.3000s", what, b.url(), text)
		}
	}
}

// see waits until a text is on the screen.
func (b *tab) see(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q does not appear", text), func() bool { return b.sees(text) })
}

// sees reports whether a text is on the screen now. Spaces count as one.
func (b *tab) sees(text string) bool {
	b.t.Helper()
	var found bool
	b.call("sees", &found, text)
	return found
}

// gone waits until a text is not on the screen.
func (b *tab) gone(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q does not go", text), func() bool { return !b.sees(text) })
}

// spot is where something is on the screen.
type spot struct {
	X, Y float64
	Why  string // empty: it can be clicked
}

// has reports whether something with a role and a name is on the screen now.
func (b *tab) has(role, name string) bool {
	b.t.Helper()
	var found bool
	b.call("has", &found, role, name)
	return found
}

// click waits until something can be clicked, and clicks it with the mouse. Roles are button, link, checkbox, tab, cell,
// row, option, summary, field and any. The name is that by which assistive technology knows it, or its beginning.
func (b *tab) click(role, name string) {
	b.t.Helper()
	var at *spot
	b.until(fmt.Sprintf("the %s %q can't be clicked", role, name), func() bool {
		before := at
		at = nil
		b.call("spot", &at, role, name)
		// A person waits until it stands still: a dialog that is just opening would be missed.
		return at != nil && at.Why == "" && before != nil && before.X == at.X && before.Y == at.Y
	})
	b.run(chromedp.MouseClickXY(at.X, at.Y))
}

// fill types a text into the field with a label, in place of what is there. A page that has just appeared takes the
// focus: what was typed before that is lost, and typed again.
func (b *tab) fill(label, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("what is typed into %q is lost", label), func() bool {
		b.focus(label)
		b.eval("document.activeElement.select?.()", nil)
		b.run(chromedp.KeyEvent(kb.Delete))
		if text != "" {
			b.run(chromedp.KeyEvent(text))
		}
		var there bool
		b.call("holds", &there, label, text)
		return there
	})
}

// focus waits for the field with a label, and puts the focus on it.
func (b *tab) focus(label string) {
	b.t.Helper()
	b.until(fmt.Sprintf("there is no field %q", label), func() bool {
		var found bool
		b.call("focus", &found, label)
		return found
	})
}

// choose chooses an option of the select with a label, by the option's text or value.
func (b *tab) choose(label, option string) {
	b.t.Helper()
	b.until(fmt.Sprintf("there is no option %q of %q", option, label), func() bool {
		var found bool
		b.call("choose", &found, label, option)
		return found
	})
}

// press presses a key, such as kb.Enter, or types a text where the focus is.
func (b *tab) press(keys string) { b.t.Helper(); b.run(chromedp.KeyEvent(keys)) }

// tabTo presses Tab until what has a role and a name has the focus, which must be seen wherever it is on the way.
func (b *tab) tabTo(role, name string) {
	b.t.Helper()
	b.until(fmt.Sprintf("there is no %s %q", role, name), func() bool { return b.has(role, name) })
	for range 200 {
		b.press(kb.Tab)
		var focus struct {
			Is, Shown bool
			Name      string
		}
		b.call("focused", &focus, role, name)
		if !focus.Shown {
			b.t.Errorf("the focus on %q can't be seen", focus.Name)
		}
		if focus.Is {
			return
		}
	}
	b.t.Fatalf("the %s %q does not get the focus by Tab", role, name)
}

// escape closes the dialog that is open, with the keyboard.
func (b *tab) escape() {
	b.t.Helper()
	b.press(kb.Escape)
	b.until("the dialog stays", func() bool {
		var open bool
		b.eval("document.querySelector('dialog[open]') !== null", &open)
		return !open
	})
}

// drop drops a file on what a selector finds.
func (b *tab) drop(selector, name, media, content string) {
	b.t.Helper()
	b.until("there is nothing to drop a file on at "+selector, func() bool {
		var found bool
		b.call("drop", &found, selector, name, media, content)
		return found
	})
}

// url returns the address without the server's.
func (b *tab) url() string {
	b.t.Helper()
	var url string
	b.eval("location.pathname + location.search", &url)
	return url
}

// at waits until the address has a text in it.
func (b *tab) at(text string) {
	b.t.Helper()
	b.until("the address has no "+text, func() bool { return strings.Contains(b.url(), text) })
}

// text returns the visible text of what a selector finds first.
func (b *tab) text(selector string) string {
	b.t.Helper()
	var text string
	b.eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector), &text)
	return text
}

// logIn logs in with a token, on the page that asks for one, and waits until that is done.
func (b *tab) logIn(token string) {
	b.t.Helper()
	b.see("Log in")
	b.fill("Token", token)
	b.press(kb.Enter)
	b.until("the login page stays", func() bool { return !strings.HasPrefix(b.url(), "/login") })
}

// shot takes a picture of the whole page.
func (b *tab) shot(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Logf("no picture: %v", err)
		return
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		b.t.Error(err)
	}
	b.t.Logf("the page is in %s", path)
}

// accessible checks the page as it is now with axe-core, in light and dark: there must be no serious or critical
// finding. It also must not be wider than the window.
func (b *tab) accessible() {
	b.t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "app", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		if os.Getenv("CHROMIUM") != "" {
			b.t.Errorf("accessibility can't be checked without npm ci in server/web/app: %v", err)
		}
		return
	}
	b.eval("(window.axe || (() => {"+string(script)+"})(), true)", nil)
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		var found []string
		b.call("axe", &found)
		for _, f := range found {
			b.t.Errorf("%s (dark: %v): %s", b.url(), dark, f)
		}
	}
	b.dark(false)
	b.narrowEnough()
}

// narrowEnough fails the test if the page is wider than the window.
func (b *tab) narrowEnough() {
	b.t.Helper()
	var over int
	b.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth", &over)
	if over > 0 {
		b.t.Errorf("%s is wider than the window by %d pixels", b.url(), over)
	}
}
