package api

import (
	"fmt"
	"testing"
)

// The format is that of the URL, whatever the Content-Type says: generated clients send one type for all.
func TestAFileIsCommittedInTheFormatThatTheURLNames(t *testing.T) {
	path := dataset(t, "files") + "/files"
	id := 10 // past those of the dataset
	for format, body := range map[string]string{"csv": "id\n%d\n", "ndjson": `{"id":%d}`, "json": `[{"id":%d}]`} {
		for _, media := range []string{"application/octet-stream", "application/json", "text/plain"} {
			id++
			made := must(t, 201, "POST", path+"?mode=append&format="+format, fmt.Sprintf(body, id), "Content-Type", media)
			if made.body["records_added"] != 1.0 {
				t.Errorf("%s as %s: %s", format, media, made.text)
			}
		}
	}
	for query, field := range map[string]string{"mode=append": "format", "mode=append&format=xml": "format", "format=csv": "mode"} {
		if got := ask(t, "POST", path+"?"+query, "id\n90\n"); got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
	key := []string{"Idempotency-Key", "a file"}
	first := must(t, 201, "POST", path+"?mode=append&format=csv", "id\n97\n", key...)
	again := must(t, 201, "POST", path+"?mode=append&format=csv", "id\n97\n", key...)
	if first.text != again.text {
		t.Errorf("%s, then %s", first.text, again.text)
	}
	if got := ask(t, "POST", path+"?mode=append&format=csv", "id\n98\n", key...); got.status != 422 {
		t.Errorf("another body with the same key: %d %s", got.status, got.text)
	}
}
