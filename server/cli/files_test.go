package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage"
)

func TestAFileAppearsOnceItIsComplete(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.ndjson")
	s, _, failed, code := rowback(t, "export --dataset employees --limit 2 --columns id --output "+path,
		map[string][]string{"GET " + d: {`200 {"key":["id"]}`}, "GET " + d + "/data": {"200 {\"id\":1}\n"}})
	if text, err := os.ReadFile(path); code != 0 || err != nil || string(text) != "{\"id\":1}\n" ||
		s.asked[1] != "GET "+d+"/data?columns=id&format=ndjson&limit=2&order_by=%22id%22&project_id=1&ref=head" {
		t.Errorf("%d, %s: %q, %v; asked %q", code, failed, text, err, s.asked)
	}
	path = filepath.Join(dir, "none.csv")
	_, _, _, code = rowback(t, "export --dataset employees --output "+path,
		map[string][]string{"GET " + d: {`200 {"key":["id"]}`}, "GET " + d + "/data": {`422 {"detail":"No."}`}})
	left, err := filepath.Glob(filepath.Join(dir, "none*"))
	if code != 6 || err != nil || len(left) > 0 {
		t.Errorf("%d; %v is left, %v", code, left, err)
	}
}

func TestAnImportSendsEachFileAsItIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.csv.gz")
	if err := os.WriteFile(file, []byte("packed"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, out, failed, code := rowback(t, "import --dataset employees --create --key id --strict --message m "+file,
		map[string][]string{
			"POST /api/v1/datasets":  {fmt.Sprintf(`409 {"code":%q,"detail":"Taken."}`, storage.ErrNameTaken.Code)},
			"GET " + d:               {`200 {"key":["ID"]}`},
			"POST " + d + "/commits": {`201 {"id":1,"mode":"append","records_added":1,"records_total":1}`},
		})
	if code != 0 || out != file+": commit 1: append +1 -0 ~0, 1 record\n" || len(s.asked) != 3 ||
		s.asked[2] != "POST "+d+"/commits?message=m&mode=append&project_id=1&schema=strict&source=a.csv.gz packed" {
		t.Errorf("%d, %q, %s; asked %q", code, out, failed, s.asked)
	}
	// The server recognises the compression by the content, whatever the file is called.
	if s.header.Get("Content-Type") != "text/csv" || s.header.Get("Content-Encoding") != "" {
		t.Error(s.header)
	}
}
