package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/verify"
)

// Whatever reads stored files does so by a statement that names them, or here. So nothing that is damaged, or another
// file than the catalog means, is read.

// Files is the stored files, as they are read.
type Files struct {
	*journal
	verifier *verify.Verifier
	engine   *duck.Engine   // for statements of ours
	pages    datafile.Pages // of new files; 0: version 2

	compacted *substitutes
	replaced  replacedKeys // files that were replaced, as rows were removed from them
}

// newFiles returns the stored files of a journal. What they need of the directory is there once it is opened.
func newFiles(j *journal, pages datafile.Pages) *Files {
	f := &Files{journal: j, pages: pages}
	f.verifier = verify.New(func(key string) string { return j.blobs.Path(key) }, f.noteDamage)
	f.compacted = &substitutes{Files: f, byFamily: map[string]*snapshot.Compacted{}, lost: map[string]bool{}, eras: map[string]int64{}}
	return f
}

// guard looks after the stored files that statements read (duck.Guard).
type guard struct{ files *Files }

// Hold keeps the files where they are.
func (g guard) Hold(paths []string) (release func()) {
	return g.files.blobs.Hold(g.files.keysOf(paths))
}

// Check verifies the files before they are opened. What is staged, or came from a client, is not among them.
func (g guard) Check(ctx context.Context, paths []string) error {
	keys := g.files.keysOf(paths)
	if g.files.replaced.hasAny(keys) {
		return errGone
	}
	err := g.files.verifier.Open(ctx, keys)
	if err != nil && g.files.replaced.hasAny(keys) { // in this moment
		return errGone.Because(err)
	}
	return g.files.refuseDamage(ctx, err)
}

// Seen returns what reports whether one of the files is no longer the one that was verified.
func (g guard) Seen(paths []string) (changed func() error) {
	changedSince := g.files.verifier.Seen(g.files.keysOf(paths))
	return func() error {
		if !changedSince() {
			return nil
		}
		return fault.Errorf(fault.Unavailable, "file_changed",
			"A stored file was changed while it was read. Send the request again.")
	}
}

// rereadAfter is how old a file's verification must be for an error to have it read again.
const rereadAfter = time.Minute

// Blame reads the files again if they may be the reason for an error, and reports the damage if they are.
func (g guard) Blame(ctx context.Context, paths []string, err error) error {
	if g.files.replaced.hasAny(g.files.keysOf(paths)) {
		return errGone.Because(err)
	}
	// Most errors are the statement's own; only those that damage could cause are worth reading files for.
	if !duck.MayBeDamage(err) {
		return err
	}
	// A file that was verified a moment ago is not read again: a query that fails in a loop would otherwise read the store
	// each time.
	found := g.files.verifier.Again(ctx, g.files.keysOf(paths), time.Now().Add(-rereadAfter))
	var damage *verify.Damage
	if !errors.As(found, &damage) {
		return err
	}
	return g.files.refuseDamage(ctx, errors.Join(damage, err))
}

// keysOf are the objects among paths: the files that are staged have no key.
func (fs *Files) keysOf(paths []string) (keys []string) {
	for _, p := range paths {
		if key, ok := fs.blobs.Key(p); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// pathOf is where a file can be read, by a statement on a connection of the store's, which verifies it before. Naming
// the file to the verifier makes the path one that Check knows.
func (fs *Files) pathOf(f *catalog.File) string {
	fs.verifier.Name(verify.File(f))
	return fs.blobs.Path(f.Key)
}

// Conn opens a connection for statements of ours.
func (fs *Files) Conn(ctx context.Context) (*duck.Conn, error) {
	conn, err := fs.engine.Conn(ctx)
	if err == nil {
		conn.Guard(guard{fs})
	}
	return conn, err
}

// readWhole reads every byte of files and compares it with what was written: before anyone else is to rely on them.
func (fs *Files) readWhole(ctx context.Context, files []*catalog.File) error {
	return fs.refuseDamage(ctx, fs.verifier.Read(ctx, objects(files)))
}

// objects returns files as the verifier knows them.
func objects(files []*catalog.File) []verify.Object {
	out := make([]verify.Object, len(files))
	for i, f := range files {
		out[i] = verify.File(f)
	}
	return out
}

// partsFor is how long a file that was read whole is not read again for each part of it that a client asks for.
const partsFor = 10 * time.Minute

// readForExport is readWhole of objects that are about to be sent: for a part of them, only if they are not those that
// were read whole a moment ago.
func (fs *Files) readForExport(ctx context.Context, objects []verify.Object, part bool) error {
	if !part {
		return fs.refuseDamage(ctx, fs.verifier.Read(ctx, objects))
	}
	return fs.refuseDamage(ctx, fs.verifier.Recheck(ctx, objects, time.Now().Add(-partsFor)))
}

// refuseDamage turns damage into the error that a client sees. The file's key is not in it: it is in the log, for
// whoever has the disk.
func (fs *Files) refuseDamage(ctx context.Context, err error) error {
	var damage *verify.Damage
	if !errors.As(err, &damage) {
		return err
	}
	if fs.wasReplaced(damage) {
		fs.verifier.Forget(damage.Key)
		return errGone.Because(err)
	}
	if lost := compactedDamage(damage); lost != nil {
		fs.compacted.lose(lost)
		return errReplaced(lost)
	}
	e := fault.Errorf(fault.Corrupt, "corrupted_data",
		"A stored file of commit %d of dataset '%s' is damaged or missing, so it is not read. "+
			"Look at …/validation; put the file back from a copy of the data directory, or restore a backup.",
		damage.Commit, fs.nameOf(ctx, damage.Dataset)).
		With("dataset_id", damage.Dataset).With("commit", damage.Commit).With("kind", kindOf(damage.Object))
	e.Cause = err
	return e
}

// wasReplaced reports whether what looks like damage is that rows were removed from a file, by this server or another.
func (fs *Files) wasReplaced(d *verify.Damage) bool {
	if fs.replaced.has(d.Key) {
		return true
	}
	if !fs.catalog.IsShared() || d.Footer == nil || compactedDamage(d) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	err := fs.catalog.Read(ctx, func(tx catalog.Tx) error {
		now, err := tx.File(d.Footer.File)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && now.Key != d.Key {
			fs.replaced.add(d.Key)
			return nil
		}
		return err
	})
	return err == nil && fs.replaced.has(d.Key)
}

// lookTime is how long it may take to find out why a file can't be read.
const lookTime = 5 * time.Second

// nameOf is how people call a dataset: its id, if the name can't be read.
func (fs *Files) nameOf(ctx context.Context, id string) (name string) {
	name = id
	_ = fs.catalog.Read(ctx, func(tx catalog.Tx) error { // the id is a name as well
		d, err := tx.Dataset(id)
		if err == nil {
			name = d.Name
		}
		return err
	})
	return name
}

// kindOf is what a file holds: data, rollback or backup.
func kindOf(o verify.Object) string {
	if o.Footer == nil {
		return "backup"
	}
	return string(o.Footer.Kind)
}

// noteDamage logs damage when it is found.
func (fs *Files) noteDamage(d *verify.Damage) {
	if fs.wasReplaced(d) {
		return
	}
	fs.log.Error("a stored file is damaged",
		"dataset", d.Dataset, "commit", d.Commit, "key", d.Key, "detail", d.Detail)
}

// Damage is a stored file that is not what was written.
type Damage struct {
	DatasetID string `json:"dataset_id"`
	Commit    int64  `json:"commit"`
	Kind      string `json:"kind"` // data, rollback or backup
	Detail    string `json:"detail"`
}

// Damaged returns the stored files that are known to be damaged.
func (fs *Files) Damaged() []Damage {
	out := []Damage{}
	for _, d := range fs.verifier.Damaged() {
		if compactedDamage(&d) != nil {
			continue // it is made again from files that are there
		}
		out = append(out, Damage{d.Dataset, d.Commit, kindOf(d.Object), fmt.Sprintf("The file is refused: %s.", d.Detail)})
	}
	return out
}
