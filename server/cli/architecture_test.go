package cli

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ourModule is the prefix of our packages, which are written without it below.
const ourModule = "github.com/rowback/rowback/"

// boundary is which of our packages a package may import, and why.
type boundary struct {
	of    string
	may   []string
	since string
}

// Every package must be listed.
var boundaries = []boundary{
	{"storage/schema", nil, "types and columns are plain Go: their tests need no database"},
	{"storage/fair", []string{"storage/fault"},
		"places are shared among users, whatever is done in them"},
	{"storage/fault", nil, "what a refusal says is plain data: every package may return one"},
	{"storage/clientsql", []string{"storage/schema", "storage/duck", "storage/fault", "storage/fair"},
		"what clients' SQL may say does not depend on what is stored: it knows no store and no snapshot"},
	{"storage/snapshot",
		[]string{"storage/schema", "storage/catalog", "storage/duck", "storage/fault"},
		"a state, and what two of them do not share, are made of the catalog's rows: it knows no store"},
	{"storage/published", []string{"storage/schema", "storage/duck"},
		"what engines read of a state is made of plain values: which files it has is up to the domain"},
	{"storage/digest", nil, "a digest is of values in Arrow: it must not depend on how they are stored"},
	{"storage/bucket", nil, "the door to an object store: what the objects are is up to others"},
	{"storage/bucket/buckettest", []string{"storage/bucket"}, "for tests: an S3 server is started in one way"},
	{"storage/blob", []string{"storage/bucket"}, "objects are bytes, in a directory or in a bucket"},
	{"storage/seal", nil, "a text with its checksum: what it describes is up to others"},
	{"storage/backup", []string{"storage/blob", "storage/bucket", "storage/datadir", "storage/seal"},
		"backups are bytes with keys: what a store's objects mean is up to the domain"},
	{"storage/duck", []string{"storage/duck/displaced"},
		"the door to DuckDB knows nothing of what goes through it"},
	{"storage/duck/displaced", nil, "a function of DuckDB's, in C, apart so that it is compiled once"},
	{"storage/duck/ducktest", []string{"storage/duck"}, "for tests: DuckDB is opened for them in one way"},
	{"storage/lineage", nil, "what something was made from, as it is given, stored and compared: it knows no store"},
	{"storage/catalog", []string{"storage/schema", "storage/lineage"},
		"rows and transactions; what they mean is up to the domain"},
	{"storage/catalog/postgrestest", nil, "for tests: PostgreSQL is started for them in one way"},
	{"storage/datafile", []string{"storage/schema", "storage/duck", "storage/gate"},
		"files as Parquet"},
	{"storage/lookup", []string{"storage/schema", "storage/datafile"},
		"rows are found by their keys in files: which of them are live is up to the domain"},
	{"storage/verify", []string{"storage/schema", "storage/catalog", "storage/datafile"},
		"it compares stored files with the catalog; what an error says is up to the domain"},
	{"storage/filecache", nil, "a cache; how its files are made is up to the domain"},
	{"storage/datadir", []string{"storage/blob"},
		"it decides whether a directory is a store before anything in it is opened"},
	{"storage/gate", []string{"storage/schema"},
		"what may be stored is one rule for all formats: its tests need no database"},
	{"storage/intake/workbook", nil, "a workbook is sheets of cells; what records they are is up to intake"},
	{"storage/intake",
		[]string{
			"storage/schema", "storage/duck", "storage/datafile", "storage/gate",
			"storage/intake/workbook",
		},
		"it reads uploads; whether a dataset accepts them is up to the domain"},
	{"storage/output",
		[]string{"storage/schema", "storage/duck", "storage/datafile", "storage/intake"},
		"results of any query"},
	{"storage/gating",
		[]string{
			"storage/schema", "storage/catalog", "storage/duck", "storage/fault",
			"storage/clientsql", "storage/snapshot",
		},
		"a gate is evaluated over two states: it knows no store, and not what is refused because of it"},
	{"storage", []string{"storage/"}, "the domain knows nothing above it"},
	{"storage/storagetest", []string{"storage", "storage/"}, "for tests: stores are opened, stopped and shown in one way"},
	{"storage/crash", nil, "tests: they stop and damage stores"},
	{"storage/models", nil, "tests: they compare stores with models"},
	{"compare", []string{"storage/snapshot", "storage/schema", "storage/duck"},
		"a comparison is made of two snapshots: it knows no store"},
	{"query/spark/connect", nil, "messages and a client, made of a document"},
	{"query/spark", []string{"query/spark/connect", "storage/fault"},
		"an engine is asked in its own language: what its tables are is up to who names them"},
	{"query/sparksql", []string{"storage/fault"}, "statements are text: their tests need neither a store nor an engine"},
	{"query", []string{"storage", "storage/", "query/"},
		"compare and query know the domain and not each other"},
	{"server/certs", nil, "certificates, whatever is said under them"},
	{"server/conns", nil, "connections are counted, whatever is said on them"},
	{"server/audit", []string{"storage/fault", "server/settings"},
		"who did what is recorded in one form, whatever was done and whichever face it came to"},
	{"server/quotas", []string{"storage", "server/settings"},
		"what projects may store, as a table: enforcing it is up to the domain"},
	{"server/rates", []string{"server/access", "server/conns", "server/settings"},
		"requests are counted by who sends them, whatever they are for"},
	{"server/access", []string{"server/conns"},
		"headers identify the user, by one rule for every face; addresses are distinguished as connections are"},
	{"server/signon", []string{"storage/fault", "server/access"},
		"whom an identity provider vouches for; what they are let in to is up to access"},
	{"server/accounts", []string{"storage/fault", "server/access", "server/settings"},
		"users, tokens and projects as tables: what they are let in to is up to access"},
	{"storage/trace", nil, "steps of work are marked, whoever follows them: a context and nothing else"},
	{"server/traces", []string{"storage/trace"},
		"spans are sent to a collector: what they are of is said where the work is done"},
	{"server/doctor",
		[]string{"storage/blob", "storage/catalog", "storage/datadir", "server/settings"},
		"it examines a directory that may not be a store, and a machine: it opens no store"},
	{"server/settings", []string{"storage/catalog", "storage/fault"},
		"a database and its migrations, connected to as the catalog's is; what is in the tables is up to those who own them"},
	{"server/settings/settingstest", []string{"server/settings", "storage/catalog/postgrestest"},
		"for tests: the same ones are run on both databases in one way"},
	{"server/permit", []string{"storage", "storage/fault", "server/access"},
		"the domain asks what a caller may do, by one rule for every face"},
	{"server/webhooks",
		[]string{"storage", "storage/catalog", "storage/fault", "server/settings"},
		"events come from what is recorded, and go out by HTTP: it knows no face, and the monitor is asked by a function"},
	{"server/view", []string{"storage/catalog", "storage/schema"},
		"every face shows a commit in the same way"},
	{"server/host",
		[]string{
			"storage", "storage/fault", "storage/fair", "server/access", "server/conns",
			"server/calls", "server/audit", "server/permit", "server/rates", "server/traces",
			"storage/trace",
		},
		"HTTP as every face needs it; the routes are theirs. Of the domain it knows only errors, of calls their limits"},
	{"server/calls",
		[]string{"storage", "storage/catalog", "storage/fault", "storage/fair",
			"storage/intake", "storage/snapshot", "storage/trace", "server/audit"},
		"exactly once, jobs and progress are the same for every face, whatever it speaks"},
	{"server/api",
		[]string{
			"storage", "storage/", "compare", "query", "server/host",
			"server/access", "server/accounts", "server/audit", "server/calls",
			"server/permit", "server/quotas", "server/signon", "server/sources", "server/view",
			"server/webhooks",
		},
		"faces know the domain, never each other"},
	{"server/sources", []string{"storage", "storage/catalog", "storage/intake", "storage/schema", "server/calls"},
		"files that were uploaded to be used later are kept in one way for every face"},
	{"server/facetest", []string{"storage", "storage/intake"},
		"for tests: it asks a face, and knows none"},
	{"server/flight",
		[]string{
			"storage", "storage/", "query", "server/access", "server/audit",
			"server/calls", "server/conns", "server/permit", "server/rates",
			"server/traces", "server/view",
		},
		"faces know the domain, never each other"},
	{"server/crunch",
		[]string{
			"storage", "storage/", "server/host", "server/access", "server/audit",
			"server/calls", "server/permit", "server/sources", "server/crunch/",
		},
		"faces know the domain, never each other"},
	{"server/iceberg",
		[]string{"storage", "storage/", "server/host", "server/access", "server/accounts", "server/permit"},
		"faces know the domain, never each other"},
	{"server/quartzbio",
		[]string{
			"storage", "storage/", "server/host", "server/access", "server/accounts", "server/audit",
			"server/calls", "server/permit", "server/settings", "server/sources", "server/quartzbio/",
		},
		"faces know the domain, never each other"},
	{"server/quartzbio/expression", nil, "expressions are of plain values: whose they are is up to the face"},
	{"server/crunch/expression",
		[]string{"storage/schema", "storage/duck", "storage/fault"},
		"expressions become SQL over the columns of a dataset: what that is for is up to the face"},
	{"server/terminal", nil, "what is printed for people looks the same, whatever it is about"},
	{"server/profile", nil, "servers and tokens in a file: what is asked of them is up to the commands"},
	{"server/web", nil, "pages are text and use the public API"},
	{"server/web/browser", nil, "tests in a browser drive the built program, and link none of it"},
	{"fixtures", []string{"storage", "storage/"}, "samples are made through the domain"},
	{"fixtures/bench", []string{"storage", "storage/", "compare", "query", "server/"}, "it measures everything"},
	{"fixtures/cluster", nil, "tests: they start the built program, and link none of it"},
	{"fixtures/cluster/balancer", nil, "for tests: it passes requests on, whatever they say"},
	{"server/cli", []string{"storage", "storage/", "compare", "query", "server/", "fixtures"}, "it wires everything"},
	{"server", []string{"server/cli"}, "the program is its command line"},
	{"server/rowback", []string{"server/cli"}, "the program again, under the name that go install gives it"},
}

// doors are libraries that only one place may import, so that replacing one changes one place.
var doors = map[string][]string{
	"github.com/duckdb/":          {"storage/duck", "storage/duck/displaced", "fixtures/bench"},
	"github.com/mattn/go-sqlite3": {"storage/catalog", "server/settings"},
	"github.com/jackc/pgx/":       {"storage/catalog", "server/settings"},
	"github.com/pressly/goose":    {"storage/catalog", "server/settings"},
	"github.com/parquet-go/":      {"storage/datafile", "storage/lookup"},
	"github.com/twmb/avro":        {"storage/published"},
	"github.com/gofiber/": {"server/host", "server/api", "server/crunch", "server/iceberg",
		"server/quartzbio", "server/web", "server/facetest"},
	"github.com/alecthomas/kong":      {"server/cli"},
	"github.com/reeflective/readline": {"server/cli"},
	"github.com/mattn/go-runewidth":   {"server/terminal"},
	"github.com/coreos/go-oidc/":      {"server/signon"},
	"golang.org/x/oauth2":             {"server/signon"},
	"golang.org/x/crypto/acme":        {"server/certs"},
	"go.opentelemetry.io/":            {"server/traces"},
	"google.golang.org/grpc":          {"server/flight", "query/spark", "query/spark/connect", "fixtures/bench"},
}

func TestWhoMayKnowWhom(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "duckdb_arrow", "-f", `{{.ImportPath}} {{join .Imports " "}}`,
		ourModule+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), ourModule), " ")
		i := slices.IndexFunc(boundaries, func(b boundary) bool { return b.of == pkg })
		if i < 0 {
			t.Errorf("%s has no boundaries: list the packages that it may import", pkg)
			continue
		}
		for _, imported := range strings.Fields(imports) {
			checkDoor(t, pkg, imported)
			if pkg == "storage" && imported == "os" {
				t.Errorf("%s uses the file system: have blob or datadir do that", pkg)
			}
			if ours, ok := strings.CutPrefix(imported, ourModule); ok && !allowed(ours, boundaries[i].may) {
				t.Errorf("%s imports %s, and may not: %s", pkg, ours, boundaries[i].since)
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
	eachFile(t, "../../storage", func(path, text string) {
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
