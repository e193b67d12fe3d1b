package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/fault"
)

// copying is a backup that is being made.
type copying struct {
	*StoreBackups
	target   *backup.Target
	writer   *backup.Writer
	request  Request
	manifest backup.Manifest

	before      map[string]backup.Object // descriptions, as the backup before has them
	removal     int64                    // the newest that it knew of
	logs        map[string]backup.Object // files of the audit log, as the backup before has them
	logsAt      time.Time                // and when it was made
	shelves     map[string]*labelShelf
	missed      map[string]string // by key: what is wrong with an object, where it was needed
	catalogCopy string            // the catalog of the cut; empty: none
	entries     []backup.Entry
	damaged     []backup.Damaged
}

// newCopying begins a backup: it reads what the one before has, and the labels, which most likely stay as they are.
func (bs *StoreBackups) newCopying(
	ctx context.Context, t *backup.Target, w *backup.Writer, n NewStoreBackup, r Request,
) (*copying, error) {
	c := &copying{
		StoreBackups: bs, target: t, writer: w, request: r, before: map[string]backup.Object{},
		logs:    map[string]backup.Object{},
		shelves: map[string]*labelShelf{}, missed: map[string]string{},
	}
	c.manifest = backup.Manifest{Store: t.Store(), Full: n.Full, Program: bs.program}
	if n.Dataset != "" {
		d, err := bs.history.anyDataset(ctx, n.Dataset)
		if err != nil {
			return nil, err
		}
		c.manifest.Scope = d.FamilyID
	}
	marker, _, err := datadir.Read(bs.path)
	if err != nil {
		return nil, err
	}
	c.manifest.StoreCreated, c.manifest.StoreFormat = marker.CreatedAt, marker.FormatVersion
	if err := c.readBefore(ctx, n.Full); err != nil {
		return nil, err
	}
	return c, c.readAllShelves(ctx)
}

func (c *copying) close() { c.dropCatalog() }

func (c *copying) dropCatalog() {
	if c.catalogCopy != "" {
		c.blobs.RemoveScratch(c.catalogCopy)
	}
}

// readBefore reads what the newest backup of the same scope has. One that can't be read is of no use, and no hindrance:
// everything is read again.
func (c *copying) readBefore(ctx context.Context, full bool) error {
	all, unreadable, err := c.target.List(ctx)
	if err != nil {
		return err
	}
	newest := ""
	if len(all) > 0 {
		newest = all[len(all)-1].ID
	}
	for _, name := range unreadable {
		newest = max(newest, strings.TrimSuffix(name, path.Ext(name)))
	}
	c.manifest.ID = newest // that this one comes after
	for i := len(all) - 1; i >= 0 && !full; i-- {
		m := all[i]
		if m.Scope != c.manifest.Scope {
			continue
		}
		var goesOn bool
		err := c.catalog.Read(ctx, func(tx catalog.Tx) (err error) { goesOn, err = follows(tx, m); return err })
		if err != nil || !goesOn {
			return err
		}
		entries, err := c.target.Entries(ctx, m)
		if errors.Is(err, backup.ErrAway) {
			return err
		}
		if err != nil {
			c.log.Warn("an earlier backup is damaged, and everything is read again", "backup", m.ID, "error", err)
			return nil
		}
		c.use(m, entries)
		return nil
	}
	return nil
}

// use notes what a backup has that may be the same still.
func (c *copying) use(m backup.Manifest, entries []backup.Entry) {
	c.removal, c.logsAt = m.Removal, m.CreatedAt
	for _, e := range m.Audit {
		c.logs[e.Key] = e.Object
	}
	for _, d := range m.Datasets {
		if !d.LabelsAt.IsZero() {
			c.shelves[d.ID] = &labelShelf{at: d.LabelsAt}
		}
	}
	for _, e := range entries {
		dataset, rest, _ := strings.Cut(e.Key, "/")
		if s := c.shelves[dataset]; s != nil && strings.HasPrefix(rest, labelsDir+"/") {
			s.entries = append(s.entries, e)
		} else if strings.HasSuffix(e.Key, ".json") {
			c.before[e.Key] = e.Object
		}
	}
	for _, s := range c.shelves {
		for _, e := range s.entries {
			if !c.writer.Has(e.Object) {
				s.at = time.Time{} // the target has lost it
			}
		}
	}
	for _, d := range m.Damaged {
		dataset, _, _ := strings.Cut(d.Key, "/")
		delete(c.shelves, dataset)
	}
}

// Shelves are read again, without anyone waiting for it, at most so often, and while more than so many had changed
// since they were read.
const (
	mostReadings = 3
	fewShelves   = 100
)

// readAllShelves reads the labels that may have changed since the backup before: those that change meanwhile are left
// to the cut, which makes whoever writes some wait.
func (c *copying) readAllShelves(ctx context.Context) error {
	for range mostReadings {
		if read, err := c.readShelves(ctx); err != nil || read <= fewShelves {
			return err
		}
	}
	return nil
}

// readShelves reads the labels that may have changed since they were read, and returns of how many datasets.
func (c *copying) readShelves(ctx context.Context) (read int, err error) {
	var datasets []catalog.Dataset
	var numbers map[string]int64
	err = c.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if datasets, err = c.datasetsOf(tx); err == nil {
			numbers, err = c.changes(tx)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, d := range datasets {
		s, err := c.shelf(d.ID, c.shelves[d.ID], numbers[d.ID])
		if err == nil {
			err = c.fill(ctx, s)
		}
		if err != nil {
			return read, err
		}
		if s != c.shelves[d.ID] {
			read++
		}
		c.shelves[d.ID] = s
	}
	return read, nil
}

// fill copies the labels that the target does not have yet.
func (c *copying) fill(ctx context.Context, s *labelShelf) error {
	for key, text := range s.texts {
		o, err := c.writer.Add(ctx, bytes.NewReader(text), backup.Object{})
		if err != nil {
			return err
		}
		s.entries = append(s.entries, backup.Entry{Key: key, Object: o})
		delete(s.texts, key)
	}
	return nil
}

// mostRounds is how many cuts a backup makes at most. Each copies what came since the one before, so that each is
// shorter.
const mostRounds = 20

// errRestless is for a backup during which files were removed all the time.
var errRestless = fault.Errorf(fault.Unavailable, "backup_restless",
	"Files were removed again and again while they were copied. Back up when no erasure or vacuum runs.")

// run makes a cut, copies what it needs, and makes another one where something was removed meanwhile.
func (c *copying) run(ctx context.Context) (backup.Manifest, error) {
	for range mostRounds {
		k, err := c.settledCut(ctx)
		if err != nil {
			return c.manifest, err
		}
		whole, err := c.copyAll(ctx, k)
		if err == nil && whole {
			whole, err = c.finish(ctx, k)
		}
		if err != nil || whole {
			return c.manifest, err
		}
	}
	return c.manifest, errRestless
}

// How long a cut waits for a removal that is about to be finished.
const (
	removalWait = 50 * time.Millisecond
	removalMost = 600
)

// settledCut makes a cut when no removal is under way.
func (c *copying) settledCut(ctx context.Context) (*cut, error) {
	for n := 0; ; n++ {
		k, err := c.cut(ctx, c.shelves)
		if !errors.Is(err, errRemoving) || n == removalMost {
			if k != nil {
				c.shelves = k.shelves
			}
			return k, err
		}
		if err := sleep(ctx, removalWait); err != nil {
			return nil, err
		}
	}
}

// copyAll copies what a cut needs, and reports whether all is there that can be. What is missing for the first time may
// have been removed since: then the next cut does not need it.
func (c *copying) copyAll(ctx context.Context, k *cut) (whole bool, err error) {
	c.entries, c.damaged, whole = nil, nil, true
	for _, d := range k.datasets {
		s := k.shelves[d.ID]
		if err := c.fill(ctx, s); err != nil {
			return false, err
		}
		c.entries, c.damaged = append(c.entries, s.entries...), append(c.damaged, s.damaged...)
	}
	missed := map[string]string{}
	for i, n := range k.needs {
		o, wrong, err := c.copyOne(ctx, n)
		if err != nil {
			return false, err
		}
		if wrong == "" {
			c.entries = append(c.entries, backup.Entry{Key: n.key, Object: o})
		} else {
			missed[n.key] = wrong
			_, again := c.missed[n.key]
			whole = whole && again
			c.damaged = append(c.damaged, backup.Damaged{Key: n.key, Detail: wrong})
		}
		if i%100 == 0 {
			c.request.report(i*95/len(k.needs), fmt.Sprintf("%d of %d objects", i, len(k.needs)))
		}
	}
	c.missed = missed
	return whole, nil
}

// copyOne copies an object unless the target has it. wrong is why it can't be copied; empty: it was.
func (c *copying) copyOne(ctx context.Context, n need) (o backup.Object, wrong string, err error) {
	o = n.object
	isText := o.SHA256 == ""
	if before, known := c.before[n.key]; isText && known && n.last <= c.removal {
		o = before
	}
	if o.SHA256 != "" && c.writer.Has(o) {
		return o, "", nil
	}
	c.opens(n.key)
	in, err := c.blobs.Open(c.readableKey(n.key))
	switch {
	case isRefusal(err):
		return o, "", err
	case errors.Is(err, fs.ErrNotExist):
		return o, "it is missing", nil
	case err != nil:
		return o, fmt.Sprintf("it can't be read: %v", errnoOf(err)), nil
	}
	defer in.Close()
	source := &noting{from: in}
	if isText {
		o, err = c.addText(ctx, source)
	} else {
		o, err = c.writer.Add(ctx, source, n.object)
	}
	switch {
	case source.err != nil && !isRefusal(source.err):
		return o, fmt.Sprintf("it can't be read: %v", errnoOf(source.err)), nil
	case errors.Is(err, backup.ErrDamaged):
		return o, backup.ErrDamaged.Error(), nil
	}
	if err == nil && isText {
		c.before[n.key] = o // for another round
	}
	return o, "", err
}

// readableKey returns where an object is read: the description of a removal from its copy if it is damaged.
func (c *copying) readableKey(key string) string {
	twin := twinOf(key)
	if twin == "" {
		return key
	}
	if _, err := c.readText(key); err == nil || isRefusal(err) {
		return key
	}
	if _, err := c.readText(twin); err == nil {
		return twin
	}
	return key
}

// opens notes that an object is opened.
func (bs *StoreBackups) opens(key string) {
	if bs.Opened != nil {
		bs.Opened(key)
	}
}

// addText copies a description, which has its own checksum.
func (c *copying) addText(ctx context.Context, from io.Reader) (backup.Object, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return backup.Object{}, err
	}
	if unseal(text) != nil {
		return backup.Object{}, backup.ErrDamaged
	}
	return c.writer.Add(ctx, bytes.NewReader(text), backup.Object{})
}

// noting is a reader that notes its error: so that of the source is told from that of the target.
type noting struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (r *noting) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// backupLock is the name of the lock that is held while a backup's manifest is written, and by removals until they
// stand: an erasure names the backups that still have what it erases.
const backupLock = "backup\x00"

// finish writes the manifest, unless something was removed since the cut.
func (c *copying) finish(ctx context.Context, k *cut) (done bool, err error) {
	m := &c.manifest
	m.ID, m.CreatedAt = backup.NewID(k.at, m.ID)
	m.Cut, m.Removal, m.RemovalKey, m.Datasets, m.Damaged = k.last, k.removal, k.removalKey, k.list, c.damaged
	m.Objects, m.Bytes = len(c.entries), 0
	for _, e := range c.entries {
		m.Bytes += e.Size
	}
	if m.Damaged == nil {
		m.Damaged = []backup.Damaged{}
	}
	if err := c.addOwn(ctx); err != nil {
		return false, err
	}
	unlock, err := c.catalog.Lock(ctx, backupLock)
	if err != nil {
		return false, err
	}
	defer unlock()
	var newest int64
	err = c.catalog.Read(ctx, func(tx catalog.Tx) (err error) { newest, err = tx.LastRemoval(""); return err })
	if err != nil || newest != k.removal {
		return false, err
	}
	m.FinishedAt = c.now()
	if err := c.writer.Finish(ctx, m); err != nil {
		return false, err
	}
	for _, d := range m.Damaged {
		c.log.Error("an object of the store could not be backed up", "backup", m.ID, "key", d.Key, "detail", d.Detail)
	}
	return true, nil
}

// addOwn copies what is not an object of the store: the catalog, the settings, the audit log, and the list of the
// objects.
func (c *copying) addOwn(ctx context.Context) (err error) {
	m := &c.manifest
	if m.List, err = c.writer.AddList(ctx, c.entries); err != nil {
		return err
	}
	if m.Scope == "" {
		if m.Catalog, err = c.addFile(ctx, c.catalogCopy); err != nil {
			return err
		}
		if m.Settings, err = c.addSettings(ctx); err != nil {
			return err
		}
		if err = c.addAudit(ctx); err != nil {
			return err
		}
	}
	return c.writer.Settle(ctx)
}

// addSettings copies the server's settings, as they are at one moment, if there are any.
func (c *copying) addSettings(ctx context.Context) (*backup.Object, error) {
	from, isHere := datadir.Settings(c.path), c.Settings == nil
	if isHere {
		marker, _, err := datadir.Read(c.path)
		if err == nil && marker.Settings != "" {
			err = errSettingsElsewhere
		}
		if err != nil || from == "" {
			return nil, err
		}
	}
	to := c.blobs.Scratch("backup-" + datadir.SettingsFile)
	defer c.blobs.RemoveScratch(to)
	var err error
	if isHere {
		err = catalog.CopyDatabase(ctx, from, to)
	} else {
		err = c.Settings(ctx, to)
	}
	if err != nil {
		return nil, err
	}
	return c.addFile(ctx, to)
}

// errSettingsElsewhere is for a backup by whoever has not said where the settings are.
var errSettingsElsewhere = errors.New("the settings of this store are in PostgreSQL, and the database was not named")

// addFile copies a scratch file.
func (c *copying) addFile(ctx context.Context, path string) (*backup.Object, error) {
	f, err := c.blobs.OpenUnpublished(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o, err := c.writer.Add(ctx, f, backup.Object{})
	return &o, err
}
