package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"path"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// dist is the application as it was built from app/. It is committed, so that building the server needs no Node.
//
//go:embed all:dist
var dist embed.FS

// appPolicy lets the application load its own scripts, styles and images, ask this server, and nothing else.
const appPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pagePaths are the addresses of the application's pages, which choose by the address what they show.
var pagePaths = []string{"/", "/datasets", "/datasets/*", "/new", "/login", "/tour", "/sql", "/admin", "/admin/*"}

// hashed is where files are whose names change with their content.
const hashed = "assets/"

// readApp reads the application's files.
func (f *Face) readApp() error {
	return fs.WalkDir(dist, "dist", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := dist.ReadFile(at)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(at, "dist/")
		if name == "index.html" {
			f.page = body
			return nil
		}
		cached := "no-cache"
		if strings.HasPrefix(name, hashed) {
			cached = "public, max-age=31536000, immutable"
		}
		f.files["/"+name] = file{mediaOf(name), policy, cached, body}
		return nil
	})
}

// mountApp answers the addresses of pages to browsers. Programs are told that there is nothing.
func (f *Face) mountApp(app *fiber.App) {
	send := sender(file{"text/html; charset=utf-8", appPolicy, "no-cache", f.page})
	page := func(c *fiber.Ctx) error {
		if !strings.Contains(c.Get("Accept"), "text/html") {
			return c.Next()
		}
		c.Vary("Accept")
		return send(c)
	}
	for _, at := range pagePaths {
		app.Get(at, page)
		app.Head(at, page)
	}
	app.Use(func(c *fiber.Ctx) error {
		err := c.Next()
		var missing *fiber.Error
		if !errors.As(err, &missing) || missing.Code != fiber.StatusNotFound || !isReading(c) {
			return err
		}
		c.Vary("Accept")
		c.Status(fiber.StatusNotFound)
		return send(c)
	})
}

// isReading reports whether a request is that of a person who follows an address: what is not there is told by the
// application, with ways back. Below /api, people want to see what programs would.
func isReading(c *fiber.Ctx) bool {
	isRead := c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead
	return isRead && strings.Contains(c.Get("Accept"), "text/html") && !strings.HasPrefix(c.Path(), "/api/")
}

// Owns reports whether a route's path is one of a page or file that this package serves: anyone may read these, as they
// say nothing of the data.
func Owns(route string) bool {
	return IsFile(route) || slices.Contains(pagePaths, route) || route == "/manual"
}

// IsFile reports whether a route's path is one of a file, of the application or of the manual.
func IsFile(route string) bool {
	_, err := fs.Stat(dist, "dist"+route)
	return err == nil && route != "/" || strings.HasPrefix(route, "/manual/")
}

// MayBeLinked reports whether a path is one of a page that other sites may link to. The page for SQL runs what its
// address says, so it is not.
func MayBeLinked(path string) bool {
	for _, at := range pagePaths {
		folder, hasMore := strings.CutSuffix(at, "*")
		if at != "/sql" && (path == at || hasMore && strings.HasPrefix(path, folder)) {
			return true
		}
	}
	return path == "/manual" || strings.HasPrefix(path, "/manual/")
}

// serve adds one file.
func serve(app *fiber.App, at string, content file) {
	handler := sender(content)
	app.Get(at, handler)
	app.Head(at, handler)
}

// sender returns the handler that sends a file.
func sender(content file) fiber.Handler {
	sum := sha256.Sum256(content.body)
	// Weak: the bytes that are sent depend on the coding that the browser accepts.
	tag := `W/"` + hex.EncodeToString(sum[:12]) + `"`
	return func(c *fiber.Ctx) error {
		c.Set("Content-Type", content.media)
		c.Set("Content-Security-Policy", content.policy)
		c.Set("Cache-Control", content.cached)
		c.Set("ETag", tag)
		if c.Response().StatusCode() == fiber.StatusOK && strings.Contains(c.Get("If-None-Match"), tag) {
			return c.SendStatus(fiber.StatusNotModified)
		}
		return c.Send(content.body)
	}
}

// mediaOf returns the media type of a file, by its name. It does not depend on the machine's own list.
func mediaOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}
