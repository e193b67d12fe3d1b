package web

import (
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// built finds the files that the page loads.
var built = regexp.MustCompile(`(?:src|href)="(/[^"]+)"`)

func TestPagesAreServedToBrowsersOnly(t *testing.T) {
	for _, target := range []string{"/", "/datasets/x/history", "/sql", "/tour", "/admin/tokens", "/login"} {
		answer := get(t, target)
		policy := answer.Header.Get("Content-Security-Policy")
		if answer.StatusCode != 200 || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self';") {
			t.Errorf("%s: %d, %s", target, answer.StatusCode, policy)
		}
		if answer.Header.Get("Cache-Control") != "no-cache" || answer.Header.Get("ETag") == "" {
			t.Errorf("%s: %v", target, answer.Header)
		}
	}
	face, err := New()
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New()
	face.Mount(app)
	for _, accept := range []string{"", "*/*", "application/json"} {
		request := httptest.NewRequest("GET", "/datasets/x", nil)
		request.Header.Set("Accept", accept)
		if answer, err := app.Test(request); err != nil || answer.StatusCode != 404 {
			t.Errorf("a program that accepts %q gets %v, %v", accept, answer, err)
		}
	}
}

// An address without a page shows one to people, with ways back; programs are told in JSON, below /api people too.
func TestAnUnknownAddressShowsAPage(t *testing.T) {
	face, err := New()
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New()
	face.Mount(app)
	app.Use(func(*fiber.Ctx) error { return fiber.NewError(404, "nothing") })
	for _, c := range []struct {
		method, path, accept string
		isPage               bool
	}{
		{"GET", "/nowhere", "text/html,*/*;q=0.8", true}, {"GET", "/manual/none", "text/html", true},
		{"GET", "/nowhere", "*/*", false}, {"GET", "/nowhere", "application/json", false},
		{"GET", "/api/v1/none", "text/html", false}, {"POST", "/nowhere", "text/html", false},
	} {
		request := httptest.NewRequest(c.method, c.path, nil)
		request.Header.Set("Accept", c.accept)
		answer, err := app.Test(request)
		if err != nil {
			t.Fatal(err)
		}
		isPage := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html")
		if answer.StatusCode != 404 || isPage != c.isPage {
			t.Errorf("%+v: %d, %s", c, answer.StatusCode, answer.Header.Get("Content-Type"))
		}
	}
}

// What changes its name with its content is kept by browsers for good; the rest is asked for anew, at the cost of a 304.
func TestFilesOfThePagesAreCached(t *testing.T) {
	page, err := io.ReadAll(get(t, "/").Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), "<style") || regexp.MustCompile(`<script(\s+type="[^"]*")?>`).Match(page) {
		t.Error("the policy forbids what is written in the page")
	}
	found := built.FindAllStringSubmatch(string(page), -1)
	if len(found) < 3 {
		t.Fatalf("the page loads %v", found)
	}
	for _, one := range found {
		answer := get(t, one[1])
		isHashed := strings.HasPrefix(one[1], "/assets/")
		if answer.StatusCode != 200 || strings.Contains(answer.Header.Get("Cache-Control"), "immutable") != isHashed {
			t.Errorf("%s: %d %v", one[1], answer.StatusCode, answer.Header)
		}
	}
	app := fiber.New()
	app.Get("/x", sender(file{media: "text/plain", body: []byte("x")}))
	first, err := app.Test(httptest.NewRequest("GET", "/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	again := httptest.NewRequest("GET", "/x", nil)
	again.Header.Set("If-None-Match", first.Header.Get("ETag"))
	if answer, err := app.Test(again); err != nil || answer.StatusCode != 304 {
		t.Errorf("what has not changed: %v, %v", answer, err)
	}
}

func TestPagesThatOtherSitesMayLinkTo(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/datasets/x/history": true, "/login": true, "/admin/users": true, "/manual/guide": true,
		"/sql": false, "/datasetsx": false, "/api/v1/me": false, "/docs/": false, "/metrics": false, "/sql/": false,
	} {
		if got := MayBeLinked(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
