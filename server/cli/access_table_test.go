package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/facetest"
	"github.com/rowback/rowback/server/web"
)

// entry says what a route needs, and how it is asked without effects. In query and body, {project} is a project's id,
// {id} a dataset's.
type entry struct {
	need        access.Role
	query, body string
	home        bool // it is about the first project, whatever it is asked
}

const (
	native = "/api/v1/datasets/:dataset"
	shoji  = "/api/datasets/:dataset"
	edp    = "/v2/datasets/:dataset"
	stale  = "expected_head=99999999"
	dry    = "dry_run=true"
)

// accessTable is what every route of every HTTP face needs, in the project of the dataset that it names, or in any if
// it names none. It is written apart from the routes' own declarations.
var accessTable = map[string]entry{
	"GET /metrics": {need: access.Public}, "GET /healthz": {need: access.Public}, "GET /readyz": {need: access.Public},
	"GET /openapi.json": {need: access.Public}, "GET /docs/": {need: access.Public},

	// The pages are an application: they say nothing of the data until it asks, with the visitor's session.
	"GET /": {need: access.Public}, "GET /new": {need: access.Public}, "GET /login": {need: access.Public},
	"GET /sql": {need: access.Public}, "GET /tour": {need: access.Public}, "GET /admin": {need: access.Public},
	"GET /admin/*":  {need: access.Public},
	"GET /datasets": {need: access.Public}, "GET /datasets/*": {need: access.Public}, "GET /manual": {need: access.Public},

	"GET /api/v1/progress/:id":      {need: access.Known},
	"GET /api/v1/datasets/versions": {need: access.Reader, query: "project_id={project}&dataset_name=d"},
	"GET /api/v1/datasets":          {need: access.Known},
	"GET /api/v1/monitor/versions":  {need: access.Known},
	"POST /api/v1/query":            {need: access.Reader, body: `{"sql":"SELECT * FROM d","project_id":{project}}`},
	"GET /api/v1/query":             {need: access.Reader, query: "sql=SELECT+*+FROM+d&project_id={project}"},
	"POST /api/v1/datasets":         {need: access.Writer, query: dry, body: `{"name":"new","project_id":{project}}`},
	"POST /api/v1/backups":          {need: access.Writer, query: "project_id={project}&dry_run=true", body: "x"},
	"POST /api/v1/files": {need: access.Writer,
		query: "name=new&format=json&project_id={project}&dry_run=true", body: `[{"id":1}]`},
	"GET /api/v1/datasets/versions/latest": {need: access.Reader, query: "project_id={project}&dataset_name=d"},
	"POST /api/v1/datasets/versions/compare": {need: access.Reader,
		body: `{"project_id":{project},"dataset_name":"d","version1":"1.0.0","version2":"1.0.0"}`},
	"POST /api/v1/datasets/versions/rollback": {need: access.Maintainer, query: dry,
		body: `{"project_id":{project},"dataset_name":"d","target_version":"1.0.0"}`},
	"POST /api/v1/datasets/versions/increment": {need: access.Writer, query: dry,
		body: `{"project_id":{project},"dataset_name":"d"}`},

	"GET " + native:                                   {need: access.Reader},
	"PATCH " + native:                                 {need: access.Maintainer, query: dry, body: `{"description":"x"}`},
	"DELETE " + native:                                {need: access.Maintainer, query: dry},
	"POST " + native + "/undelete":                    {need: access.Maintainer, query: dry, body: `{}`},
	"GET " + native + "/schema":                       {need: access.Reader},
	"GET " + native + "/digest":                       {need: access.Reader},
	"GET " + native + "/refs":                         {need: access.Reader},
	"GET " + native + "/tags":                         {need: access.Reader},
	"POST " + native + "/tags":                        {need: access.Writer, query: dry, body: `{"name":"t"}`},
	"GET " + native + "/tags/:tag":                    {need: access.Reader},
	"PATCH " + native + "/tags/:tag":                  {need: access.Writer, query: dry, body: `{}`},
	"DELETE " + native + "/tags/:tag":                 {need: access.Writer, query: dry},
	"GET " + native + "/gates":                        {need: access.Reader},
	"PUT " + native + "/gates":                        {need: access.Maintainer, query: dry, body: `{"gates":[]}`},
	"DELETE " + native + "/gates":                     {need: access.Maintainer, query: dry},
	"POST " + native + "/gates/report":                {need: access.Reader, body: `{}`},
	"GET " + native + "/gates/:gate":                  {need: access.Reader},
	"PUT " + native + "/gates/:gate":                  {need: access.Maintainer, query: dry, body: `{"kind":"row_count","minimum":0}`},
	"DELETE " + native + "/gates/:gate":               {need: access.Maintainer, query: dry},
	"GET " + native + "/validation":                   {need: access.Reader},
	"GET " + native + "/upkeep":                       {need: access.Reader},
	"POST " + native + "/upkeep":                      {need: access.Writer},
	"GET " + native + "/vacuum":                       {need: access.Reader},
	"POST " + native + "/vacuum":                      {need: access.Maintainer, query: dry, body: `{}`},
	"GET " + native + "/vacuums":                      {need: access.Reader},
	"POST " + native + "/erase":                       {need: access.Maintainer, query: dry, body: `{"keys":[77]}`},
	"GET " + native + "/erasures":                     {need: access.Reader},
	"POST " + native + "/commits":                     {need: access.Writer, query: "mode=upsert&" + dry, body: `[{"id":1}]`},
	"POST " + native + "/files":                       {need: access.Writer, query: "mode=upsert&format=json&" + dry, body: `[{"id":1}]`},
	"GET " + native + "/commits":                      {need: access.Reader},
	"GET " + native + "/commits/:id":                  {need: access.Reader},
	"GET " + native + "/commits/:id/rollback":         {need: access.Reader},
	"POST " + native + "/commits/:id/rollback":        {need: access.Writer, query: dry, body: `{}`},
	"GET " + native + "/commits/:id/data.parquet":     {need: access.Reader},
	"GET " + native + "/commits/:id/rollback.parquet": {need: access.Reader},
	"POST " + native + "/restore":                     {need: access.Maintainer, query: dry, body: `{"ref":"head"}`},
	"GET " + native + "/data":                         {need: access.Reader},
	"GET " + native + "/data.parquet":                 {need: access.Reader},
	"GET " + native + "/compare":                      {need: access.Reader, query: "from=1.0.0"},
	"GET " + native + "/compare/comments":             {need: access.Reader, query: "from=1.0.0"},
	"POST " + native + "/compare/comments":            {need: access.Writer, query: "from=1.0.0&" + dry, body: `{"text":"t"}`},
	"PATCH " + native + "/compare/comments/:comment": {
		need: access.Writer, query: "from=1.0.0&" + dry, body: `{"text":"t"}`,
	},
	"DELETE " + native + "/compare/comments/:comment": {need: access.Writer, query: "from=1.0.0&" + dry},
	"GET " + native + "/discussions":                  {need: access.Reader},
	"GET " + native + "/diff":                         {need: access.Reader, query: "from=1.0.0"},
	"GET " + native + "/lineage":                      {need: access.Reader},
	"GET " + native + "/lineage/graph":                {need: access.Reader},
	"GET /api/v1/rejected/:id":                        {need: access.Known},
	"GET /api/v1/lineage":                             {need: access.Known, query: "model=none"},
	"GET " + native + "/history":                      {need: access.Reader, query: "key=1"},
	"GET " + native + "/insights":                     {need: access.Reader, query: "from=1.0.0"},
	"POST " + native + "/backups":                     {need: access.Writer, query: dry, body: `{}`},
	"GET " + native + "/backups":                      {need: access.Reader},
	"GET " + native + "/backups/:backup":              {need: access.Reader},
	"DELETE " + native + "/backups/:backup":           {need: access.Maintainer, query: dry},
	"GET " + native + "/backups/:backup/archive.tar":  {need: access.Reader},
	"POST " + native + "/backups/:backup/restore":     {need: access.Maintainer, query: dry, body: `{}`},

	"GET " + native + "/actions":                {need: access.Reader},
	"GET " + native + "/actions/since_forking":  {need: access.Reader},
	"GET " + native + "/actions/upstream_delta": {need: access.Reader},
	"GET " + native + "/actions/:id":            {need: access.Reader},
	// The fork is a new dataset, which takes a writer.
	"POST " + native + "/forks":     {need: access.Writer, query: dry, body: `{}`},
	"GET " + native + "/forks":      {need: access.Reader},
	"POST " + native + "/merges":    {need: access.Writer, body: `{"source":"fork","dry_run":true}`},
	"GET " + native + "/merges":     {need: access.Reader},
	"GET " + native + "/merges/:id": {need: access.Reader},
	// Those who may write in the project of the source or of the target take part: a reader who has no fork does not.
	"POST " + native + "/proposals":                    {need: access.Writer, query: dry, body: `{"source":"{fork}","title":"t"}`},
	"GET " + native + "/proposals":                     {need: access.Reader},
	"GET " + native + "/proposals/:proposal":           {need: access.Reader},
	"PATCH " + native + "/proposals/:proposal":         {need: access.Writer, query: dry, body: `{}`},
	"GET " + native + "/proposals/:proposal/checks":    {need: access.Reader},
	"POST " + native + "/proposals/:proposal/comments": {need: access.Writer, query: dry, body: `{"text":"t"}`},
	"PATCH " + native + "/proposals/:proposal/comments/:comment": {
		need: access.Writer, query: dry, body: `{"text":"t"}`,
	},
	"DELETE " + native + "/proposals/:proposal/comments/:comment": {
		need: access.Writer, query: dry,
	},
	"POST " + native + "/proposals/:proposal/approvals":   {need: access.Maintainer, query: dry, body: `{}`},
	"DELETE " + native + "/proposals/:proposal/approvals": {need: access.Maintainer, query: dry},
	"POST " + native + "/proposals/:proposal/merge":       {need: access.Writer, query: dry, body: `{}`},
	"POST " + native + "/savepoints":                      {need: access.Writer, query: dry, body: `{}`},
	"GET " + native + "/savepoints":                       {need: access.Reader},
	"GET " + native + "/savepoints/:savepoint":            {need: access.Reader},
	"PATCH " + native + "/savepoints/:savepoint":          {need: access.Writer, query: dry, body: `{"description":"x"}`},
	"POST " + native + "/savepoints/:savepoint/revert":    {need: access.Maintainer, query: dry, body: `{}`},
	"GET " + native + "/variables":                        {need: access.Reader},
	"POST " + native + "/variables":                       {need: access.Maintainer, query: dry, body: `{"name":"v"}`},
	"GET " + native + "/variables/:variable":              {need: access.Reader},
	"PATCH " + native + "/variables/:variable":            {need: access.Maintainer, query: dry, body: `{}`},
	"DELETE " + native + "/variables/:variable":           {need: access.Maintainer, query: dry},

	"GET /api/v1/me":                   {need: access.Known},
	"GET /api/v1/users":                {need: access.Admin},
	"POST /api/v1/users":               {need: access.Admin, body: `{"name":"a:b"}`},
	"GET /api/v1/users/:user":          {need: access.Admin},
	"PATCH /api/v1/users/:user":        {need: access.Admin, body: `{}`},
	"PUT /api/v1/users/:user/roles":    {need: access.Admin, body: `{"roles":[]}`},
	"DELETE /api/v1/users/:user":       {need: access.Admin},
	"GET /api/v1/tokens":               {need: access.Known},
	"POST /api/v1/tokens":              {need: access.Known, body: `{"role":"reader","expires_at":"2020-01-01T00:00:00Z"}`},
	"DELETE /api/v1/tokens/:token":     {need: access.Known},
	"GET /api/v1/login":                {need: access.Public},
	"GET /api/v1/login/provider":       {need: access.Public},
	"GET /api/v1/login/callback":       {need: access.Public},
	"GET /api/v1/sessions":             {need: access.Known},
	"DELETE /api/v1/sessions":          {need: access.Known},
	"DELETE /api/v1/sessions/:session": {need: access.Known},
	"GET /api/v1/projects":             {need: access.Known},
	"POST /api/v1/projects":            {need: access.Admin, body: `{"name":"1"}`},
	"GET /api/v1/projects/:project":    {need: access.Reader},
	"PATCH /api/v1/projects/:project":  {need: access.Admin, body: `{"name":"1"}`},
	// It has datasets.
	"DELETE /api/v1/projects/:project":    {need: access.Admin},
	"GET /api/v1/projects/:project/quota": {need: access.Reader},
	"PUT /api/v1/projects/:project/quota": {need: access.Admin, body: `{}`},
	"GET /api/v1/audit":                   {need: access.Admin},
	"GET /api/v1/audit/check":             {need: access.Admin},
	"POST /api/v1/audit/acknowledgements": {need: access.Admin, body: "{}"},

	"GET /api/v1/webhooks":                                          {need: access.Known},
	"POST /api/v1/webhooks":                                         {need: access.Maintainer, body: `{"url":"https://example.com/","project_id":{project},"kinds":["x"]}`},
	"GET /api/v1/webhooks/:webhook":                                 {need: access.Maintainer},
	"PATCH /api/v1/webhooks/:webhook":                               {need: access.Maintainer, body: `{}`},
	"DELETE /api/v1/webhooks/:webhook":                              {need: access.Maintainer},
	"POST /api/v1/webhooks/:webhook/test":                           {need: access.Maintainer},
	"GET /api/v1/webhooks/:webhook/deliveries":                      {need: access.Maintainer},
	"POST /api/v1/webhooks/:webhook/deliveries/:delivery/redeliver": {need: access.Maintainer},

	"POST /api/v1/store/backups":                  {need: access.Admin, body: `{}`},
	"GET /api/v1/store/backups":                   {need: access.Admin},
	"GET /api/v1/store/backups/:backup":           {need: access.Admin},
	"POST /api/v1/store/backups/:backup/datasets": {need: access.Admin, body: `{"dataset": "none"}`},
	"POST /api/v1/store/repairs":                  {need: access.Admin, query: dry},

	"GET /iceberg/v1/config":                              {need: access.Known},
	"POST /iceberg/v1/oauth/tokens":                       {need: access.Public},
	"GET /iceberg/v1/namespaces":                          {need: access.Known},
	"GET /iceberg/v1/namespaces/:namespace":               {need: access.Reader, query: "project={project}"},
	"GET /iceberg/v1/namespaces/:namespace/tables":        {need: access.Reader, query: "project={project}"},
	"GET /iceberg/v1/namespaces/:namespace/tables/:table": {need: access.Reader, query: "project={project}"},

	"GET /v1/user":                              {need: access.Known},
	"GET /v2/vaults":                            {need: access.Known},
	"POST /v2/vaults":                           {need: access.Admin, body: `{}`},
	"GET /v2/vaults/:vault":                     {need: access.Reader, query: "project={project}"},
	"PATCH /v2/vaults/:vault":                   {need: access.Admin, body: `{}`},
	"PUT /v2/vaults/:vault":                     {need: access.Admin, body: `{}`},
	"GET /v2/objects":                           {need: access.Known},
	"POST /v2/objects":                          {need: access.Writer, body: `{"vault_id":{project}}`},
	"GET /v2/objects/:object":                   {need: access.Reader, query: "project={project}"},
	"PATCH /v2/objects/:object":                 {need: access.Maintainer, query: "project={project}", body: `{"x":1}`},
	"PUT /v2/objects/:object":                   {need: access.Maintainer, query: "project={project}", body: `{"x":1}`},
	"DELETE /v2/objects/:object":                {need: access.Maintainer, query: "project={project}", body: `{"x":1}`},
	"GET /v2/objects/:object/download":          {need: access.Reader, query: "project={project}"},
	"GET " + edp:                                {need: access.Reader},
	"PATCH " + edp:                              {need: access.Maintainer, body: `{"x":1}`},
	"PUT " + edp:                                {need: access.Maintainer, body: `{"x":1}`},
	"DELETE " + edp:                             {need: access.Maintainer, body: `{"x":1}`},
	"POST " + edp + "/data":                     {need: access.Reader, body: `{}`},
	"GET " + edp + "/data/:ids":                 {need: access.Reader},
	"GET " + edp + "/fields":                    {need: access.Reader},
	"GET " + edp + "/template":                  {need: access.Reader},
	"GET " + edp + "/commits":                   {need: access.Reader},
	"GET " + edp + "/imports":                   {need: access.Reader},
	"GET " + edp + "/exports":                   {need: access.Reader},
	"GET " + edp + "/migrations":                {need: access.Reader},
	"POST /v2/batch_query":                      {need: access.Reader, query: "project={project}", body: `{"queries":[{"dataset":"{id}"}]}`},
	"POST /v2/dataset_fields":                   {need: access.Maintainer, query: "project={project}", body: `{"dataset_id":"{id}"}`},
	"GET /v2/dataset_fields/:field":             {need: access.Reader, query: "project={project}"},
	"PATCH /v2/dataset_fields/:field":           {need: access.Maintainer, query: "project={project}", body: `{"x":1}`},
	"PUT /v2/dataset_fields/:field":             {need: access.Maintainer, query: "project={project}", body: `{"x":1}`},
	"DELETE /v2/dataset_fields/:field":          {need: access.Maintainer, query: "project={project}", body: `{"x":1}`},
	"GET /v2/dataset_fields/:field/facets":      {need: access.Reader, query: "project={project}"},
	"GET /v2/dataset_commits/:commit":           {need: access.Reader, query: "project={project}"},
	"GET /v2/dataset_commits/:commit/rollback":  {need: access.Reader, query: "project={project}"},
	"POST /v2/dataset_commits/:commit/rollback": {need: access.Writer, query: "project={project}", body: `{"x":1}`},
	"POST /v2/dataset_imports":                  {need: access.Writer, query: "project={project}", body: `{"dataset_id":"{id}"}`},
	// What is not there is not of any project.
	"GET /v2/dataset_imports/:import":          {need: access.Known},
	"POST /v2/dataset_migrations":              {need: access.Writer, query: "project={project}", body: `{"target_id":"{id}","commit_mode":"x"}`},
	"GET /v2/dataset_migrations/:migration":    {need: access.Known},
	"POST /v2/dataset_exports":                 {need: access.Reader, query: "project={project}", body: `{"dataset_id":"{id}","format":"x"}`},
	"GET /v2/dataset_exports/:export":          {need: access.Known},
	"GET /v2/dataset_exports/:export/download": {need: access.Known},
	"GET /v2/tasks":                            {need: access.Known},
	"GET /v2/tasks/:task":                      {need: access.Known},
	// The URL has a signature.
	"PUT /v2/uploads/:file": {need: access.Public},
	"GET /v2/downloads/:of": {need: access.Public},

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

	"GET /api/datasets_by_name/:name":                 {need: access.Known},
	"GET " + shoji:                                    {need: access.Reader},
	"PATCH " + shoji:                                  {need: access.Maintainer, query: stale, body: `{"description":"x"}`},
	"DELETE " + shoji:                                 {need: access.Maintainer, query: stale},
	"GET " + shoji + "/summary":                       {need: access.Reader},
	"GET " + shoji + "/table":                         {need: access.Reader},
	"POST " + shoji + "/table":                        {need: access.Writer, query: stale, body: `{"command":"delete"}`},
	"GET " + shoji + "/pk":                            {need: access.Reader},
	"DELETE " + shoji + "/pk":                         {need: access.Maintainer},
	"GET " + shoji + "/exclusion":                     {need: access.Reader},
	"PATCH " + shoji + "/exclusion":                   {need: access.Maintainer, query: stale, body: `{"expression":{}}`},
	"GET " + shoji + "/actions":                       {need: access.Reader},
	"POST " + shoji + "/actions":                      {need: access.Writer, query: stale, body: `{"dataset":"/api/datasets/{fork}/"}`},
	"GET " + shoji + "/actions/since_forking":         {need: access.Reader},
	"GET " + shoji + "/actions/upstream_delta":        {need: access.Reader},
	"GET " + shoji + "/actions/:action":               {need: access.Reader},
	"GET " + shoji + "/savepoints":                    {need: access.Reader},
	"POST " + shoji + "/savepoints":                   {need: access.Writer, query: stale, body: `{"description":"x"}`},
	"GET " + shoji + "/savepoints/:savepoint":         {need: access.Reader},
	"PATCH " + shoji + "/savepoints/:savepoint":       {need: access.Writer, query: stale, body: `{"description":"x"}`},
	"GET " + shoji + "/savepoints/:savepoint/revert":  {need: access.Reader},
	"POST " + shoji + "/savepoints/:savepoint/revert": {need: access.Maintainer, query: stale},
	"GET " + shoji + "/forks":                         {need: access.Reader},
	"POST " + shoji + "/forks":                        {need: access.Writer, query: stale, body: `{}`},
	"GET " + shoji + "/variables":                     {need: access.Reader},
	"POST " + shoji + "/variables":                    {need: access.Maintainer, query: stale, body: `{"name":"v","type":"numeric","values":[1]}`},
	"GET " + shoji + "/variables/:variable":           {need: access.Reader},
	"PATCH " + shoji + "/variables/:variable":         {need: access.Maintainer, query: stale, body: `{"description":"x"}`},
	"DELETE " + shoji + "/variables/:variable":        {need: access.Maintainer, query: stale},
	"GET " + shoji + "/variables/:variable/values":    {need: access.Reader},
	"GET " + shoji + "/variables/:variable/summary":   {need: access.Reader},
	"GET " + shoji + "/variables/:variable/cast":      {need: access.Reader, query: "cast_as=text"},
	"POST " + shoji + "/variables/:variable/cast":     {need: access.Maintainer, query: stale, body: `{"cast_as":"text"}`},
	"GET " + shoji + "/folders":                       {need: access.Reader},
	"GET " + shoji + "/folders/public":                {need: access.Reader},
	"GET " + shoji + "/batches":                       {need: access.Reader},
	"POST " + shoji + "/batches":                      {need: access.Writer, query: stale, body: `{}`},
	"GET " + shoji + "/batches/:batch":                {need: access.Reader},
}

// Every route of every HTTP face lets those in who have the role that it needs in the project that it is about, answers
// 403 to those who have a lesser one, 404 to those who have none, and 401 to those who are not known.
func TestEveryRouteByRoleAndProject(t *testing.T) {
	w := newAccessWorld(t)
	asked := map[string]bool{}
	routes := append(w.app.GetRoutes(true), fiber.Route{Method: "GET", Path: "/docs/"}) // one handler for all below it
	for _, r := range routes {
		name := r.Method + " " + r.Path
		if r.Method == http.MethodHead {
			continue
		}
		e, listed := accessTable[name]
		if !listed && r.Method == http.MethodGet && web.IsFile(r.Path) {
			e, listed = entry{need: access.Public}, true
		}
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
			t.Errorf("%s is in the table but is not a route", name)
		}
	}
	w.unchanged(t)
}

// try asks a route as a caller, about a project, and compares the answer with what the table says.
func (w *accessWorld) try(t *testing.T, method, path string, e entry, c accessCaller, project int64) {
	t.Helper()
	about := strings.Contains(path+e.query+e.body, ":dataset") || strings.Contains(path, ":project") ||
		strings.Contains(path, ":webhook") || strings.Contains(e.query+e.body, "{project}") || e.home
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

// ofOne is what differs between the answers to two requests for different things.
var ofOne = regexp.MustCompile(`"request_id":"[^"]*",?|[0-9a-f]{16,}|project \d+|Project '?\d+'?`)

// indistinguishable makes sure that a dataset which the caller must not know of is answered as one that does not exist.
func (w *accessWorld) indistinguishable(
	t *testing.T, method, path string, e entry, c accessCaller, got facetest.Answer,
) {
	t.Helper()
	plain := func(a facetest.Answer) string {
		return fmt.Sprint(a.Status, ofOne.ReplaceAllString(a.Text, ""))
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
	if of, ok := a.Body["error"].(map[string]any); ok { // as Iceberg's catalogs have it
		code = map[any]string{
			"NotAuthorizedException": "unauthorized", "NoSuchNamespaceException": "project_not_found",
			"NoSuchTableException": "dataset_not_found",
		}[of["type"]]
	}
	switch {
	case a.Status == 401 && code == "unauthorized" && !strings.Contains(a.Text, "e-mail"):
		return "401"
	case a.Status == 403 && code != "signature_wrong": // which is of the URL, whoever sends it
		return "403"
	case a.Status == 404 && slices.Contains([]string{"dataset_not_found", "project_not_found", "webhook_not_found"}, code):
		return "404"
	}
	return fmt.Sprint("let in ", a.Status)
}

// ask sends a request about a project.
func (w *accessWorld) ask(
	t *testing.T, method, path string, e entry, c accessCaller, project int64,
) facetest.Answer {
	t.Helper()
	fill := strings.NewReplacer(":dataset", w.ids[project], ":project", fmt.Sprint(project),
		":namespace", fmt.Sprint(project), ":table", "d", ":id", "1", ":tag", "t",
		":backup", "b", ":savepoint", "master__000001", ":proposal", "1", ":comment", "9",
		":variable", w.ids[project]+"_1", ":user", "someone",
		":vault", fmt.Sprint(project), ":object", w.ids[project], ":field", w.ids[project]+"_1",
		":commit", w.ids[project]+"_1", ":ids", "1",
		":token", "tok_0", ":session", "0",
		":action", "1", ":batch", "b", ":source", "s", ":name", "d", "{project}", fmt.Sprint(project), "{id}", w.ids[project],
		"{fork}", w.forks[project])
	if strings.Contains(path, ":webhook") {
		path = strings.NewReplacer(":webhook", w.webhook(t, project), ":delivery", "1").Replace(path)
	}
	if method == flightMethod {
		_, in, _ := strings.Cut(fill.Replace(e.query), "project=")
		return w.flight.ask(t, path, fill.Replace(e.body), c.token, in)
	}
	target, query := fill.Replace(path), fill.Replace(e.query)
	if query != "" {
		target += "?" + query
	}
	if _, err := url.Parse(target); err != nil {
		t.Fatal(err)
	}
	headers := []string{"Content-Type", "application/json"}
	if web.Owns(path) {
		headers = append(headers, "Accept", "text/html")
	}
	if c.token != "" {
		headers = append(headers, "Authorization", "Bearer "+c.token)
	}
	got, err := facetest.Exchange(w.app, method, target, fill.Replace(e.body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
