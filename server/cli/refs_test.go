package cli

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/api"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
)

// Whoever asks what a ref may be gets one answer, wherever the question is put.
func TestTheFormsOfARefAreSaidInTheSameWordsEverywhere(t *testing.T) {
	said := map[string]string{"the OpenAPI document": openAPI(t)}
	for _, page := range []string{"api", "sql"} {
		text, err := os.ReadFile("../web/manual/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		said[page+".md"] = string(text)
	}
	for _, command := range []string{"export", "digest", "compare", "fork create", "tag create", "version create", "show", "diff", "restore", "dataset-version increment-version"} {
		var out bytes.Buffer
		run(append(strings.Fields(command), "--help"), console{out: &out, err: &out})
		said[command+" --help"] = out.String()
	}
	for where, text := range said {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), storage.Refs) || strings.Contains(text, "${refs}") {
			t.Errorf("%s does not say what a ref is: %s", where, storage.Refs)
		}
	}
}

func openAPI(t *testing.T) string {
	t.Helper()
	store, err := storage.Open(context.Background(), t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h := host.New(host.Options{})
	face, err := api.New(store, h, api.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.App(face).Test(httptest.NewRequest("GET", "/openapi.json", nil), -1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
