// Package facetest runs the tests of a face over a store of its own, and asks the face without a connection.
package facetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// Main is a package's TestMain: it runs the tests once serve has put the face on top of an empty store. Uploads are
// read by processes of the test's own program. close ends what serve has started, before the store is closed.
func Main(m *testing.M, serve func(store *storage.Store) (close func(), err error)) {
	intake.ServeReader()
	os.Exit(run(m, serve))
}

// run returns the code to exit with: os.Exit would leave out what is deferred.
func run(m *testing.M, serve func(*storage.Store) (func(), error)) int {
	dir, err := os.MkdirTemp("", "rowback-face")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := storage.Open(context.Background(), dir, storage.Options{Threads: 1})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	done, err := serve(store)
	if err != nil {
		panic(err)
	}
	defer done()
	return m.Run()
}

// Answer is what a face says.
type Answer struct {
	Status int
	Header http.Header
	Text   string
	Body   map[string]any // where it is a JSON object
}

// Exchange sends a request; headers are names and values in turn.
func Exchange(app *fiber.App, method, target, body string, headers ...string) (a Answer, err error) {
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := app.Test(request, -1)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	a = Answer{Status: response.StatusCode, Header: response.Header, Text: string(text)}
	if bytes.HasPrefix(text, []byte("{")) && json.Unmarshal(text, &a.Body) != nil {
		a.Body = nil
	}
	return a, err
}
