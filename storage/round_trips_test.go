package storage_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
)

// A commit of one row, a rollback, a comparison and a fork ask PostgreSQL and the bucket as often in a large table as
// in a small one.
func TestRoundTripsDoNotGrowWithTheTable(t *testing.T) {
	server, objects := postgrestest.Start(t), buckettest.Start(t)
	asked, address := countAsked(t, server.Address())
	wire := &buckettest.Wire{}
	o := storage.Options{
		Catalog: strings.Replace(server.URL("postgres", ""), server.Address(), address, 1),
		Objects: &storage.ObjectStore{
			Objects: datadir.Objects{URL: objects.Options("p").URL},
			Client:  func(o *bucket.Options) { o.Transport = wire },
		},
	}
	b := reopen(t, t.TempDir(), o)
	tables := []*counted{
		{bench: b, asked: asked, wire: wire, rows: 10},
		{bench: b, asked: asked, wire: wire, rows: 100_000},
	}
	for _, table := range tables {
		table.fill()
	}
	small, large := tables[0].work(), tables[1].work()
	if n := small["one-row commit"].statements; n > mostStatements {
		t.Errorf("a one-row commit takes %d statements", n)
	}
	for _, what := range []string{"one-row commit", "rollback", "comparison", "fork"} {
		t.Logf("%s: %+v of %d rows, %+v of %d", what, small[what], tables[0].rows, large[what], tables[1].rows)
		if !small[what].isAs(large[what]) || small[what] == (trips{}) {
			t.Errorf("%s: %+v of %d rows, %+v of %d", what, small[what], tables[0].rows, large[what], tables[1].rows)
		}
	}
}

// mostStatements is what a commit of one row may take: it starts from the head that the one before it left.
const mostStatements = 22

// trips are what something asked for: statements, the round trips in which they went to PostgreSQL, requests to the
// bucket, and the bytes that PostgreSQL answered with.
type trips struct{ statements, rounds, requests, bytes int }

// isAs reports whether another table takes as much as this one. A connection prepares a statement when it first runs it,
// which takes a round trip, and now and then the server asks for something in the background.
func (t trips) isAs(other trips) bool {
	const preparing, background = 6, 4
	return t.requests == other.requests && apart(t.statements, other.statements) <= background &&
		apart(t.rounds, other.rounds) <= preparing
}

func apart(a, b int) int { return max(a, b) - min(a, b) }

// counted is a table whose round trips are counted.
type counted struct {
	*bench
	asked   *asked
	wire    *buckettest.Wire
	rows    int
	dataset string
}

func (c *counted) fill() {
	c.Helper()
	c.dataset = c.Create(fmt.Sprint(c.rows), "id")
	if _, err := c.Generated(c.dataset, catalog.Append,
		fmt.Sprintf("SELECT i AS id, i %% 7 AS n FROM range(%d) t(i)", c.rows)); err != nil {
		c.Fatal(err)
	}
}

// work does everything several times, and returns the fewest trips of each: the first time fetches what is kept on the
// disk from then on, and now and then the server tells the database that it is there.
func (c *counted) work() map[string]trips {
	c.Helper()
	counts := map[string]trips{}
	count := func(what string, do func() error) {
		now, before := c.count(do), counts[what]
		if before == (trips{}) {
			before = now
		}
		counts[what] = trips{
			min(now.statements, before.statements), min(now.rounds, before.rounds), min(now.requests, before.requests),
			min(now.bytes, before.bytes),
		}
	}
	for range 7 {
		var made catalog.Commit
		count("one-row commit", func() (err error) {
			made, err = c.Try(c.dataset, catalog.Upsert, "json", `[{"id": 3, "n": 8}]`)
			return err
		})
		count("comparison", func() error { return c.compare("head~1", "head") })
		count("rollback", func() error {
			_, err := c.TryRollback(c.dataset, made.ID, storage.Stack)
			return err
		})
		count("fork", func() error {
			_, err := c.Fork(c.Context(), c.dataset, storage.NewFork{}, storage.Request{})
			return err
		})
	}
	return counts
}

func (c *counted) compare(from, to string) error {
	a, err := c.Snapshot(c.Context(), c.dataset, from)
	if err != nil {
		return err
	}
	b, err := c.Snapshot(c.Context(), c.dataset, to)
	if err != nil {
		return err
	}
	var conn *duck.Conn
	if conn, err = c.Conn(c.Context()); err != nil {
		return err
	}
	defer conn.Close()
	found, err := snapshot.Diff(a, b).Count(c.Context(), conn)
	if err == nil && found.Modified != 1 {
		err = fmt.Errorf("%+v", found)
	}
	return err
}

func (c *counted) count(do func() error) trips {
	c.Helper()
	c.asked.settle()
	statements, rounds, bytes := c.asked.statements.Load(), c.asked.rounds.Load(), c.asked.bytes.Load()
	c.wire.Took()
	if err := do(); err != nil {
		c.Fatal(err)
	}
	c.asked.settle()
	requests := 0
	for _, request := range c.wire.Took() {
		if strings.HasPrefix(request, "LIST") {
			c.Errorf("the bucket is listed: %s", request)
		}
		if !strings.HasSuffix(request, "/"+datadir.MarkerFile) { // which is asked for now and then
			requests++
		}
	}
	return trips{
		int(c.asked.statements.Load() - statements), int(c.asked.rounds.Load() - rounds), requests,
		int(c.asked.bytes.Load() - bytes),
	}
}

// asked counts what PostgreSQL is asked for, and the bytes that it answers with.
type asked struct{ statements, rounds, bytes atomic.Int64 }

// Write counts what it is given.
func (a *asked) Write(p []byte) (int, error) {
	a.bytes.Add(int64(len(p)))
	return len(p), nil
}

// settle waits until what goes on in the background, such as a lock that is given back, has most likely ended.
func (a *asked) settle() {
	for before := int64(-1); before != a.rounds.Load(); {
		before = a.rounds.Load()
		time.Sleep(40 * time.Millisecond)
	}
}

// countAsked passes connections on to PostgreSQL, and counts the statements that are run and the round trips.
func countAsked(t *testing.T, to string) (count *asked, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	count = &asked{}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pass(client, to, count)
		}
	}()
	return count, l.Addr().String()
}

func pass(client net.Conn, to string, count *asked) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, io.TeeReader(server, count))
		client.Close()
	}()
	// The first message has no type: its length, and then the protocol.
	for in, kind := bufio.NewReader(client), 0; ; kind = 1 {
		head := make([]byte, kind+4)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		if kind == 1 && (head[0] == 'E' || head[0] == 'Q') { // execute, or a query without parameters
			count.statements.Add(1)
		}
		if kind == 1 && (head[0] == 'S' || head[0] == 'Q') { // sync: what was sent is to be answered
			count.rounds.Add(1)
		}
		if _, err := server.Write(head); err != nil {
			return
		}
		if _, err := io.CopyN(server, in, int64(binary.BigEndian.Uint32(head[kind:]))-4); err != nil {
			return
		}
	}
}
