package web

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

func TestEveryPageOfTheManualIsInItsContents(t *testing.T) {
	found, err := fs.Glob(files, "manual/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, group := range contents {
		named = append(named, group.pages...)
	}
	for _, file := range found {
		if name := strings.TrimSuffix(strings.TrimPrefix(file, "manual/"), ".md"); !slices.Contains(named, name) {
			t.Errorf("%s is not in the contents", file)
		}
	}
}

// Every image of the manual is served, is small, and says in words what it shows.
func TestImagesOfTheManual(t *testing.T) {
	page, err := io.ReadAll(get(t, "/manual/pages").Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`<img src="(/manual/[^"]+)" alt="([^"]*)"`).FindAllStringSubmatch(string(page), -1)
	if len(found) < 5 {
		t.Fatalf("the page has the images %v", found)
	}
	for _, one := range found {
		answer := get(t, one[1])
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "image/png" || one[2] == "" ||
			len(body) > 120_000 {
			t.Errorf("%s: %d, %d bytes, %v", one[1], answer.StatusCode, len(body), err)
		}
	}
}

// get asks an application that serves the manual.
func get(t *testing.T, target string) *http.Response {
	t.Helper()
	face, err := New()
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New()
	face.Mount(app)
	request := httptest.NewRequest("GET", target, nil)
	request.Header.Set("Accept", "text/html,*/*;q=0.8")
	answer, err := app.Test(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestThePagesAreServed(t *testing.T) {
	for _, target := range []string{"/manual", "/manual/"} {
		if answer := get(t, target); answer.StatusCode != 302 || answer.Header.Get("Location") != "/manual/guide" {
			t.Errorf("%s: %d %s", target, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
	pages, err := Manual()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		answer := get(t, "/manual/"+p.Name)
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 || !strings.Contains(string(body), "<h1 id=") {
			t.Errorf("%s: %d, %v", p.Name, answer.StatusCode, err)
		}
	}
}

var target = regexp.MustCompile(`(?:href|src)="([^"]*)"`)

func TestThePagesReferToNothingOutsideTheServer(t *testing.T) {
	pages, err := Manual()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		for _, found := range target.FindAllStringSubmatch(string(p.Body), -1) {
			if link := found[1]; strings.HasPrefix(link, "/manual/") {
				if answer := get(t, link); answer.StatusCode != 200 {
					t.Errorf("%s links to %s: %d", p.Name, link, answer.StatusCode)
				}
			} else if !strings.HasPrefix(link, "#") {
				t.Errorf("%s refers to %s", p.Name, link)
			}
		}
	}
}
