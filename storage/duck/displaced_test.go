//go:build duckdb_arrow

package duck_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
)

// numbered writes a file of so many rows, in several row groups, and one with some of their positions. It returns the
// SQL of scans of both.
func numbered(t *testing.T, conn *duck.Conn, rows, displaced int64, seed uint64) (scan, positions string) {
	t.Helper()
	data, places := filepath.Join(t.TempDir(), "data.parquet"), filepath.Join(t.TempDir(), "positions.parquet")
	copyTo := "COPY (%s) TO %s (FORMAT parquet, ROW_GROUP_SIZE 4096)"
	for path, query := range map[string]string{
		data: fmt.Sprintf("SELECT i, i %% 7 AS n, 'text ' || i %% 13 AS s FROM range(%d) t(i)", rows),
		places: fmt.Sprintf("SELECT i AS _pos FROM range(%d) t(i) ORDER BY hash(i, %d::UBIGINT) LIMIT %d", rows, seed,
			displaced),
	} {
		if _, err := conn.Exec(t.Context(), fmt.Sprintf(copyTo, query, duck.Text(path))); err != nil {
			t.Fatal(err)
		}
	}
	return "read_parquet(" + duck.Texts([]string{data}) + ", file_row_number = true)",
		"SELECT _pos FROM read_parquet(" + duck.Texts([]string{places}) + ")"
}

const summary = "SELECT count(*), CAST(sum(i) AS BIGINT), CAST(sum(hash(i, n, s) % 1000003) AS BIGINT) FROM "

// A scan with IsLive has the rows of an anti join, however many are left out.
func TestIsLiveLeavesOutExactlyTheDisplaced(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn := ducktest.ConnOf(t, duck.Limits{Threads: 2, Memory: 1e9, TempDir: t.TempDir()})
	for range 6 {
		rows := 1 + random.Int64N(30_000)
		for _, displaced := range []int64{0, 1, random.Int64N(rows + 1), rows} {
			scan, positions := numbered(t, conn, rows, displaced, random.Uint64())
			var got, want [3]*int64
			for into, where := range map[*[3]*int64]string{
				&got:  "(FROM " + scan + " s WHERE " + duck.IsLive("s.file_row_number", positions) + ")",
				&want: "(FROM " + scan + " s ANTI JOIN (" + positions + ") d ON s.file_row_number = d._pos)",
			} {
				if err := conn.Row(t.Context(), summary+where, &into[0], &into[1], &into[2]); err != nil {
					t.Fatal(err)
				}
			}
			if fmt.Sprint(values(got)) != fmt.Sprint(values(want)) || *got[0] != rows-displaced {
				t.Errorf("%d of %d displaced: %v, and by an anti join %v", displaced, rows, values(got), values(want))
			}
		}
	}
}

func values(list [3]*int64) (out []int64) {
	for _, v := range list {
		if v != nil {
			out = append(out, *v)
		}
	}
	return out
}

// The reader applies the filter itself, which makes it fast: the plan has neither a join nor a filter above the scan.
func TestIsLiveIsAppliedByTheReader(t *testing.T) {
	conn := ducktest.Conn(t)
	scan, positions := numbered(t, conn, 10_000, 10, 1)
	var plan string
	query := "EXPLAIN SELECT sum(n) FROM " + scan + " s WHERE " + duck.IsLive("s.file_row_number", positions)
	err := conn.Rows(t.Context(), query, func(scan duck.Scan) error {
		var kind, text string
		err := scan(&kind, &text)
		plan += text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plan, "JOIN") || strings.Contains(plan, " FILTER ") || !strings.Contains(plan, "Filters:") {
		t.Error(plan)
	}
}

// A query of positions that fails fails the statement with its own cause, in an instance and in a sandbox, which reads
// no file there that it may not read elsewhere.
func TestPositionsThatCannotBeRead(t *testing.T) {
	conn := ducktest.Conn(t)
	scan, positions := numbered(t, conn, 100, 10, 1)
	missing := "SELECT _pos FROM read_parquet(" + duck.Texts([]string{"/nowhere.parquet"}) + ")"
	query := func(positions string) string {
		return "SELECT count(*) AS n FROM " + scan + " s WHERE " + duck.IsLive("s.file_row_number", positions)
	}
	pool := duck.NewPool(func() duck.Limits { return duck.Limits{Threads: 1} })
	t.Cleanup(pool.Close)
	box, err := pool.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	for name, c := range map[string]*duck.Conn{"instance": conn, "sandbox": box} {
		if _, err := c.Batch(t.Context(), query(missing)); duck.CauseOf(err) != duck.Unreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, path, _ := strings.Cut(scan, "['")
	path, _, _ = strings.Cut(path, "'")
	if err := box.Lock(t.Context(), duck.Scope{Files: []string{path}}); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Batch(t.Context(), query(positions)); duck.CauseOf(err) != duck.Forbidden {
		t.Errorf("a file that the sandbox may not read: %v", err)
	}
	for _, bad := range []string{"SELECT -1::BIGINT", "SELECT 1::BIGINT << 40"} {
		if _, err := conn.Batch(t.Context(), query(bad)); err == nil {
			t.Errorf("the position of %s is accepted", bad)
		}
	}
}

// Statements of many connections plan and run at once, each with its own positions, again and again: more sets than are
// kept.
func TestIsLiveOnManyConnections(t *testing.T) {
	engine, err := duck.Open(duck.Limits{Threads: 2, Memory: 1e9, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	first, err := engine.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	scan, _ := numbered(t, first, 20_000, 0, 1)
	first.Close()
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			for k := range 30 {
				conn, err := engine.Conn(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				left := int64(i*5 + k%10)
				var n int64
				err = conn.Row(t.Context(), "SELECT count(*) FROM "+scan+" s WHERE "+
					duck.IsLive("s.file_row_number", fmt.Sprintf("SELECT range FROM range(%d)", left)), &n)
				if err != nil || n != 20_000-left {
					t.Errorf("%d rows without %d, %v", n, left, err)
				}
				conn.Close()
			}
		})
	}
	work.Wait()
}
