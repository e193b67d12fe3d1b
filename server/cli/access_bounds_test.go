package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
)

// Whoever has got hold of a token for one project learns nothing of its user's others, and can't lock its user out.
func TestATokenForLessThanItsUsersRoles(t *testing.T) {
	w := newAccessWorld(t)
	w.root(t, 201, "POST", "/api/v1/projects", fmt.Sprintf(`{"id":%d,"name":"hidden"}`, other))
	great := w.user(t, "both", access.Roles{own: access.Maintainer, other: access.Maintainer})
	_, small, err := w.accounts.CreateToken(context.Background(),
		accounts.Token{User: "both", Role: access.Maintainer, Projects: []int64{own}})
	if err != nil {
		t.Fatal(err)
	}
	w.is(t, great, 201, "POST", "/api/v1/tokens", `{"projects":["hidden"]}`)
	for _, target := range []string{"/api/v1/users/both", "/api/v1/tokens", "/api/v1/projects"} {
		if got := w.is(t, small, 200, "GET", target, ""); strings.Contains(got.Text, "hidden") {
			t.Errorf("%s names a project that the token is not for: %s", target, got.Text)
		}
		if got := w.is(t, great, 200, "GET", target, ""); !strings.Contains(got.Text, "hidden") {
			t.Errorf("%s does not name it to the user's other token: %s", target, got.Text)
		}
	}
	there := w.is(t, small, 404, "POST", "/api/v1/tokens", `{"projects":["hidden"]}`).Body["detail"].(string)
	not := w.is(t, small, 404, "POST", "/api/v1/tokens", `{"projects":["nothing"]}`).Body["detail"].(string)
	if strings.ReplaceAll(there, "hidden", "nothing") != not {
		t.Errorf("a project that there is and one that there is not are told apart: %q, %q", there, not)
	}
	var itself string
	for _, one := range w.is(t, great, 200, "GET", "/api/v1/tokens", "").Body["tokens"].([]any) {
		token := one.(map[string]any)
		if id := token["id"].(string); fmt.Sprint(token["projects"]) == fmt.Sprintf("[%d]", own) {
			itself = id
		} else {
			w.is(t, small, 403, "DELETE", "/api/v1/tokens/"+id, "")
		}
	}
	w.is(t, great, 200, "GET", "/api/v1/datasets", "")
	w.is(t, small, 204, "DELETE", "/api/v1/tokens/"+itself, "")
	w.is(t, small, 401, "GET", "/api/v1/datasets", "")
}

// A fork, and what was merged, say where they are from to those alone who may know of that.
func TestAHiddenUpstreamIsNotNamed(t *testing.T) {
	w := newAccessWorld(t)
	w.root(t, 201, "POST", "/api/v1/datasets", fmt.Sprintf(`{"name":"hidden source","project_id":%d}`, own))
	source := w.root(t, 200, "GET", fmt.Sprintf("/api/v1/datasets/hidden%%20source?project_id=%d", own), "")["id"].(string)
	put := func(id int) {
		w.root(t, 201, "POST", "/api/v1/datasets/"+source+"/commits?mode=append", fmt.Sprintf(`[{"id":%d}]`, id))
	}
	put(1)
	fork := w.root(t, 201, "POST", "/api/v1/datasets/"+source+"/forks",
		fmt.Sprintf(`{"name":"the fork","project_id":%d}`, other))["id"].(string)
	put(2)
	w.root(t, 201, "POST", "/api/v1/datasets/"+fork+"/merges", fmt.Sprintf(`{"source":%q}`, source))
	blind := w.user(t, "blind", access.Roles{other: access.Reader})
	sees := w.user(t, "sees", access.Roles{own: access.Reader, other: access.Reader})
	of := "/api/v1/datasets/" + fork
	commits := w.is(t, blind, 200, "GET", of+"/commits", "").Body["commits"].([]any)
	merge := fmt.Sprint(commits[0].(map[string]any)["id"])
	sql := fmt.Sprintf(`/api/v1/query?project_id=%d&sql=`, other)
	for _, target := range []string{
		of + "/commits", of + "/commits/" + merge, of + "/merges", of + "/merges/" + merge, of + "/actions",
		of + "/actions/" + merge, of + "/savepoints", sql + "FROM+rowback.commits", sql + "FROM+rowback.actions",
		"/api/datasets/" + fork + "/actions/", "/api/datasets/" + fork + "/savepoints/",
	} {
		for token, named := range map[string]bool{blind: false, sees: true} {
			got := w.is(t, token, 200, "GET", target, "")
			if is := strings.Contains(got.Text, source) || strings.Contains(got.Text, "hidden source"); is != named {
				t.Errorf("%s names the source: %t, want %t: %s", target, is, named, got.Text)
			}
		}
	}
	for _, target := range []string{of + "/actions/since_forking", of + "/actions/upstream_delta"} {
		if got := w.is(t, blind, 404, "GET", target, ""); got.Body["code"] != "not_a_fork" {
			t.Errorf("%s: %s", target, got.Text)
		}
	}
}

// What keeps states of a dataset from being vacuumed is named to those alone who may know of it.
func TestAHiddenForkIsNotNamedByVacuum(t *testing.T) {
	w := newAccessWorld(t)
	d := w.root(t, 201, "POST", "/api/v1/datasets", fmt.Sprintf(`{"name":"kept","project_id":%d}`, own))["id"].(string)
	of := "/api/v1/datasets/" + d
	w.root(t, 201, "POST", of+"/commits?mode=append", `[{"id":1}]`)
	w.root(t, 201, "POST", of+"/forks", fmt.Sprintf(`{"name":"hidden fork","project_id":%d}`, other))
	w.root(t, 201, "POST", of+"/commits?mode=append", `[{"id":2}]`)
	w.root(t, 200, "PATCH", of, `{"retention":{"commits":1,"savepoints":false}}`)
	for token, named := range map[string]bool{
		w.user(t, "here", access.Roles{own: access.Reader}):                       false,
		w.user(t, "both", access.Roles{own: access.Reader, other: access.Reader}): true,
	} {
		got := w.is(t, token, 200, "GET", of+"/vacuum", "")
		if is := strings.Contains(got.Text, "hidden fork"); is != named {
			t.Errorf("named: %t, want %t: %s", is, named, got.Text)
		}
	}
}

// What a writer may not do, a writer does not do by undoing or merging what someone else has done.
func TestAWriterShapesNothingByRollbackOrMerge(t *testing.T) {
	w := newAccessWorld(t)
	writer := w.user(t, "shaper", access.Roles{own: access.Writer, other: access.Maintainer})
	keeper := w.user(t, "keeper", access.Roles{own: access.Maintainer, other: access.Maintainer})
	d := w.is(t, keeper, 201, "POST", "/api/v1/datasets",
		fmt.Sprintf(`{"name":"shaped","project_id":%d,"key":["id"]}`, own)).Body["id"].(string)
	of := "/api/v1/datasets/" + d
	head := func() string { return fmt.Sprint(w.is(t, keeper, 200, "GET", of, "").Body["head"]) }
	undo := func(token string, status int, body string) {
		t.Helper()
		w.is(t, token, status, "POST", of+"/commits/"+head()+"/rollback", body)
	}
	w.is(t, writer, 201, "POST", of+"/commits?mode=append", `[{"id":1,"v":"a"}]`)
	w.is(t, writer, 201, "POST", of+"/commits?mode=append", `[{"id":2,"v":"a","w":1}]`)
	undo(writer, 201, "") // records, and the column that came with them
	undo(writer, 201, "") // and that

	for _, change := range []func(){
		func() { w.is(t, keeper, 200, "PATCH", of, `{"retention":{"commits":1000}}`) },
		func() { w.is(t, keeper, 201, "POST", of+"/variables", `{"name":"x","type":"VARCHAR"}`) },
	} {
		change()
		undo(writer, 403, "")
		undo(writer, 403, `{"cascade":true}`)
		undo(keeper, 201, "")
		undo(writer, 403, "") // to bring it back is to do it
	}

	fork := w.is(t, writer, 201, "POST", of+"/forks", fmt.Sprintf(`{"name":"shaped there","project_id":%d}`, other))
	there := "/api/v1/datasets/" + fork.Body["id"].(string)
	merge := fmt.Sprintf(`{"source":%q}`, fork.Body["id"])
	w.is(t, writer, 201, "POST", there+"/commits?mode=append", `[{"id":3,"v":"b"}]`)
	w.is(t, writer, 201, "POST", of+"/merges", merge)
	w.is(t, writer, 201, "POST", there+"/variables", `{"name":"mine","type":"VARCHAR"}`)
	w.is(t, writer, 403, "POST", of+"/merges", merge)
	w.is(t, keeper, 201, "POST", of+"/merges", merge)
	undo(writer, 403, "")
}

// The audit log says whom a change of users, roles and tokens is about, and nothing that is secret.
func TestChangesOfAccessAreRecordedWithWhomTheyAreAbout(t *testing.T) {
	w := newAccessWorld(t)
	w.root(t, 201, "POST", "/api/v1/users", `{"name":"eve"}`)
	w.root(t, 200, "PUT", "/api/v1/users/eve/roles", `{"roles":[{"project":"2","role":"maintainer"}]}`)
	w.root(t, 200, "PATCH", "/api/v1/users/eve", `{"is_disabled":true}`)
	made := w.root(t, 201, "POST", "/api/v1/tokens", `{"user":"eve","role":"reader"}`)
	id, token := made["id"].(string), made["token"].(string)
	w.root(t, 404, "DELETE", "/api/v1/tokens/"+token, "") // in place of its id, by mistake
	w.root(t, 204, "DELETE", "/api/v1/tokens/"+id, "")
	w.root(t, 204, "DELETE", "/api/v1/users/eve", "")
	files, err := w.audited.Files()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(text)
	}
	for _, want := range []string{
		"user eve: no role", "user eve: maintainer in project 2", "user eve (disabled): maintainer in project 2",
		"token " + id + " of user eve: reader", `"token ` + id + `"`, `"user eve"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if strings.Contains(log.String(), token) {
		t.Error("a token is in the log")
	}
}
