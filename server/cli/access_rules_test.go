package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/facetest"
)

// is reports an answer with another status.
func (w *accessWorld) is(t *testing.T, token string, status int, method, target, body string) facetest.Answer {
	t.Helper()
	got, err := facetest.Exchange(w.app, method, target, body, "Content-Type", "application/json",
		"Authorization", "Bearer "+token)
	if err != nil || got.Status != status {
		t.Errorf("%s %s: %d %.300s, %v; want %d", method, target, got.Status, got.Text, err, status)
	}
	return got
}

// A fork takes a reader of the source and a writer of the target; a merge a reader of the fork and a writer upstream.
func TestForkAndMergeNeedARoleOnBothSides(t *testing.T) {
	w := newAccessWorld(t)
	of := func(name string, here, there access.Role) string {
		roles := access.Roles{}
		for project, role := range map[int64]access.Role{own: here, other: there} {
			if role > access.None {
				roles[project] = role
			}
		}
		return w.user(t, name, roles)
	}
	d := "/api/v1/datasets/" + w.ids[own]
	fork := func(token string, status int, name string) {
		t.Helper()
		w.is(t, token, status, "POST", d+"/forks", fmt.Sprintf(`{"name":%q,"project_id":%d}`, name, other))
	}
	reads, writes := of("reads both", access.Reader, access.Reader), of("writes there", access.Reader, access.Writer)
	fork(reads, 403, "a")
	fork(writes, 201, "a")
	fork(of("sees no target", access.Writer, access.None), 404, "b")
	fork(of("sees no source", access.None, access.Writer), 404, "b")

	there := w.root(t, 200, "GET", fmt.Sprintf("/api/v1/datasets/a?project_id=%d", other), "")["id"].(string)
	w.root(t, 201, "POST", "/api/v1/datasets/"+there+"/commits?mode=append", `[{"id":2,"v":"new"}]`)
	merge := fmt.Sprintf(`{"source":%q}`, there)
	w.is(t, reads, 403, "POST", d+"/merges", merge)
	w.is(t, of("sees no fork", access.Writer, access.None), 404, "POST", d+"/merges", merge)
	w.is(t, of("sees no upstream", access.None, access.Writer), 404, "POST", d+"/merges", merge)
	shoji := fmt.Sprintf(`{"dataset":"/api/datasets/%s/"}`, there)
	w.is(t, of("sees no fork 2", access.Writer, access.None), 404, "POST", "/api/datasets/"+w.ids[own]+"/actions/", shoji)
	w.is(t, of("writes upstream", access.Writer, access.Reader), 201, "POST", d+"/merges", merge)

	// A fork says where it is from to those who may know, and lists only forks that the caller may know of.
	blind := of("sees the fork alone", access.None, access.Reader)
	if got := w.is(t, blind, 200, "GET", "/api/v1/datasets/"+there, ""); got.Body["upstream_id"] != nil {
		t.Errorf("its upstream is shown: %v", got.Body["upstream_id"])
	}
	w.is(t, blind, 404, "GET", "/api/v1/datasets/"+there+"/actions/since_forking", "")
	w.is(t, reads, 200, "GET", "/api/v1/datasets/"+there+"/actions/since_forking", "")
	here := of("reads here", access.Reader, access.None)
	if got := w.is(t, here, 200, "GET", d+"/forks", ""); strings.Contains(got.Text, there) {
		t.Errorf("a fork in another project is listed: %s", got.Text)
	}
	if got := w.is(t, reads, 200, "GET", d+"/forks", ""); !strings.Contains(got.Text, there) {
		t.Errorf("a fork is not listed: %s", got.Text)
	}
	w.is(t, reads, 200, "GET", d+"/compare?from=head&to_dataset="+there, "")
	w.is(t, here, 404, "GET", d+"/compare?from=head&to_dataset="+there, "")

	// An erasure reaches the upstream: a fork in one's own project must not be a way to it.
	mine := of("maintains the fork's project", access.Reader, access.Maintainer)
	erase := `{"keys":[1]}`
	w.is(t, mine, 403, "POST", "/api/v1/datasets/"+there+"/erase", erase)
	w.is(t, mine, 403, "POST", d+"/erase", erase)
	w.is(t, of("maintains both", access.Maintainer, access.Maintainer), 201, "POST", d+"/erase", erase)
	got := w.is(t, blind, 200, "GET", "/api/v1/datasets/"+there+"/erasures", "")
	if strings.Contains(got.Text, w.ids[own]) || !strings.Contains(got.Text, there) {
		t.Errorf("erasures: %s", got.Text)
	}
}

// Statements, lists and searches know nothing of projects in which the caller has no role.
func TestNothingIsSaidOfProjectsWithoutARole(t *testing.T) {
	w := newAccessWorld(t)
	reader := w.callers[4]
	if reader.role != access.Reader {
		t.Fatal(reader)
	}
	for _, sql := range []string{
		"SELECT * FROM d", "SELECT * FROM rowback.datasets", "SELECT * FROM rowback.commits",
		"SELECT * FROM rowback.versions", "SELECT * FROM rowback.actions",
	} {
		for project, sees := range map[int64]bool{own: true, other: false, unknown: false} {
			got := w.is(t, reader.token, outcomeOf(sql, project), "POST", "/api/v1/query",
				fmt.Sprintf(`{"sql":%q,"project_id":%d}`, sql, project))
			if strings.Contains(got.Text, w.secret) || strings.Contains(got.Text, w.ids[other]) ||
				!sees && strings.Contains(got.Text, w.ids[own]) {
				t.Errorf("%s in project %d: %s", sql, project, got.Text)
			}
		}
	}
	byID := fmt.Sprintf(`{"sql":"SELECT * FROM \"%s\"","project_id":2}`, w.ids[other])
	w.is(t, reader.token, 404, "POST", "/api/v1/query", byID)
	for _, target := range []string{
		"/api/v1/datasets", "/api/v1/datasets?project_id=2", "/api/v1/projects", "/api/v1/monitor/versions", "/api/datasets/",
		"/api/datasets_by_name/d/", "/readyz",
	} {
		got := w.is(t, reader.token, 200, "GET", target, "")
		if strings.Contains(got.Text, w.ids[other]) || strings.Contains(got.Text, w.secret) {
			t.Errorf("%s: %s", target, got.Text)
		}
	}
	// Pages are filled up to their limit with what is seen, and end.
	for range 3 {
		w.root(t, 201, "POST", "/api/v1/datasets", fmt.Sprintf(`{"name":"x%d","project_id":2}`, time.Now().UnixNano()))
	}
	w.root(t, 201, "POST", "/api/v1/datasets", `{"name":"last"}`)
	seen, cursor := 0, ""
	for {
		got := w.is(t, reader.token, 200, "GET", "/api/v1/datasets?limit=1"+cursor, "")
		page, _ := got.Body["datasets"].([]any)
		seen += len(page)
		next, more := got.Body["next_cursor"].(string)
		if !more {
			break
		}
		if cursor = "&cursor=" + next; len(page) != 1 || seen > 10 {
			t.Fatalf("a page of %d, %d seen", len(page), seen)
		}
	}
	if seen != 3 {
		t.Errorf("%d datasets are listed, of 3", seen)
	}
}

// outcomeOf is the status of a statement in a project: the catalog's tables are always there, and empty where nothing
// is seen.
func outcomeOf(sql string, project int64) int {
	if project == own || strings.Contains(sql, "rowback.") {
		return 200
	}
	return 404
}

// onEveryFace asks each face for the dataset d with a token or a session.
func (w *accessWorld) onEveryFace(t *testing.T, what, shown string, status int) {
	t.Helper()
	for _, target := range []string{
		"/api/v1/datasets/" + w.ids[own], "/api/v1/datasets/" + w.ids[own] + "/data", "/api/datasets/" + w.ids[own] + "/",
	} {
		w.is(t, shown, status, "GET", target, "")
	}
	got, err := facetest.Exchange(w.app, "GET", "/api/v1/datasets/"+w.ids[own], "", "Cookie", "token="+shown)
	if err != nil || got.Status != status {
		t.Errorf("%s, as a cookie: %d %.300s, %v; want %d", what, got.Status, got.Text, err, status)
	}
	for _, call := range []string{"GetFlightInfo CommandStatementQuery", "GetSchema CommandStatementQuery"} {
		if got := w.flight.ask(t, call, ofD, shown, "1"); got.Status != status {
			t.Errorf("%s, %s: %d %.300s; want %d", what, call, got.Status, got.Text, status)
		}
	}
}

// A token is refused from the moment that it is revoked, has expired, or its user is disabled or removed; so are the
// sessions that stand for it. What it may do is the least of its own bounds and its user's roles, at each request.
func TestWhatEndsAToken(t *testing.T) {
	w := newAccessWorld(t)
	w.serveFlight(t)
	list := "/api/v1/datasets"
	create := func(name, body string) (id, token string) {
		t.Helper()
		got := w.root(t, 201, "POST", "/api/v1/tokens", strings.Replace(body, "{", fmt.Sprintf(`{"user":%q,`, name), 1))
		return got["id"].(string), got["token"].(string)
	}
	login := func(token string) (session string) {
		t.Helper()
		got, err := facetest.Exchange(w.app, "POST", "/api/login/", fmt.Sprintf(`{"email":"x","password":%q}`, token))
		if err != nil || got.Status != 204 {
			t.Fatal(got.Status, got.Text, err)
		}
		session, _, _ = strings.Cut(strings.TrimPrefix(got.Header.Get("Set-Cookie"), "token="), ";")
		return session
	}
	for name, end := range map[string]func(user, id string){
		"revoked":  func(_, id string) { w.root(t, 204, "DELETE", "/api/v1/tokens/"+id, "") },
		"disabled": func(user, _ string) { w.root(t, 200, "PATCH", "/api/v1/users/"+user, `{"is_disabled":true}`) },
		"removed":  func(user, _ string) { w.root(t, 204, "DELETE", "/api/v1/users/"+user, "") },
		"expired":  func(string, string) { *w.now = w.now.Add(time.Hour) },
		"demoted":  func(user, _ string) { w.root(t, 200, "PUT", "/api/v1/users/"+user+"/roles", `{"roles":[]}`) },
	} {
		w.root(t, 201, "POST", "/api/v1/users", fmt.Sprintf(`{"name":%q,"roles":[{"project":"1","role":"writer"}]}`, name))
		ends := w.now.Add(time.Hour).Format(time.RFC3339Nano)
		id, token := create(name, fmt.Sprintf(`{"role":"reader","expires_at":%q}`, ends))
		session := login(token)
		for _, shown := range []string{token, session} {
			w.onEveryFace(t, name+" later", shown, 200)
			w.is(t, shown, 403, "POST", list+"/"+w.ids[own]+"/commits?mode=append&dry_run=true", `[{"id":9}]`)
		}
		end(name, id)
		status := 401
		if name == "demoted" {
			status = 404
		}
		for _, shown := range []string{token, session} {
			w.onEveryFace(t, name, shown, status)
		}
	}
	id, token := create("the writer", `{"role":"admin","projects":["2"]}`)
	w.is(t, token, 404, "GET", list+"/"+w.ids[own], "")
	w.is(t, token, 404, "GET", list+"/"+w.ids[other], "")
	w.root(t, 200, "PUT", "/api/v1/users/the%20writer/roles", `{"roles":[{"project":"*","role":"admin"}]}`)
	w.is(t, token, 200, "GET", list+"/"+w.ids[other], "")
	w.is(t, token, 404, "GET", list+"/"+w.ids[own], "")
	w.is(t, token, 403, "GET", "/api/v1/users", "")
	_, second := create("the reader", `{"role":"reader"}`)
	for _, wrong := range []string{
		token[:52], token[:20], "x" + token, token + "x", strings.ToLower(token), id, "Bearer", " ", token + " " + second,
		token[:26] + second[26:], second[:26] + token[26:], token[:47] + second[47:], token + second, token + "%00",
		"rbk_" + second[28:47] + second[4:28] + second[47:], // its halves in the other order
	} {
		w.onEveryFace(t, "changed", wrong, 401)
	}
	w.onEveryFace(t, "whole", second, 200)
	if got := w.root(t, 200, "GET", "/api/v1/tokens", ""); strings.Contains(fmt.Sprint(got), token) {
		t.Error("a token is shown again")
	}
}

// No one makes a token that may do more, elsewhere or for longer than the one that asks for it.
func TestATokenMakesNoGreaterOne(t *testing.T) {
	w := newAccessWorld(t)
	ctx := context.Background()
	user, both := "both", access.Roles{own: access.Maintainer, other: access.Maintainer}
	w.user(t, user, both)
	_, small, err := w.accounts.CreateToken(ctx, accounts.Token{
		User: user, Role: access.Reader, Projects: []int64{own}, ExpiresAt: w.now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	made := w.is(t, small, 201, "POST", "/api/v1/tokens", `{}`)
	if made.Body["role"] != "reader" || fmt.Sprint(made.Body["projects"]) != "[1]" || made.Body["expires_at"] == nil {
		t.Errorf("%v", made.Body)
	}
	next := made.Body["token"].(string)
	w.is(t, next, 200, "GET", "/api/v1/datasets/"+w.ids[own], "")
	w.is(t, next, 404, "GET", "/api/v1/datasets/"+w.ids[other], "")
	w.is(t, next, 403, "POST", "/api/v1/datasets", `{"name":"x"}`)
	w.is(t, small, 422, "POST", "/api/v1/tokens", `{"role":"writer"}`)
	w.is(t, small, 404, "POST", "/api/v1/tokens", `{"projects":["2"]}`)
	w.is(t, small, 403, "POST", "/api/v1/tokens", `{"user":"the admin"}`)
	w.is(t, small, 403, "GET", "/api/v1/tokens?user=the+admin", "")
	for _, t1 := range w.is(t, small, 200, "GET", "/api/v1/tokens", "").Body["tokens"].([]any) {
		if t1.(map[string]any)["user"] != user {
			t.Errorf("%v is listed", t1)
		}
	}
	admins := w.is(t, w.callers[7].token, 200, "GET", "/api/v1/tokens?user=the+admin", "").Body["tokens"].([]any)
	w.is(t, small, 404, "DELETE", "/api/v1/tokens/"+admins[0].(map[string]any)["id"].(string), "")
	w.is(t, small, 204, "DELETE", "/api/v1/tokens/"+made.Body["id"].(string), "")
	w.is(t, next, 401, "GET", "/api/v1/datasets", "")
}

// An upload whose user is removed, or loses the role, while it arrives is not committed.
func TestAUserRemovedDuringAnUpload(t *testing.T) {
	w := newAccessWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go w.app.Listener(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { w.app.Shutdown() })
	for i, end := range []func(name string){
		func(name string) { w.root(t, 204, "DELETE", "/api/v1/users/"+name, "") },
		func(name string) {
			w.root(t, 200, "PUT", "/api/v1/users/"+name+"/roles", `{"roles":[{"project":"1","role":"reader"}]}`)
		},
	} {
		name := fmt.Sprint("leaving", i)
		token := w.user(t, name, access.Roles{own: access.Writer})
		body, sender := io.Pipe()
		request, err := http.NewRequest("POST",
			"http://"+listener.Addr().String()+"/api/v1/datasets/"+w.ids[own]+"/commits?mode=append", body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+token)
		go func() {
			// More than the sockets hold: once it is sent, the server is reading, and has let the user in.
			_, err := sender.Write(append([]byte("["), bytes.Repeat([]byte(" "), 32<<20)...))
			if err == nil {
				end(name)
				_, err = sender.Write([]byte(`{"id":50,"v":"late"}]`))
			}
			sender.CloseWithError(err)
		}()
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != []int{404, 403}[i] || err != nil {
			t.Errorf("%d %s, %v", answer.StatusCode, text, err)
		}
	}
	w.unchanged(t)
}

// The first token of an open server is an admin's, so that no one is locked out; from then on it is not open, whatever
// becomes of its tokens.
func TestTheFirstTokenClosesAServer(t *testing.T) {
	w := newAccessWorld(t)
	ctx := context.Background()
	set := openSettings(t)
	known, err := accounts.Open(ctx, set, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.accounts = known
	w.gate = access.New(access.Options{Directory: known})
	w.serve(t)
	w.is(t, "", 200, "GET", "/api/v1/datasets", "")
	w.is(t, "", 201, "POST", "/api/v1/users", `{"name":"eva","roles":[{"project":"1","role":"reader"}]}`)
	w.is(t, "", 409, "POST", "/api/v1/tokens", `{"user":"eva"}`)
	w.is(t, "", 404, "POST", "/api/v1/tokens", `{}`)
	w.is(t, "", 200, "PUT", "/api/v1/users/eva/roles", `{"roles":[{"project":"*","role":"admin"}]}`)
	w.is(t, "", 409, "POST", "/api/v1/tokens", `{"user":"eva","role":"writer"}`)
	made := w.is(t, "", 201, "POST", "/api/v1/tokens", `{"user":"eva"}`)
	w.is(t, "", 401, "GET", "/api/v1/datasets", "")
	token, id := made.Body["token"].(string), made.Body["id"].(string)
	for _, own := range []string{`{"is_disabled":true}`} {
		w.is(t, token, 409, "PATCH", "/api/v1/users/eva", own)
	}
	w.is(t, token, 409, "DELETE", "/api/v1/users/eva", "")
	w.is(t, token, 409, "PUT", "/api/v1/users/eva/roles", `{"roles":[]}`)
	w.is(t, token, 204, "DELETE", "/api/v1/tokens/"+id, "")
	w.is(t, "", 401, "GET", "/api/v1/datasets", "")
	if known, err = accounts.Open(ctx, set, nil, nil); err != nil || !isClosed(known) {
		t.Errorf("it is open after a restart: %v", err)
	}
}

// Projects get names, which stand for their numbers in roles and tokens.
func TestProjectsHaveNames(t *testing.T) {
	w := newAccessWorld(t)
	reader := w.callers[4].token
	made := w.root(t, 201, "POST", "/api/v1/projects", `{"name":"sales"}`)
	id := fmt.Sprint(made["id"])
	if id != "3" { // 1 and 2 have datasets
		t.Errorf("%v", made)
	}
	w.is(t, rootToken, 409, "POST", "/api/v1/projects", `{"name":"sales"}`)
	w.is(t, rootToken, 409, "POST", "/api/v1/projects", `{"name":"other","id":3}`)
	w.is(t, rootToken, 422, "POST", "/api/v1/projects", `{"name":"17"}`)
	w.is(t, rootToken, 422, "POST", "/api/v1/projects", `{"name":"a\u0000b"}`)
	w.root(t, 200, "PATCH", "/api/v1/projects/1", `{"name":"first"}`)
	got := w.is(t, reader, 200, "GET", "/api/v1/projects", "").Body["projects"].([]any)
	if len(got) != 1 || got[0].(map[string]any)["name"] != "first" || got[0].(map[string]any)["role"] != "reader" {
		t.Errorf("%v", got)
	}
	w.is(t, reader, 404, "GET", "/api/v1/projects/sales", "")
	w.is(t, reader, 404, "GET", "/api/v1/projects/2", "")
	w.is(t, reader, 200, "GET", "/api/v1/projects/first", "")
	w.root(t, 200, "PUT", "/api/v1/users/the%20reader/roles", `{"roles":[{"project":"sales","role":"writer"}]}`)
	w.is(t, reader, 201, "POST", "/api/v1/datasets", `{"name":"x","project_id":3}`)
	w.is(t, reader, 404, "GET", "/api/v1/projects/first", "")
	w.is(t, rootToken, 409, "DELETE", "/api/v1/projects/sales", "")
	w.root(t, 200, "PATCH", "/api/v1/projects/sales", `{"name":"sold","description":"x"}`)
	w.root(t, 204, "DELETE", "/api/v1/datasets/x?project_id=3", "")
	w.is(t, rootToken, 409, "DELETE", "/api/v1/projects/sold", "") // the dataset can be brought back
	empty := w.root(t, 201, "POST", "/api/v1/projects", `{"name":"empty"}`)
	w.root(t, 200, "PUT", "/api/v1/users/the%20reader/roles", `{"roles":[{"project":"empty","role":"writer"}]}`)
	w.is(t, reader, 200, "GET", "/api/v1/projects/empty", "")
	w.root(t, 204, "DELETE", "/api/v1/projects/empty", "")
	w.is(t, reader, 404, "GET", fmt.Sprint("/api/v1/projects/", empty["id"]), "")
}
