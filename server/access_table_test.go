package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rowback/server/access"
	"rowback/server/facetest"
)

// entry says what a route needs, and how it is asked without effects. In query and body, {project} is a project's id,
// {id} a dataset's.
type entry struct {
	need        access.Role
	query, body string
	home        bool // it is about the first project, whatever it is asked
}

const (
	nativeDataset = "/api/v1/datasets/:dataset"
	shojiDataset  = "/api/datasets/:dataset"
	stale         = "expected_head=99999999"
	dry           = "dry_run=true"
)

// accessTable is what every route of every HTTP face needs, in the project of the dataset that it names, or in any if it
// names none. It is written apart from the routes' own declarations.
var accessTable = map[string]entry{
	"GET /metrics": {need: access.Public}, "GET /healthz": {need: access.Public}, "GET /readyz": {need: access.Public},
	"GET /openapi.json": {need: access.Public},

	"GET /api/v1/progress/:id":             {need: access.Known},
	"GET /api/v1/datasets/versions":        {need: access.Reader, query: "project_id={project}&dataset_name=d"},
	"GET /api/v1/datasets":                 {need: access.Known},
	"GET /api/v1/monitor/versions":         {need: access.Known},
	"POST /api/v1/query":                   {need: access.Reader, body: `{"sql":"SELECT * FROM d","project_id":{project}}`},
	"GET /api/v1/query":                    {need: access.Reader, query: "sql=SELECT+*+FROM+d&project_id={project}"},
	"POST /api/v1/datasets":                {need: access.Writer, query: dry, body: `{"name":"new","project_id":{project}}`},
	"POST /api/v1/backups":                 {need: access.Writer, query: "project_id={project}&dry_run=true", body: "x"},
	"GET /api/v1/datasets/versions/latest": {need: access.Reader, query: "project_id={project}&dataset_name=d"},
	"POST /api/v1/datasets/versions/compare": {need: access.Reader,
		body: `{"project_id":{project},"dataset_name":"d","version1":"1.0.0","version2":"1.0.0"}`},
	"POST /api/v1/datasets/versions/rollback": {need: access.Maintainer, query: dry,
		body: `{"project_id":{project},"dataset_name":"d","target_version":"1.0.0"}`},
	"POST /api/v1/datasets/versions/increment": {need: access.Writer, query: dry,
		body: `{"project_id":{project},"dataset_name":"d"}`},

	"GET " + nativeDataset:                                   {need: access.Reader},
	"PATCH " + nativeDataset:                                 {need: access.Maintainer, query: dry, body: `{"description":"x"}`},
	"DELETE " + nativeDataset:                                {need: access.Maintainer, query: dry},
	"POST " + nativeDataset + "/undelete":                    {need: access.Maintainer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/schema":                       {need: access.Reader},
	"GET " + nativeDataset + "/digest":                       {need: access.Reader},
	"GET " + nativeDataset + "/refs":                         {need: access.Reader},
	"GET " + nativeDataset + "/tags":                         {need: access.Reader},
	"POST " + nativeDataset + "/tags":                        {need: access.Writer, query: dry, body: `{"name":"t"}`},
	"GET " + nativeDataset + "/tags/:tag":                    {need: access.Reader},
	"PATCH " + nativeDataset + "/tags/:tag":                  {need: access.Writer, query: dry, body: `{}`},
	"DELETE " + nativeDataset + "/tags/:tag":                 {need: access.Writer, query: dry},
	"GET " + nativeDataset + "/validation":                   {need: access.Reader},
	"GET " + nativeDataset + "/upkeep":                       {need: access.Reader},
	"POST " + nativeDataset + "/upkeep":                      {need: access.Writer},
	"GET " + nativeDataset + "/vacuum":                       {need: access.Reader},
	"POST " + nativeDataset + "/vacuum":                      {need: access.Maintainer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/vacuums":                      {need: access.Reader},
	"POST " + nativeDataset + "/erase":                       {need: access.Maintainer, query: dry, body: `{"keys":[77]}`},
	"GET " + nativeDataset + "/erasures":                     {need: access.Reader},
	"POST " + nativeDataset + "/commits":                     {need: access.Writer, query: "mode=upsert&" + dry, body: `[{"id":1}]`},
	"POST " + nativeDataset + "/files":                       {need: access.Writer, query: "mode=upsert&format=json&" + dry, body: `[{"id":1}]`},
	"GET " + nativeDataset + "/commits":                      {need: access.Reader},
	"GET " + nativeDataset + "/commits/:id":                  {need: access.Reader},
	"GET " + nativeDataset + "/commits/:id/rollback":         {need: access.Reader},
	"POST " + nativeDataset + "/commits/:id/rollback":        {need: access.Writer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/commits/:id/data.parquet":     {need: access.Reader},
	"GET " + nativeDataset + "/commits/:id/rollback.parquet": {need: access.Reader},
	"POST " + nativeDataset + "/restore":                     {need: access.Maintainer, query: dry, body: `{"ref":"head"}`},
	"GET " + nativeDataset + "/data":                         {need: access.Reader},
	"GET " + nativeDataset + "/data.parquet":                 {need: access.Reader},
	"GET " + nativeDataset + "/compare":                      {need: access.Reader, query: "from=1.0.0"},
	"GET " + nativeDataset + "/diff":                         {need: access.Reader, query: "from=1.0.0"},
	"GET " + nativeDataset + "/history":                      {need: access.Reader, query: "key=1"},
	"GET " + nativeDataset + "/insights":                     {need: access.Reader, query: "from=1.0.0"},
	"POST " + nativeDataset + "/backups":                     {need: access.Writer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/backups":                      {need: access.Reader},
	"GET " + nativeDataset + "/backups/:backup":              {need: access.Reader},
	"DELETE " + nativeDataset + "/backups/:backup":           {need: access.Maintainer, query: dry},
	"GET " + nativeDataset + "/backups/:backup/archive.tar":  {need: access.Reader},
	"POST " + nativeDataset + "/backups/:backup/restore":     {need: access.Maintainer, query: dry, body: `{}`},

	"GET " + nativeDataset + "/actions":                {need: access.Reader},
	"GET " + nativeDataset + "/actions/since_forking":  {need: access.Reader},
	"GET " + nativeDataset + "/actions/upstream_delta": {need: access.Reader},
	"GET " + nativeDataset + "/actions/:id":            {need: access.Reader},
	// The fork is a new dataset, which takes a writer.
	"POST " + nativeDataset + "/forks":                        {need: access.Writer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/forks":                         {need: access.Reader},
	"POST " + nativeDataset + "/merges":                       {need: access.Writer, body: `{"source":"fork","dry_run":true}`},
	"GET " + nativeDataset + "/merges":                        {need: access.Reader},
	"GET " + nativeDataset + "/merges/:id":                    {need: access.Reader},
	"POST " + nativeDataset + "/savepoints":                   {need: access.Writer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/savepoints":                    {need: access.Reader},
	"GET " + nativeDataset + "/savepoints/:savepoint":         {need: access.Reader},
	"PATCH " + nativeDataset + "/savepoints/:savepoint":       {need: access.Writer, query: dry, body: `{"description":"x"}`},
	"POST " + nativeDataset + "/savepoints/:savepoint/revert": {need: access.Maintainer, query: dry, body: `{}`},
	"GET " + nativeDataset + "/variables":                     {need: access.Reader},
	"POST " + nativeDataset + "/variables":                    {need: access.Maintainer, query: dry, body: `{"name":"v"}`},
	"GET " + nativeDataset + "/variables/:variable":           {need: access.Reader},
	"PATCH " + nativeDataset + "/variables/:variable":         {need: access.Maintainer, query: dry, body: `{}`},
	"DELETE " + nativeDataset + "/variables/:variable":        {need: access.Maintainer, query: dry},

	"GET /api/v1/users":               {need: access.Admin},
	"POST /api/v1/users":              {need: access.Admin, body: `{"name":"a:b"}`},
	"GET /api/v1/users/:user":         {need: access.Admin},
	"PATCH /api/v1/users/:user":       {need: access.Admin, body: `{}`},
	"PUT /api/v1/users/:user/roles":   {need: access.Admin, body: `{"roles":[]}`},
	"DELETE /api/v1/users/:user":      {need: access.Admin},
	"GET /api/v1/tokens":              {need: access.Known},
	"POST /api/v1/tokens":             {need: access.Known, body: `{"role":"reader","expires_at":"2020-01-01T00:00:00Z"}`},
	"DELETE /api/v1/tokens/:token":    {need: access.Known},
	"GET /api/v1/projects":            {need: access.Known},
	"POST /api/v1/projects":           {need: access.Admin, body: `{"name":"1"}`},
	"GET /api/v1/projects/:project":   {need: access.Reader},
	"PATCH /api/v1/projects/:project": {need: access.Admin, body: `{"name":"1"}`},
	// It has datasets.
	"DELETE /api/v1/projects/:project": {need: access.Admin},

	"POST /api/v1/store/backups":        {need: access.Admin, body: `{}`},
	"GET /api/v1/store/backups":         {need: access.Admin},
	"GET /api/v1/store/backups/:backup": {need: access.Admin},

	"GET /api":                     {need: access.Known},
	"POST /api/login":              {need: access.Public, body: `{"email":"x","password":"wrong"}`},
	"GET /api/logout":              {need: access.Public},
	"POST /api/logout":             {need: access.Public},
	"GET /api/feature_flag":        {need: access.Known},
	"GET /api/users/:user":         {need: access.Known},
	"GET /api/progress":            {need: access.Known},
	"GET /api/progress/:id":        {need: access.Known},
	"GET /api/progress/:id/result": {need: access.Known},
	"GET /api/sources":             {need: access.Known},
	"POST /api/sources":            {need: access.Writer},
	"GET /api/sources/:source":     {need: access.Known},
	"DELETE /api/sources/:source":  {need: access.Known},
	"GET /api/datasets":            {need: access.Known},
	"POST /api/datasets":           {need: access.Writer, body: `{}`, home: true},

	"GET /api/datasets_by_name/:name":                        {need: access.Known},
	"GET " + shojiDataset:                                    {need: access.Reader},
	"PATCH " + shojiDataset:                                  {need: access.Maintainer, query: stale, body: `{"description":"x"}`},
	"DELETE " + shojiDataset:                                 {need: access.Maintainer, query: stale},
	"GET " + shojiDataset + "/summary":                       {need: access.Reader},
	"GET " + shojiDataset + "/table":                         {need: access.Reader},
	"POST " + shojiDataset + "/table":                        {need: access.Writer, query: stale, body: `{"command":"delete"}`},
	"GET " + shojiDataset + "/pk":                            {need: access.Reader},
	"DELETE " + shojiDataset + "/pk":                         {need: access.Maintainer},
	"GET " + shojiDataset + "/exclusion":                     {need: access.Reader},
	"PATCH " + shojiDataset + "/exclusion":                   {need: access.Maintainer, query: stale, body: `{"expression":{}}`},
	"GET " + shojiDataset + "/actions":                       {need: access.Reader},
	"POST " + shojiDataset + "/actions":                      {need: access.Writer, query: stale, body: `{"dataset":"/api/datasets/{fork}/"}`},
	"GET " + shojiDataset + "/actions/since_forking":         {need: access.Reader},
	"GET " + shojiDataset + "/actions/upstream_delta":        {need: access.Reader},
	"GET " + shojiDataset + "/actions/:action":               {need: access.Reader},
	"GET " + shojiDataset + "/savepoints":                    {need: access.Reader},
	"POST " + shojiDataset + "/savepoints":                   {need: access.Writer, query: stale, body: `{"description":"x"}`},
	"GET " + shojiDataset + "/savepoints/:savepoint":         {need: access.Reader},
	"PATCH " + shojiDataset + "/savepoints/:savepoint":       {need: access.Writer, query: stale, body: `{"description":"x"}`},
	"GET " + shojiDataset + "/savepoints/:savepoint/revert":  {need: access.Reader},
	"POST " + shojiDataset + "/savepoints/:savepoint/revert": {need: access.Maintainer, query: stale},
	"GET " + shojiDataset + "/forks":                         {need: access.Reader},
	"POST " + shojiDataset + "/forks":                        {need: access.Writer, query: stale, body: `{}`},
	"GET " + shojiDataset + "/variables":                     {need: access.Reader},
	"POST " + shojiDataset + "/variables":                    {need: access.Maintainer, query: stale, body: `{"name":"v","type":"numeric","values":[1]}`},
	"GET " + shojiDataset + "/variables/:variable":           {need: access.Reader},
	"PATCH " + shojiDataset + "/variables/:variable":         {need: access.Maintainer, query: stale, body: `{"description":"x"}`},
	"DELETE " + shojiDataset + "/variables/:variable":        {need: access.Maintainer, query: stale},
	"GET " + shojiDataset + "/variables/:variable/values":    {need: access.Reader},
	"GET " + shojiDataset + "/variables/:variable/summary":   {need: access.Reader},
	"GET " + shojiDataset + "/variables/:variable/cast":      {need: access.Reader, query: "cast_as=text"},
	"POST " + shojiDataset + "/variables/:variable/cast":     {need: access.Maintainer, query: stale, body: `{"cast_as":"text"}`},
	"GET " + shojiDataset + "/folders":                       {need: access.Reader},
	"GET " + shojiDataset + "/folders/public":                {need: access.Reader},
	"GET " + shojiDataset + "/batches":                       {need: access.Reader},
	"POST " + shojiDataset + "/batches":                      {need: access.Writer, query: stale, body: `{}`},
	"GET " + shojiDataset + "/batches/:batch":                {need: access.Reader},
}

// Every route of every HTTP face lets those in who have the role that it needs in the project that it is about, answers
// 403 to those who have a lesser one, 404 to those who have none, and 401 to those who are not known.
func TestEveryRouteByRoleAndProject(t *testing.T) {
	w := newAccessWorld(t)
	asked := map[string]bool{}
	for _, r := range w.app.GetRoutes(true) {
		name := r.Method + " " + r.Path
		if r.Method == http.MethodHead || strings.HasPrefix(r.Path, "/manual") || r.Path == "/" {
			continue
		}
		e, listed := accessTable[name]
		if !listed {
			t.Errorf("%s is not in the table: say who may use it", name)
			continue
		}
		asked[name] = true
		for _, c := range w.callers {
			for _, project := range []int64{own, other, unknown} {
				w.try(t, r.Method, r.Path, e, c, project)
			}
		}
	}
	for name := range accessTable {
		if !asked[name] {
			t.Errorf("%s is in the table, and there is no such route", name)
		}
	}
	w.unchanged(t)
}

// try asks a route as a caller, about a project, and compares the answer with what the table says.
func (w *accessWorld) try(t *testing.T, method, path string, e entry, c accessCaller, project int64) {
	t.Helper()
	about := strings.Contains(path+e.query+e.body, ":dataset") || strings.Contains(path, ":project") ||
		strings.Contains(e.query+e.body, "{project}") || e.home
	if (!about || e.home) && project != own {
		return
	}
	got := w.ask(t, method, path, e, c, project)
	want := expected(e.need, c, project, about)
	if is := outcome(got); want != "" && is != want && !(want == "let in" && strings.HasPrefix(is, "let in")) {
		t.Errorf("%s %s by %s in project %d: %s, want %s: %.200s", method, path, c.name, project, is, want, got.Text)
	}
	if c.role < access.Admin && (strings.Contains(got.Text, w.secret) ||
		project != other && strings.Contains(got.Text, w.ids[other])) {
		t.Errorf("%s %s tells %s of project %d: %.300s", method, path, c.name, other, got.Text)
	}
	if want == "404" {
		w.indistinguishable(t, method, path, e, c, got)
	}
}

// indistinguishable makes sure that a dataset which the caller must not know of is answered as one that does not exist.
func (w *accessWorld) indistinguishable(t *testing.T, method, path string, e entry, c accessCaller, got facetest.Answer) {
	t.Helper()
	plain := func(a facetest.Answer) string {
		text := regexp.MustCompile(`"request_id":"[^"]*",?|[0-9a-f]{16,}|project \d+|Project '?\d+'?`).ReplaceAllString(a.Text, "")
		return fmt.Sprint(a.Status, text)
	}
	if none := w.ask(t, method, path, e, c, unknown); plain(got) != plain(none) {
		t.Errorf("%s %s by %s: %s, and of one that does not exist %s", method, path, c.name, plain(got), plain(none))
	}
}

// expected is what a request is to be answered with.
func expected(need access.Role, c accessCaller, project int64, about bool) string {
	switch {
	case need == access.Public:
		return "let in"
	case c.role == access.None && !c.known:
		return "401"
	case need == access.Known:
		return "let in"
	case need == access.Admin && c.role < access.Admin:
		return "403"
	case about && project == unknown && c.role == access.Admin:
		return "" // there is nothing, and no one to hide that from
	case about && project != own && c.role < access.Admin:
		return "404"
	case c.role == access.None:
		if about {
			return "404"
		}
		return "403"
	case c.role < need:
		return "403"
	}
	return "let in"
}

// outcome is what an answer says of access.
func outcome(a facetest.Answer) string {
	code, _ := a.Body["code"].(string)
	switch {
	case a.Status == 401 && code == "unauthorized" && !strings.Contains(a.Text, "e-mail"):
		return "401"
	case a.Status == 403:
		return "403"
	case a.Status == 404 && slices.Contains([]string{"dataset_not_found", "project_not_found"}, code):
		return "404"
	}
	return fmt.Sprint("let in ", a.Status)
}

// ask sends a request about a project.
func (w *accessWorld) ask(
	t *testing.T, method, path string, e entry, c accessCaller, project int64,
) facetest.Answer {
	t.Helper()
	fill := strings.NewReplacer(":dataset", w.ids[project], ":project", fmt.Sprint(project), ":id", "1", ":tag", "t",
		":backup", "b", ":savepoint", "master__000001", ":variable", w.ids[project]+"_1", ":user", "someone", ":token", "tok_0",
		":action", "1", ":batch", "b", ":source", "s", ":name", "d", "{project}", fmt.Sprint(project), "{id}", w.ids[project],
		"{fork}", w.forks[project])
	target, query := fill.Replace(path), fill.Replace(e.query)
	if query != "" {
		target += "?" + query
	}
	if _, err := url.Parse(target); err != nil {
		t.Fatal(err)
	}
	headers := []string{"Content-Type", "application/json"}
	if c.token != "" {
		headers = append(headers, "Authorization", "Bearer "+c.token)
	}
	got, err := facetest.Exchange(w.app, method, target, fill.Replace(e.body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
