// Package web is what the server shows in a browser: the pages, which are an application in app/, and the manual, at
// /manual/. Everything is embedded in the program and refers to nothing outside it.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

//go:embed manual/*.md manual/*.png page.html manual.css header.css docs.css app/src/styles/tokens.css
var files embed.FS

// Group is some of the manual's pages under a heading.
type Group struct {
	Title string
	Pages []*Page
}

// contents is the order of the manual's pages, in groups.
var contents = []struct {
	title string
	pages []string
}{
	{"Using it", []string{"guide", "pages", "terminal", "merging", "gates"}},
	{"Reading and programs", []string{
		"sql", "lineage", "notebooks", "python", "flight", "iceberg", "api", "webhooks", "digests", "readers", "crunch", "quartzbio",
	}},
	{"Keeping and removing", []string{"vacuum", "erase"}},
	{"For others to use", []string{"access", "audit", "security"}},
	{"Running a server", []string{"operating", "backups", "upgrading", "observability", "limits", "cluster", "scale"}},
	{"About it", []string{"promises", "peers"}},
}

// policy lets the manual's pages load their style sheets, the script that chooses the colours, images, and nothing
// else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'"

// Page is one page of the manual, rendered.
type Page struct {
	Name  string // as in /manual/<name>
	Title string
	Body  template.HTML
	Nav   []Group // all of the manual, in order
}

// Face serves the pages and the manual.
type Face struct {
	files map[string]file // by path: the manual and the application's files
	page  []byte          // the application's one HTML file
}

// file is one answer, as it is sent.
type file struct {
	media, policy, cached string // cached: how long browsers may keep it
	body                  []byte
}

// New renders the manual, and reads the application.
func New() (*Face, error) {
	pages, err := Manual()
	if err != nil {
		return nil, err
	}
	layout, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, err
	}
	f := &Face{files: map[string]file{}}
	for _, p := range pages {
		var html bytes.Buffer
		if err := layout.Execute(&html, p); err != nil {
			return nil, fmt.Errorf("the manual's page %s: %w", p.Name, err)
		}
		f.files["/manual/"+p.Name] = manualFile("text/html; charset=utf-8", html.Bytes())
	}
	for at, name := range map[string]string{
		"/manual/manual.css": "manual.css",
		"/manual/header.css": "header.css",
		"/manual/docs.css":   "docs.css",                  // of the API's reference
		"/manual/tokens.css": "app/src/styles/tokens.css", // the manual looks as the pages do
	} {
		style, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f.files[at] = manualFile("text/css; charset=utf-8", style)
	}
	if err := f.readImages(); err != nil {
		return nil, err
	}
	return f, f.readApp()
}

// readImages reads the manual's screenshots.
func (f *Face) readImages() error {
	images, err := fs.Glob(files, "manual/*.png")
	if err != nil {
		return err
	}
	for _, name := range images {
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		f.files["/"+name] = manualFile("image/png", body)
	}
	return nil
}

// manualFile is a file of the manual, which browsers ask for anew each time: it changes with the program.
func manualFile(media string, body []byte) file {
	return file{media: media, policy: policy, cached: "no-cache", body: body}
}

// Mount adds the pages, and the manual at /manual/ with one path a page.
func (f *Face) Mount(app *fiber.App) {
	for at, content := range f.files {
		serve(app, at, content)
	}
	app.Get("/manual", func(c *fiber.Ctx) error { return c.Redirect("/manual/"+contents[0].pages[0], http.StatusFound) })
	f.mountApp(app)
}

// Manual renders the pages, in the order of their contents.
func Manual() ([]*Page, error) {
	var pages []*Page
	groups := make([]Group, len(contents))
	for i, group := range contents {
		groups[i].Title = group.title
		for _, name := range group.pages {
			text, err := fs.ReadFile(files, path.Join("manual", name+".md"))
			if err != nil {
				return nil, err
			}
			page, err := render(name, text)
			if err != nil {
				return nil, err
			}
			page.Nav = groups
			groups[i].Pages = append(groups[i].Pages, page)
			pages = append(pages, page)
		}
	}
	return pages, nil
}

// markdown has tables, and ids for headings to link to. It leaves out HTML that a page contains.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// pageLink finds links from one page to another, which end in .md in the repository.
var pageLink = regexp.MustCompile(`href="([a-z]+)\.md(#[^"]*)?"`)

// imageLink finds the images, which are beside the pages in the repository.
var imageLink = regexp.MustCompile(`src="([a-z]+\.png)"`)

func render(name string, text []byte) (*Page, error) {
	first, _, _ := strings.Cut(string(text), "\n")
	title, ok := strings.CutPrefix(first, "# ")
	if !ok {
		return nil, fmt.Errorf("the manual's page %s does not start with its title", name)
	}
	var html bytes.Buffer
	if err := markdown.Convert(text, &html); err != nil {
		return nil, fmt.Errorf("the manual's page %s: %w", name, err)
	}
	body := pageLink.ReplaceAllString(html.String(), `href="/manual/$1$2"`)
	body = imageLink.ReplaceAllString(body, `src="/manual/$1"`)
	return &Page{Name: name, Title: title, Body: template.HTML(body)}, nil // #nosec G203 -- our own text
}
