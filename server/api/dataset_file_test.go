package api

import "testing"

// A file becomes a dataset with its records, or nothing does; a dry run says what it would be.
func TestADatasetIsMadeOfAFile(t *testing.T) {
	const path = "/api/v1/files?format=csv&name=from+a+file&key=id&quality_column=score"
	const file = "id,score\n1,0.5\n2,0.7\n"
	tried := must(t, 200, "POST", path+"&dry_run=true", file)
	if tried.body["records_added"] != 2.0 || tried.body["id"] != nil || len(tried.body["schema_changes"].([]any)) != 2 {
		t.Errorf("the dry run: %s", tried.text)
	}
	if got := ask(t, "POST", path, "id,score\n1,0.5\n1,0.7\n"); got.status != 422 || got.body["code"] != "key_duplicate" {
		t.Errorf("a key twice: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", "/api/v1/datasets/from%20a%20file", ""); got.status != 404 {
		t.Errorf("a refused file left a dataset: %s", got.text)
	}
	key := []string{"Idempotency-Key", "a dataset of a file"}
	made := must(t, 201, "POST", path+"&message=First", file, key...)
	if made.body["records_total"] != 2.0 || made.body["quality_column"] != "score" {
		t.Errorf("made: %s", made.text)
	}
	if again := must(t, 201, "POST", path+"&message=First", file, key...); again.text != made.text {
		t.Errorf("%s, then %s", made.text, again.text)
	}
	log := must(t, 200, "GET", "/api/v1/datasets/from%20a%20file/commits", "")
	if commits := log.body["commits"].([]any); len(commits) != 1 || commits[0].(map[string]any)["message"] != "First" {
		t.Errorf("the log: %s", log.text)
	}
	for query, field := range map[string]string{"format=csv": "name", "name=x": "format", "name=x&format=pdf": "format",
		"name=x&format=csv&project_id=0": "project_id", "name=x&format=csv&project_id=-1": "project_id"} {
		if got := ask(t, "POST", "/api/v1/files?"+query, file); got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}
