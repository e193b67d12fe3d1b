package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// boundary is which of our packages a package may import, and why.
type boundary struct {
	of    string
	may   []string
	since string
}

// Every package must be listed.
var boundaries = []boundary{
	{"rowback/storage/schema", nil, "types and columns are plain Go: their tests need no database"},
	{"rowback/storage/fair", []string{"rowback/storage/fault"},
		"places are shared among users, whatever is done in them"},
	{"rowback/storage/fault", nil, "what a refusal says is plain data: every package may return one"},
	{"rowback/storage/clientsql", []string{"rowback/storage/schema", "rowback/storage/duck", "rowback/storage/fault", "rowback/storage/fair"},
		"what clients' SQL may say does not depend on what is stored: it knows no store and no snapshot"},
	{"rowback/storage/snapshot",
		[]string{"rowback/storage/schema", "rowback/storage/catalog", "rowback/storage/duck", "rowback/storage/fault"},
		"a state, and what two of them do not share, are made of the catalog's rows: it knows no store"},
	{"rowback/storage/digest", nil, "a digest is of values in Arrow: it must not depend on how they are stored"},
	{"rowback/storage/blob", nil, "objects are bytes"},
	{"rowback/storage/seal", nil, "a text with its checksum: what it describes is up to others"},
	{"rowback/storage/backup", []string{"rowback/storage/blob", "rowback/storage/seal"},
		"backups are bytes with keys: what a store's objects mean is up to the domain"},
	{"rowback/storage/duck", []string{"rowback/storage/duck/displaced"},
		"the door to DuckDB knows nothing of what goes through it"},
	{"rowback/storage/duck/displaced", nil, "a function of DuckDB's, in C, apart so that it is compiled once"},
	{"rowback/storage/duck/ducktest", []string{"rowback/storage/duck"}, "for tests: DuckDB is opened for them in one way"},
	{"rowback/storage/catalog", []string{"rowback/storage/schema"},
		"rows and transactions; what they mean is up to the domain"},
	{"rowback/storage/datafile", []string{"rowback/storage/schema", "rowback/storage/duck", "rowback/storage/gate"},
		"files as Parquet"},
	{"rowback/storage/lookup", []string{"rowback/storage/schema", "rowback/storage/datafile"},
		"rows are found by their keys in files: which of them are live is up to the domain"},
	{"rowback/storage/verify", []string{"rowback/storage/schema", "rowback/storage/catalog", "rowback/storage/datafile"},
		"it compares stored files with the catalog; what an error says is up to the domain"},
	{"rowback/storage/filecache", nil, "a cache; how its files are made is up to the domain"},
	{"rowback/storage/datadir", []string{"rowback/storage/blob"},
		"it decides whether a directory is a store before anything in it is opened"},
	{"rowback/storage/gate", []string{"rowback/storage/schema"},
		"what may be stored is one rule for all formats: its tests need no database"},
	{"rowback/storage/intake/workbook", nil, "a workbook is sheets of cells; what records they are is up to intake"},
	{"rowback/storage/intake",
		[]string{
			"rowback/storage/schema", "rowback/storage/duck", "rowback/storage/datafile", "rowback/storage/gate",
			"rowback/storage/intake/workbook",
		},
		"it reads uploads; whether a dataset accepts them is up to the domain"},
	{"rowback/storage/output",
		[]string{"rowback/storage/schema", "rowback/storage/duck", "rowback/storage/datafile", "rowback/storage/intake"},
		"results of any query"},
	{"rowback/storage/gating",
		[]string{
			"rowback/storage/schema", "rowback/storage/catalog", "rowback/storage/duck", "rowback/storage/fault",
			"rowback/storage/clientsql", "rowback/storage/snapshot",
		},
		"a gate is evaluated over two states: it knows no store, and not what is refused because of it"},
	{"rowback/storage", []string{"rowback/storage/"}, "the domain knows nothing above it"},
	{"rowback/compare", []string{"rowback/storage/snapshot", "rowback/storage/schema", "rowback/storage/duck"},
		"a comparison is made of two snapshots: it knows no store"},
	{"rowback/query", []string{"rowback/storage", "rowback/storage/"},
		"compare and query know the domain and not each other"},
	{"rowback/server/certs", nil, "certificates, whatever is said under them"},
	{"rowback/server/conns", nil, "connections are counted, whatever is said on them"},
	{"rowback/server/audit", []string{"rowback/storage/fault", "rowback/server/settings"},
		"who did what is recorded in one form, whatever was done and whichever face it came to"},
	{"rowback/server/quotas", []string{"rowback/storage", "rowback/server/settings"},
		"what projects may store, as a table: enforcing it is up to the domain"},
	{"rowback/server/rates", []string{"rowback/server/access", "rowback/server/conns"},
		"requests are counted by who sends them, whatever they are for"},
	{"rowback/server/access", []string{"rowback/server/conns"},
		"headers identify the user, by one rule for every face; addresses are distinguished as connections are"},
	{"rowback/server/signon", []string{"rowback/storage/fault", "rowback/server/access"},
		"whom an identity provider vouches for; what they are let in to is up to access"},
	{"rowback/server/accounts", []string{"rowback/storage/fault", "rowback/server/access", "rowback/server/settings"},
		"users, tokens and projects as tables: what they are let in to is up to access"},
	{"rowback/storage/trace", nil, "steps of work are marked, whoever follows them: a context and nothing else"},
	{"rowback/server/traces", []string{"rowback/storage/trace"},
		"spans are sent to a collector: what they are of is said where the work is done"},
	{"rowback/server/doctor",
		[]string{"rowback/storage/blob", "rowback/storage/catalog", "rowback/storage/datadir", "rowback/server/settings"},
		"it examines a directory that may not be a store, and a machine: it opens no store"},
	{"rowback/server/settings", nil, "a database and its migrations; what is in the tables is up to those who own them"},
	{"rowback/server/permit", []string{"rowback/storage", "rowback/storage/fault", "rowback/server/access"},
		"the domain asks what a caller may do, by one rule for every face"},
	{"rowback/server/webhooks",
		[]string{"rowback/storage", "rowback/storage/catalog", "rowback/storage/fault", "rowback/server/settings"},
		"events come from what is recorded, and go out by HTTP: it knows no face, and the monitor is asked by a function"},
	{"rowback/server/view", []string{"rowback/storage/catalog", "rowback/storage/schema"},
		"every face shows a commit in the same way"},
	{"rowback/server/host",
		[]string{
			"rowback/storage", "rowback/storage/fault", "rowback/storage/fair", "rowback/server/access", "rowback/server/conns",
			"rowback/server/calls", "rowback/server/audit", "rowback/server/rates", "rowback/server/traces",
			"rowback/storage/trace",
		},
		"HTTP as every face needs it; the routes are theirs. Of the domain it knows only errors, of calls their limits"},
	{"rowback/server/calls",
		[]string{"rowback/storage", "rowback/storage/catalog", "rowback/storage/fault", "rowback/storage/fair",
			"rowback/storage/intake", "rowback/storage/snapshot", "rowback/storage/trace", "rowback/server/audit"},
		"exactly once, jobs and progress are the same for every face, whatever it speaks"},
	{"rowback/server/api",
		[]string{
			"rowback/storage", "rowback/storage/", "rowback/compare", "rowback/query", "rowback/server/host",
			"rowback/server/access", "rowback/server/accounts", "rowback/server/audit", "rowback/server/calls",
			"rowback/server/permit", "rowback/server/quotas", "rowback/server/signon", "rowback/server/view",
			"rowback/server/webhooks",
		},
		"faces know the domain, never each other"},
	{"rowback/server/facetest", []string{"rowback/storage", "rowback/storage/intake"},
		"for tests: it asks a face, and knows none"},
	{"rowback/server/flight",
		[]string{
			"rowback/storage", "rowback/storage/", "rowback/query", "rowback/server/access", "rowback/server/audit",
			"rowback/server/calls", "rowback/server/conns", "rowback/server/permit", "rowback/server/rates",
			"rowback/server/traces", "rowback/server/view",
		},
		"faces know the domain, never each other"},
	{"rowback/server/crunch",
		[]string{
			"rowback/storage", "rowback/storage/", "rowback/server/host", "rowback/server/access", "rowback/server/audit",
			"rowback/server/calls", "rowback/server/permit", "rowback/server/crunch/",
		},
		"faces know the domain, never each other"},
	{"rowback/server/crunch/expression",
		[]string{"rowback/storage/schema", "rowback/storage/duck", "rowback/storage/fault"},
		"expressions become SQL over the columns of a dataset: what that is for is up to the face"},
	{"rowback/server/terminal", nil, "what is printed for people looks the same, whatever it is about"},
	{"rowback/server/profile", nil, "servers and tokens in a file: what is asked of them is up to the commands"},
	{"rowback/server/web", nil, "pages are text and use the public API"},
	{"rowback/server/web/browser", nil, "tests in a browser drive the built program, and link none of it"},
	{"rowback/fixtures", []string{"rowback/storage", "rowback/storage/"}, "samples are made through the domain"},
	{"rowback/fixtures/bench", []string{"rowback/"}, "it measures everything"},
	{"rowback/server", []string{"rowback/"}, "it wires everything"},
}

// doors are libraries that only one place may import, so that replacing one changes one place.
var doors = map[string][]string{
	"github.com/duckdb/":          {"rowback/storage/duck", "rowback/storage/duck/displaced", "rowback/fixtures/bench"},
	"github.com/mattn/go-sqlite3": {"rowback/storage/catalog", "rowback/server/settings", "rowback/server/accounts"},
	"github.com/pressly/goose":    {"rowback/storage/catalog", "rowback/server/settings"},
	"github.com/parquet-go/":      {"rowback/storage/datafile", "rowback/storage/lookup"},
	"github.com/gofiber/": {"rowback/server/host", "rowback/server/api", "rowback/server/crunch",
		"rowback/server/web", "rowback/server/facetest"},
	"github.com/alecthomas/kong":      {"rowback/server"},
	"github.com/reeflective/readline": {"rowback/server"},
	"github.com/mattn/go-runewidth":   {"rowback/server/terminal"},
	"github.com/coreos/go-oidc/":      {"rowback/server/signon"},
	"golang.org/x/oauth2":             {"rowback/server/signon"},
	"golang.org/x/crypto/acme":        {"rowback/server/certs"},
	"go.opentelemetry.io/":            {"rowback/server/traces"},
	"google.golang.org/grpc":          {"rowback/server/flight", "rowback/fixtures/bench"},
}

func TestWhoMayKnowWhom(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "duckdb_arrow", "-f", `{{.ImportPath}} {{join .Imports " "}}`,
		"rowback/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		i := slices.IndexFunc(boundaries, func(b boundary) bool { return b.of == pkg })
		if i < 0 {
			t.Errorf("%s has no boundaries: list the packages that it may import", pkg)
			continue
		}
		for _, imported := range strings.Fields(imports) {
			checkDoor(t, pkg, imported)
			if pkg == "rowback/storage" && imported == "os" {
				t.Errorf("%s uses the file system: have blob or datadir do that", pkg)
			}
			if strings.HasPrefix(imported, "rowback/") && !allowed(imported, boundaries[i].may) {
				t.Errorf("%s imports %s, and may not: %s", pkg, imported, boundaries[i].since)
			}
		}
	}
}

// allowed reports whether a package is on the list, or in a folder on it, which ends in a slash.
func allowed(imported string, may []string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		return imported == m || strings.HasSuffix(m, "/") && strings.HasPrefix(imported, m)
	})
}

func checkDoor(t *testing.T, pkg, imported string) {
	for library, who := range doors {
		if strings.HasPrefix(imported, library) && !slices.Contains(who, pkg) {
			t.Errorf("%s imports %s, which only %s may", pkg, imported, strings.Join(who, " and "))
		}
	}
}

// Every durable step goes through blob's hook, so that tests can simulate a crash at each. Code that writes or syncs
// files itself has steps that no test sees.
func TestOnlyBlobMakesFilesDurable(t *testing.T) {
	eachFile(t, "../storage", func(path, text string) {
		folder := filepath.Base(filepath.Dir(path))
		if strings.Contains(text, ".Sync()") && folder != "blob" {
			t.Errorf("%s syncs a file: have blob do that", path)
		}
	})
}

// eachFile reads the Go files below a folder that are not tests.
func eachFile(t *testing.T, root string, look func(path, text string)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		look(path, string(text))
		files++
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}
