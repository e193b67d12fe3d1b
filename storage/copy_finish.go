package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// compareObjects checks the copy before it is a store, with a catalog that is made from its objects for that.
func (c *copier) compareObjects(ctx context.Context) (err error) {
	o := c.options
	o.Hook = nil
	dir := c.To.Dir
	if c.To.Objects != nil {
		dir = c.scratch + "/target"
		if err := datadir.Make(dir); err != nil {
			return err
		}
	}
	s := newStore(dir, o)
	s.dir.marker = datadir.Marker{ID: c.Store}
	if into, ok := c.target.(intoBucket); ok {
		s.dir.bucket, s.dir.objects = into.Bucket, c.To.Objects
	}
	if err := s.lookAtObjects(ctx, s.dir.bucket); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var found Inspection
	if err := s.inspect(ctx, true, &found); err != nil {
		return err
	}
	if n := len(found.Problems); n > 0 {
		return fmt.Errorf("the copy has %d problems, such as: %v. Check the store with rowback check --deep and repair it; "+
			"if it is sound, remove what was copied. Then copy again", n, found.Problems[0])
	}
	return c.compare(ctx, s)
}

// compare compares what the store and its copy have: datasets, commits, and the digests of all states.
func (c *copier) compare(ctx context.Context, copied *Store) error {
	of, err := c.source.copyFacts(ctx)
	if err != nil {
		return err
	}
	now, err := copied.copyFacts(ctx)
	if err != nil {
		return err
	}
	for what, was := range of.lines {
		if now.lines[what] != was {
			return fmt.Errorf("the copy is not equal to the store: %s is %q there and was %q", what, now.lines[what], was)
		}
	}
	if len(now.lines) != len(of.lines) {
		return fmt.Errorf("the copy is not equal to the store: it has %d datasets, commits and states, and the store has %d",
			len(now.lines), len(of.lines))
	}
	c.Datasets, c.Commits, c.States = of.datasets, of.commits, of.states
	return nil
}

// copyFacts are what must be equal in a copy.
type copyFacts struct {
	lines                     map[string]string
	datasets, commits, states int
}

func (s *Store) copyFacts(ctx context.Context) (f copyFacts, err error) {
	f.lines = map[string]string{}
	for _, deleted := range []bool{false, true} {
		list, err := s.History.Datasets(ctx, catalog.DatasetFilter{Deleted: deleted, Limit: 1 << 30, Vacuumed: true})
		if err != nil {
			return f, err
		}
		for _, d := range list {
			if err := f.add(ctx, s, d.Dataset, deleted); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// add adds a dataset.
func (f *copyFacts) add(ctx context.Context, s *Store, d catalog.Dataset, deleted bool) error {
	f.datasets++
	f.lines["dataset "+d.ID] = fmt.Sprintf("%s of project %d, head %d, deleted %t", d.Name, d.ProjectID, d.Head, deleted)
	var commits []catalog.Commit
	err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) { commits, err = tx.CommitsAfter(d.ID, 0); return err })
	if err != nil {
		return err
	}
	var ids []int64
	for _, k := range commits {
		f.commits++
		text, err := json.Marshal(k)
		if err != nil {
			return err
		}
		f.lines[fmt.Sprintf("commit %d", k.ID)] = string(text)
		if k.VacuumedAt.IsZero() {
			ids = append(ids, k.ID)
		}
	}
	if deleted || !d.VacuumedAt.IsZero() {
		return nil
	}
	pause := func(time.Duration) error { return context.Cause(ctx) }
	if _, err := s.Digests.Fill(ctx, d.ID, 1<<30, pause); err != nil {
		return fmt.Errorf("computing the digests of %s: %w", d.Name, err)
	}
	known, err := s.Digests.Known(ctx, ids)
	for _, id := range ids {
		if known[id] != "" {
			f.states++
			f.lines[fmt.Sprintf("state at commit %d", id)] = known[id]
		}
	}
	return err
}

// finish makes the copy a store, with a catalog in its place, and compares that as well.
func (c *copier) finish(ctx context.Context, isWhole bool) error {
	if !isWhole {
		if err := c.addOwn(ctx); err != nil {
			return err
		}
		if err := c.makeStore(ctx); err != nil {
			return err
		}
	}
	c.Say("making the catalog of the copy")
	if err := c.start(ctx); err != nil {
		return fmt.Errorf("the copy is complete, and its catalog can't be made yet: %w", err)
	}
	if err := c.target.remove(ctx, copyFile); err != nil {
		return err
	}
	return c.target.settle()
}

// makeStore writes store.json.
func (c *copier) makeStore(ctx context.Context) error {
	if c.To.Objects != nil {
		return c.write(ctx, datadir.MarkerFile, bucketMarker{ID: c.Store, Directory: c.options.NewID()})
	}
	was := c.source.dir.marker
	m := datadir.Marker{ID: c.Store, CreatedAt: was.CreatedAt, IsGuarded: was.IsGuarded && c.From.Dir != ""}
	return datadir.Write(c.To.Dir, m, c.options.Hook)
}

// start opens the copy as a server does, which makes the catalog, and compares it with the store.
func (c *copier) start(ctx context.Context) (err error) {
	o, dir := c.options, c.To.Dir
	o.Catalog, o.Objects, o.Server = c.To.Catalog, c.To.Objects, "rowback copy"
	if dir == "" {
		dir = c.scratch + "/opened"
	}
	if err := c.held.Release(); err != nil { // the store takes it
		return err
	}
	s, err := Open(ctx, dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return c.compare(ctx, s)
}

// addOwn copies what the server knows besides the data, from one data directory to another: users, tokens, webhooks
// and the audit log.
func (c *copier) addOwn(ctx context.Context) (err error) {
	if c.From.Dir == "" || c.To.Dir == "" {
		return nil
	}
	tree, err := blob.MakeTree(c.To.Dir, c.options.Hook)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	into := &intoTree{Tree: tree, dirs: map[string]bool{}}
	if from := datadir.Settings(c.From.Dir); from != "" {
		path := c.scratch + "/" + datadir.SettingsFile
		if err := catalog.CopyDatabase(ctx, from, path); err != nil {
			return err
		}
		open := func() (io.ReadSeekCloser, error) { return datadir.OpenSettings(path) }
		if err := putFile(ctx, into, datadir.SettingsFile, open); err != nil {
			return err
		}
	}
	logs, err := datadir.AuditFiles(c.From.Dir)
	if err != nil {
		return err
	}
	for _, f := range logs {
		open := func() (io.ReadSeekCloser, error) { return datadir.OpenAudit(c.From.Dir, f.Name()) }
		if err := putFile(ctx, into, datadir.AuditDir+"/"+f.Name(), open); err != nil {
			return err
		}
	}
	return into.settle()
}

// putFile puts a file of the data directory into the copy.
func putFile(ctx context.Context, into copyTarget, name string, open func() (io.ReadSeekCloser, error)) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	return into.put(ctx, name, f, size)
}
