package query_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// The codes that attempts end with.
const (
	forbidden = "forbidden_sql"
	notSQL    = "invalid_sql"
	noTable   = "dataset_not_found"
	noSchema  = "unknown_table"
	noMemory  = "out_of_memory"
	tooLate   = "timeout"
)

// attempts are statements that try to access more than the datasets that they name. DATA stands for the store's folder,
// FILE for a data file of another dataset.
var attempts = []struct{ sql, code string }{
	// Files.
	{"SELECT * FROM 'x.parquet'", noTable},
	{"SELECT * FROM 'FILE'", noTable},
	{`SELECT * FROM "FILE"`, noTable},
	{"SELECT * FROM 'DATA/objects/*/*/*.parquet'", noTable},
	{"SELECT * FROM '/etc/passwd'", noTable},
	{"SELECT * FROM 's3://bucket/x.parquet'", noTable},
	{"SELECT * FROM 'https://example.com/x.csv'", noTable},
	{"SELECT * FROM read_parquet('FILE')", forbidden},
	{"SELECT * FROM parquet_scan('FILE')", forbidden},
	{"SELECT * FROM employees JOIN read_parquet('FILE') ON true", forbidden},
	{"SELECT (SELECT max(salary) FROM read_parquet('FILE'))", forbidden},
	{"WITH x AS (FROM read_parquet('FILE')) SELECT * FROM x", forbidden},
	{"SELECT * FROM employees WHERE name IN (SELECT salary FROM read_parquet('FILE'))", forbidden},
	{"SELECT * FROM employees, LATERAL (SELECT * FROM read_parquet('FILE'))", forbidden},
	{"FROM parquet_metadata('FILE')", forbidden},
	{"FROM parquet_schema('FILE')", forbidden},
	{"FROM parquet_kv_metadata('FILE')", forbidden},
	{"FROM read_csv('/etc/passwd')", forbidden},
	{"FROM read_csv_auto('/etc/passwd')", forbidden},
	{"FROM sniff_csv('/etc/passwd')", forbidden},
	{"FROM read_text('DATA/catalog.db')", forbidden},
	{"FROM read_blob('DATA/catalog.db')", forbidden},
	{"FROM read_json('DATA/objects/*.json')", forbidden},
	{"FROM read_ndjson_objects('x')", forbidden},
	{"FROM glob('DATA/**')", forbidden},
	{"FROM ST_Read('x.shp')", forbidden},
	{"FROM sqlite_scan('DATA/catalog.db', 'datasets')", forbidden},
	{"FROM arrow_scan(1, 2, 3)", forbidden},
	// Statements that are not a SELECT.
	{"ATTACH 'DATA/catalog.db' AS c (TYPE sqlite)", notSQL},
	{"DETACH memory", notSQL},
	{"USE memory", notSQL},
	{"COPY employees TO 'DATA/x.parquet'", notSQL},
	{"COPY (SELECT 1) TO '/tmp/x.csv'", notSQL},
	{"COPY employees FROM 'FILE'", notSQL},
	{"EXPORT DATABASE 'DATA/x'", notSQL},
	{"IMPORT DATABASE 'DATA/x'", notSQL},
	{"INSTALL httpfs", notSQL},
	{"LOAD httpfs", notSQL},
	{"SET memory_limit = '100GB'", notSQL},
	{"SET enable_external_access = true", notSQL},
	{"RESET allowed_paths", notSQL},
	{"PRAGMA database_list", notSQL},
	{"PRAGMA memory_limit = '100GB'", notSQL},
	{"CALL pragma_version()", notSQL},
	{"CREATE TABLE t (a INT)", notSQL},
	{"CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')", notSQL},
	{"CREATE MACRO employees() AS TABLE SELECT * FROM read_text('/etc/passwd')", notSQL},
	{"CREATE FUNCTION upper(x) AS (SELECT content FROM read_text('/etc/passwd'))", notSQL},
	{"INSERT INTO employees VALUES (9, 'x')", notSQL},
	{"UPDATE employees SET name = 'x'", notSQL},
	{"DELETE FROM employees", notSQL},
	{"DROP VIEW employees", notSQL},
	{"PREPARE p AS SELECT * FROM read_text('/etc/passwd')", notSQL},
	{"EXECUTE p", notSQL},
	{"EXPLAIN SELECT * FROM employees", notSQL},
	{"EXPLAIN ANALYZE SELECT * FROM employees", notSQL},
	{"VACUUM", notSQL},
	{"CHECKPOINT", notSQL},
	{"BEGIN TRANSACTION", notSQL},
	// More than one statement, and text that would end our statement early.
	{"SELECT 1; SELECT * FROM read_text('/etc/passwd')", notSQL},
	{"SELECT 1; COPY employees TO '/tmp/x.csv'", notSQL},
	{"SELECT 1) ; SELECT (2", notSQL},
	{"SELECT 1) UNION (SELECT content FROM read_text('/etc/passwd')", notSQL},
	{"SELECT 1 /*", notSQL},
	{"SELECT 1 /* */ ; -- \nSELECT 2", notSQL},
	{"SELECT $$", notSQL},
	{"SELECT 1 -- \n; DROP VIEW employees", notSQL},
	{"SELECT '\x00'", notSQL},
	// What the instance knows about itself.
	{"SELECT getenv('HOME')", notSQL},
	{"SELECT current_setting('allowed_paths')", forbidden},
	{"SELECT getvariable('x')", forbidden},
	{"SELECT nextval('s')", forbidden},
	{"SELECT current_query()", forbidden},
	{"SELECT version()", forbidden},
	{"SELECT pg_get_viewdef(1)", forbidden},
	{"SELECT write_log('x')", forbidden},
	{"SELECT system.main.getenv('HOME')", notSQL},
	{"SELECT list_transform(['HOME'], lambda x: getenv(x))", notSQL},
	{"SELECT * FROM employees ORDER BY getenv('HOME')", notSQL},
	{"SELECT json_serialize_plan('SELECT * FROM employees')", forbidden},
	{"SELECT json_serialize_sql('SELECT 1')", forbidden},
	{"SELECT stats(name) FROM employees", forbidden},
	{"SELECT setseed(0.5), random()", forbidden},
	{"SELECT sleep_ms(100000)", forbidden},
	{"SELECT pg_sleep(100)", forbidden},
	{"SELECT txid_current()", forbidden},
	{"SELECT inet_server_addr()", forbidden},
	{"SELECT has_table_privilege('employees', 'select')", forbidden},
	{"SELECT name.current_setting() FROM employees", forbidden},
	{"SELECT [current_setting(x) for x in ['allowed_paths']]", forbidden},
	{"SELECT max(version()) OVER () FROM employees", forbidden},
	{"SELECT version() OVER () FROM employees", forbidden},
	{"SELECT count(*) FILTER (WHERE version() = 'a') FROM employees", forbidden},
	{"SELECT string_agg(name ORDER BY version()) FROM employees", forbidden},
	{"SELECT name FROM employees QUALIFY version() = 'a'", forbidden},
	{"SELECT name FROM employees LIMIT getvariable('x')", forbidden},
	{"VALUES (current_database())", forbidden},
	{"SELECT * REPLACE (version() AS name) FROM employees", forbidden},
	{"SELECT CASE WHEN true THEN current_schemas(true) END", forbidden},
	{"SELECT variant_bytes_to_variant('a'::BLOB)", forbidden},
	{"SELECT __internal_decompress_string(1)", forbidden},
	{"FROM duckdb_settings()", forbidden},
	{"FROM histogram('employees', 'name')", forbidden},
	{"FROM repeat_row(1, num_rows = 3)", forbidden},
	{"FROM checkpoint()", forbidden},
	{"FROM duckdb_views()", forbidden},
	{"FROM duckdb_secrets()", forbidden},
	{"FROM duckdb_extensions()", forbidden},
	{"FROM pragma_database_list()", forbidden},
	{"FROM pragma_table_info('employees')", forbidden},
	{"SELECT * FROM duckdb_views", noTable},
	{"SELECT * FROM duckdb_settings", noTable},
	{"SELECT * FROM sqlite_schema", noTable},
	{"SELECT * FROM pragma_database_list", noTable},
	{"SELECT * FROM information_schema.tables", noSchema},
	{"SELECT * FROM pg_catalog.pg_views", noSchema},
	{"SELECT * FROM main.duckdb_views", noSchema},
	{"SELECT * FROM system.main.duckdb_views", noSchema},
	{"SHOW TABLES", forbidden},
	{"SHOW ALL TABLES", forbidden},
	{"SELECT * FROM (SHOW TABLES)", forbidden},
	{"DESCRIBE", forbidden},
	{"SUMMARIZE read_text('/etc/passwd')", notSQL},
	{"DESCRIBE (FROM read_text('/etc/passwd'))", forbidden},
	{"DESCRIBE FROM read_text('/etc/passwd')", forbidden},
	// A name that is defined in one place and used in another.
	{"SELECT (WITH duckdb_views AS (SELECT 1) SELECT 1), * FROM duckdb_views", noTable},
	{"WITH a AS (FROM duckdb_views), duckdb_views AS (SELECT 1) FROM a", noTable},
	{"WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views", noTable},
	{"WITH RECURSIVE duckdb_views AS (SELECT sql FROM duckdb_views UNION ALL SELECT 'x' FROM duckdb_views WHERE false) " +
		"FROM duckdb_views", noTable},
	// SQL in text.
	{"FROM query('SELECT 1')", forbidden},
	{"FROM query_table('employees')", forbidden},
	{"FROM query_table(['employees'])", forbidden},
	{"FROM json_execute_serialized_sql('{}')", forbidden},
	{"SELECT json_execute_serialized_sql('{}')", notSQL},
	{"FROM test_all_types()", forbidden},
	{"FROM summary((SELECT 1))", forbidden},
	// Other projects, and datasets that do not exist.
	{"SELECT * FROM salaries", noTable},
	{`SELECT * FROM "00000000000000000000000000000009"`, noTable},
	{`SELECT * FROM "salaries@1..2"`, noTable},
	// Too much.
	{"SELECT repeat('x', 10000000000)", notSQL},
	{"SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", tooLate},
	{"SELECT count(*) FROM generate_series(1, 9000000000000000000)", tooLate},
	{"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t", tooLate},
	{"SELECT list(range) FROM range(1000000000)", tooLate + " " + noMemory},
	{"SELECT string_agg(range::VARCHAR || 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', '') FROM range(1000000000)",
		tooLate + " " + noMemory},
	{"SELECT count(*) FROM (SELECT DISTINCT hash(range) FROM range(10000000000))", tooLate + " " + noMemory},
	{"SELECT " + stuck, tooLate},
	{"SELECT levenshtein(repeat('ab', 100000), repeat('ba', 100000))", tooLate},
	{"SELECT length(printf('%2000000000d', 1))", noMemory},
	{"SELECT length(format('{:>2000000000}', 'x'))", noMemory},
	{"SELECT " + strings.Repeat("(", 40000) + "1" + strings.Repeat(")", 40000), "too_complex"},
	{"SELECT 1" + strings.Repeat("+1", 40000), notSQL},
	{"SELECT '" + strings.Repeat("x", 500000) + "'", notSQL},
	{strings.Repeat("SELECT * FROM (", 5000) + "SELECT 1" + strings.Repeat(")", 5000), "too_complex"},
}

// stuck is an expression that takes years, inside one function, where DuckDB can't be interrupted.
const stuck = "repeat('a', 2000) ILIKE '%_a%_a%_a%_a%_a%_a%_b'"

// leak matches what no answer may contain: paths on the disk, our SQL, our code.
var leak = regexp.MustCompile(`objects/|catalog\.db|\.parquet|read_parquet\(\[|\bc\d+\b|CREATE VIEW|` +
	`"datasets\.|\.go:\d|goroutine|root:`)

// TestAttempts makes each attempt and asserts that it ends as it should, reveals nothing about the server, and that the
// next good statement, which runs in the same sandbox if the attempt left one, finds what the one before it found.
func TestAttempts(t *testing.T) {
	w := empty(t, storage.Options{Memory: 3 << 30})
	w.commit(w.create(1, "employees", "id"), "append", `[{"id":1,"name":"Ada"}]`)
	w.commit(w.create(2, "salaries", "id"), "append", `[{"id":1,"salary":"a secret"}]`)
	files, err := filepath.Glob(filepath.Join(w.dir, "objects", "*", "*", "*.parquet"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	words := strings.NewReplacer("DATA", w.dir, "FILE", files[1])
	before := tree(t, w.dir)
	for _, a := range attempts {
		name := a.sql[:min(len(a.sql), 60)]
		t.Run(name, func(t *testing.T) {
			attempt(t, w, words.Replace(a.sql), a.code)
			if got, _, err := w.ask(context.Background(),
				query.Statement{SQL: "SELECT name FROM employees"}); got != `{"name":"Ada"}` {
				t.Errorf("a good statement afterwards: %s %v", got, err)
			}
		})
	}
	unchanged(t, w, before)
}

func attempt(t *testing.T, w *world, sql, codes string) {
	ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	start := time.Now()
	got, _, err := w.ask(ctx, query.Statement{SQL: sql})
	if err == nil {
		t.Fatalf("it gave %s", got)
	}
	if code := storage.Explain(err).Code; !strings.Contains(codes, code) {
		t.Errorf("got %s: %v; want %s", code, err, codes)
	}
	said := strings.ReplaceAll(storage.Explain(err).Detail, clipped(sql), "")
	if found := leak.FindString(said); found != "" && !strings.Contains(sql, found) {
		t.Errorf("%q leaks in %s", found, said)
	}
	if strings.ContainsAny(said, "\n\t") {
		t.Errorf("more than a line: %s", said)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// clipped is the name in a statement, which an answer may repeat.
func clipped(sql string) string {
	_, name, _ := strings.Cut(sql, "'")
	name, _, _ = strings.Cut(name, "'")
	return name[:min(len(name), 60)]
}

// tree lists the files of a store, except for the database's own.
func tree(t *testing.T, dir string) (list string) {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if !d.IsDir() && !strings.Contains(path, "catalog.db") {
			list += path + "\n"
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// unchanged asserts that the folder lists the files that it had before, as soon as processes that were killed are gone.
func unchanged(t *testing.T, w *world, before string) {
	after := tree(t, w.dir)
	for end := time.Now().Add(10 * time.Second); after != before && time.Now().Before(end); after = tree(t, w.dir) {
		time.Sleep(10 * time.Millisecond)
	}
	if after != before {
		t.Errorf("the folder was\n%s\nand is\n%s", before, after)
	}
}

// A statement that needs more memory than allowed ends alone: concurrent commits and other statements work.
func TestAHungryStatementHarmsNoOther(t *testing.T) {
	w := empty(t, storage.Options{Memory: 3 << 30})
	id := w.create(1, "employees", "id")
	w.commit(id, "append", `[{"id":0,"name":"Ada"}]`)
	hungry := make(chan error)
	for range 2 {
		go func() {
			_, _, err := w.ask(context.Background(), query.Statement{SQL: "SELECT list(range) FROM range(1000000000)"})
			hungry <- err
		}()
	}
	for i := 1; i <= 20; i++ {
		w.commit(id, "append", fmt.Sprintf(`[{"id":%d,"name":"Ben"}]`, i))
		got, _, err := w.ask(context.Background(), query.Statement{SQL: "SELECT count(*) AS n FROM employees"})
		if want := fmt.Sprintf(`{"n":%d}`, i+1); got != want {
			t.Errorf("got %s %v, want %s", got, err, want)
		}
	}
	for range 2 {
		if err := <-hungry; storage.Explain(err).Code != noMemory {
			t.Errorf("the hungry statement ended with %v", err)
		}
	}
	problems, err := w.Check(context.Background(), true)
	if len(problems) > 0 || err != nil {
		t.Error(problems, err)
	}
}

// A statement ends with its context, also while it computes.
func TestAStatementEndsWithItsContext(t *testing.T) {
	w := empty(t, storage.Options{})
	gone := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(100*time.Millisecond, func() { cancel(gone) })
	start := time.Now()
	_, _, err := w.ask(ctx,
		query.Statement{SQL: "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"})
	if !errors.Is(err, gone) || time.Since(start) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// Statements that can't be interrupted still end with their context, and free their sandboxes; so do conditions,
// and commits that wait for one.
func TestStuckStatementsEnd(t *testing.T) {
	w := empty(t, storage.Options{})
	id := w.create(1, "employees", "id")
	w.commit(id, "append", `[{"id":1,"name":"Ada"}]`)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			_, _, err := w.ask(ctx, query.Statement{SQL: "SELECT " + stuck})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.Commit(ctx, id,
		storage.Change{Mode: "delete", Where: stuck}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the commit ended with %v", err)
	}
	running.Wait()
	if got, _, err := w.ask(context.Background(),
		query.Statement{SQL: "SELECT name FROM employees"}); got != `{"name":"Ada"}` {
		t.Errorf("a good statement afterwards: %s %v", got, err)
	}
}

// A statement that ends while it writes or spills leaves no file.
func TestAKilledStatementLeavesNoFile(t *testing.T) {
	w := empty(t, storage.Options{Memory: 3 << 30})
	before := tree(t, w.dir)
	for _, sql := range []string{
		"SELECT range FROM range(1000000000000)", "SELECT range FROM range(1000000000) ORDER BY hash(range)",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := query.Write(ctx, w.Store, query.Statement{SQL: sql, Project: 1}, intake.Parquet, io.Discard,
			w.Scratch("result"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s ended with %v", sql, err)
		}
	}
	unchanged(t, w, before)
}

// A process serves many statements, each with its own instance: nothing that one did is visible to the next.
func TestStatementsShareNothing(t *testing.T) {
	w := empty(t, storage.Options{Memory: 3 << 30})
	w.commit(w.create(1, "employees", "id"), "append", `[{"id":1,"name":"Ada"}]`)
	w.commit(w.create(2, "salaries", "id"), "append", `[{"id":1,"salary":"a secret"}]`)
	before := tree(t, w.dir)
	for range 80 { // more than one process serves
		for project, sql := range map[int64]string{
			1: "SELECT name AS v FROM employees", 2: "SELECT salary AS v FROM salaries",
		} {
			want := map[int64]string{1: `{"v":"Ada"}`, 2: `{"v":"a secret"}`}[project]
			var out bytes.Buffer
			_, err := query.Write(context.Background(), w.Store, query.Statement{SQL: sql, Project: project}, intake.NDJSON,
				&out, "")
			if got := strings.TrimSpace(out.String()); got != want || err != nil {
				t.Fatalf("got %s %v, want %s", got, err, want)
			}
		}
		if _, _, err := w.ask(context.Background(),
			query.Statement{SQL: "SELECT * FROM salaries"}); storage.Explain(err).Code != noTable {
			t.Fatal(err)
		}
	}
	unchanged(t, w, before)
}
