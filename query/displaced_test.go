package query_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// largeFile is how many records a file has that is too large for an anti join on its rows.
const largeFile = 130_000

// plain is a state of the model: a number for each id.
type plain map[int]int

func (p plain) summary() string {
	count, ids, numbers, mixed := 0, 0, 0, 0
	for id, n := range p {
		count, ids, numbers, mixed = count+1, ids+id, numbers+n, mixed+id*n
	}
	return fmt.Sprintf(`{"c":%d,"i":%d,"n":%d,"m":%d}`, count, ids, numbers, mixed)
}

// csv returns records of some ids.
func (p plain) csv(ids []int) string {
	var out strings.Builder
	out.WriteString("id,n\n")
	for _, id := range ids {
		fmt.Fprintf(&out, "%d,%d\n", id, p[id])
	}
	return out.String()
}

// summaryOf is the SQL of a plain state's summary.
const summaryOf = `SELECT count(*) AS c, CAST(sum(id) AS BIGINT) AS i, CAST(sum(n) AS BIGINT) AS n,
	CAST(sum(id * n) AS BIGINT) AS m FROM `

// Whatever rows of a large file are displaced, statements, exports, comparisons and digests have the others.
func TestDisplacedRowsOfALargeFile(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := empty(t, storage.Options{})
	id := w.create(1, "t", "id")
	now, all := plain{}, make([]int, largeFile)
	for i := range all {
		all[i], now[i] = i, i%1000
	}
	w.done(w.try(id, catalog.Append, intake.CSV, now.csv(all)))
	states := []plain{now}
	for range 5 {
		next := plain{}
		for k, v := range now {
			next[k] = v
		}
		some := make([]int, 0, 3000)
		for range 1 + random.IntN(3000) {
			some = append(some, random.IntN(largeFile))
		}
		from := random.IntN(largeFile - 5000)
		for k := range random.IntN(5000) { // a run of them, too
			some = append(some, from+k)
		}
		some = distinct(some)
		mode := catalog.Upsert
		if random.IntN(3) == 0 {
			mode = catalog.Delete
		}
		for _, k := range some {
			if next[k] = random.IntN(1000); mode == catalog.Delete {
				delete(next, k)
			}
		}
		body := next.csv(some)
		if mode == catalog.Delete {
			body = strings.ReplaceAll(body, ",0\n", "\n")
			body = strings.Replace(body, "id,n", "id", 1)
		}
		w.done(w.try(id, mode, intake.CSV, body))
		states, now = append(states, next), next
		w.agree(id, states, random.IntN(len(states)))
	}
	before, err := w.Digests.Of(context.Background(), id, "head")
	w.done(err)
	w.done(w.try(id, catalog.Delete, intake.CSV, "id\n"+fmt.Sprint(anyOf(now))+"\n"))
	w.undo("t")
	after, err := w.Digests.Of(context.Background(), id, "head")
	if w.done(err); before.Digest != after.Digest {
		t.Errorf("undoing a commit gives the digest %v, not %v", after.Digest, before.Digest)
	}
}

func distinct(list []int) (out []int) {
	seen := map[int]bool{}
	for _, v := range list {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

func anyOf(p plain) int {
	for id := range p {
		return id
	}
	return 0
}

// agree compares the newest state and an earlier one with those of the model.
func (w *world) agree(dataset string, states []plain, earlier int) {
	w.Helper()
	ctx := context.Background()
	newest := states[len(states)-1]
	d, err := w.FindDataset(ctx, 1, "t")
	w.done(err)
	first := d.Head - int64(len(states)) + 1
	head, err := w.Snapshot(ctx, dataset, "head")
	w.done(err)
	old, err := w.Snapshot(ctx, dataset, fmt.Sprint(first+int64(earlier)))
	w.done(err)
	if !strings.Contains(head.Table(), "rowback_is_live") {
		w.Error("the displaced rows are not left out by the reader")
	}
	for name, want := range map[string]plain{"t": newest, fmt.Sprintf(`"t@%d"`, old.Commit.ID): states[earlier]} {
		got, _, err := w.ask(ctx, query.Statement{SQL: summaryOf + name})
		if got != want.summary() {
			w.Errorf("%s is %s, %v, and not %s", name, got, err, want.summary())
		}
	}
	conn, err := w.Conn(ctx)
	w.done(err)
	defer conn.Close()
	var added, removed, modified int64
	for id, n := range newest {
		if was, ok := states[earlier][id]; !ok {
			added++
		} else if was != n {
			modified++
		}
	}
	for id := range states[earlier] {
		if _, ok := newest[id]; !ok {
			removed++
		}
	}
	c, err := snapshot.Diff(old, head).Count(ctx, conn)
	if w.done(err); c.Added != added || c.Removed != removed || c.Modified != modified {
		w.Errorf("compared: %+v, not %d, %d, %d", c, added, removed, modified)
	}
	f, err := w.Export(ctx, head, 0, time.Minute, false)
	w.done(err)
	defer f.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(f)
	w.done(err)
	path := w.Scratch("exported")
	w.done(os.WriteFile(path, body.Bytes(), 0o600))
	got := ""
	err = conn.Row(ctx, "SELECT CAST(to_json(q) AS VARCHAR) FROM ("+summaryOf+"read_parquet("+duck.Text(path)+")) q", &got)
	if got != newest.summary() {
		w.Errorf("exported: %s, %v, and not %s", got, err, newest.summary())
	}
}
