package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// An admin acknowledges what is wrong with the audit log, as it is reported: then it is sound again, and the log says
// who said so.
func TestALossOfTheAuditLogIsAcknowledged(t *testing.T) {
	w := newAccessWorld(t)
	files, err := w.audited.Files()
	if err != nil || len(files) != 1 || filepath.Ext(files[0]) != ".ndjson" {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if err := os.WriteFile(files[0], bytes.Join(append(lines[:2:2], lines[3:]...), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	checked := func() map[string]any { return w.root(t, 200, "GET", "/api/v1/audit/check", "") }
	found := checked()
	if problems := found["problems"].([]any); len(problems) != 1 {
		t.Fatalf("%v", problems)
	}
	const at = "/api/v1/audit/acknowledgements"
	w.root(t, 409, "POST", at, `{"problems_sha256":"0","note":"the disk"}`)
	w.root(t, 422, "POST", at, `{"problems_sha256":"0","note":" "}`)
	body := fmt.Sprintf(`{"problems_sha256":%q,"note":"the disk"}`, found["problems_sha256"])
	w.root(t, 204, "POST", at, body)
	now := checked()
	known, _ := now["acknowledged"].([]any)
	if len(now["problems"].([]any)) != 0 || len(known) != 1 {
		t.Fatalf("%v", now)
	}
	if by := known[0].(map[string]any); by["user"] != "root" || by["note"] != "the disk" {
		t.Errorf("%v", by)
	}
	w.root(t, 409, "POST", at, body) // there is nothing any more
}
