package doctor

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

func (e *exam) program() {
	e.ok("program", "rowback %s, %s, %s/%s, %d cores", e.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.GOMAXPROCS(0))
}

// size writes bytes for people.
func size(bytes int64) string { return humanize.Bytes(uint64(max(bytes, 0))) }

// place is the directory, or the one that it will be made in.
func (e *exam) place() string {
	dir := e.Dir
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// access looks at who may use the directory, and at what is in quarantine.
func (e *exam) access() {
	if err := blob.Writable(e.place()); err != nil {
		e.add("permissions", Failed, "Give the directory to the user that runs the server: chown and chmod u+rwx.",
			"%s can't be written to: %v", e.place(), err)
		return
	}
	if info, err := os.Stat(e.Dir); err == nil && e.isStore && info.Mode().Perm()&0o077 != 0 {
		e.add("permissions", Warning, "chmod 700 "+e.Dir, "others may read %s (mode %04o)", e.Dir, info.Mode().Perm())
	} else {
		e.ok("permissions", "the directory can be written to")
	}
	if !e.isStore {
		return
	}
	entries, err := os.ReadDir(filepath.Join(e.Dir, "quarantine"))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		e.add("quarantine", Warning, "Give the directory to the user that runs the server.", "%v", err)
	case len(entries) > 0:
		e.add("quarantine", Warning, "The server's log and rowback check say why; remove what is not needed.",
			"%d objects, such as %s", len(entries), entries[0].Name())
	default:
		e.ok("quarantine", "empty")
	}
}

// disk looks at the room that is left and at what kind of file system it is.
func (e *exam) disk() {
	d, err := statDisk(e.place())
	if err != nil {
		e.add("disk", Warning, "", "its size is not known: %v", err)
		return
	}
	const soon = 4 // times --min-free
	switch {
	case d.free < e.MinFree:
		e.add("disk", Failed, "Make room, or lower --min-free: nothing is written before.",
			"%s are free of %s, and %s must stay free", size(d.free), size(d.size), size(e.MinFree))
	case d.free < soon*e.MinFree:
		e.add("disk", Warning, "Make room before writes are refused.", "%s are free of %s", size(d.free), size(d.size))
	case d.files > 0 && d.freeFiles < d.files/50:
		e.add("disk", Warning, "Remove files, or make a file system with more inodes.", "%d of %d inodes are free",
			d.freeFiles, d.files)
	default:
		e.ok("disk", "%s are free of %s", size(d.free), size(d.size))
	}
	switch d.kind {
	case "tmpfs", "ramfs":
		e.add("file system", Warning, "Use a disk: what is in memory is lost with the machine.", "%s", d.kind)
	case "nfs", "smb", "fuse", "9p":
		e.add("file system", Warning, "Use a local disk: locks and syncs of a network's may not hold.", "%s", d.kind)
	case "overlayfs":
		e.add("file system", Warning, "Mount a volume: the layer of a container is lost with it.", "%s", d.kind)
	default:
		e.ok("file system", "%s", d.kind)
	}
}

// memory looks at the limit and what the machine has.
func (e *exam) memory() {
	const least = 1 << 30
	switch {
	case e.Memory == 0:
		e.add("memory", Warning, "Set --memory-limit.", "how much there is is not known")
	case e.MemoryLimit > e.Memory:
		e.add("memory", Failed, "Lower --memory-limit to what the machine or its container has.",
			"the limit is %s of %s", size(e.MemoryLimit), size(e.Memory))
	case e.MemoryLimit < least:
		e.add("memory", Warning, "Give it 1 GB or more: larger uploads and queries are refused with less.",
			"the limit is %s of %s", size(e.MemoryLimit), size(e.Memory))
	default:
		e.ok("memory", "the limit is %s of %s", size(e.MemoryLimit), size(e.Memory))
	}
}

func (e *exam) descriptors() {
	const least = 1024
	switch {
	case e.Descriptors == 0:
		e.add("descriptors", Warning, "", "how many there may be is not known")
	case e.Descriptors < least:
		e.add("descriptors", Warning, "Raise the limit: ulimit -n 4096, or LimitNOFILE= of systemd.",
			"%d, enough for %d connections", e.Descriptors, e.Connections)
	default:
		e.ok("descriptors", "%d, enough for %d connections", e.Descriptors, e.Connections)
	}
}

// clock looks at whether something keeps the clock right. Times are refs: one that jumps gives other states.
func (e *exam) clock() {
	switch synced, known := clockSynced(); {
	case !known:
		e.ok("clock", "%s", e.Now.UTC().Format(time.RFC3339))
	case synced:
		e.ok("clock", "%s, synchronised", e.Now.UTC().Format(time.RFC3339))
	default:
		e.add("clock", Warning, "Run a time service, such as chrony or systemd-timesyncd.", "%s, not synchronised",
			e.Now.UTC().Format(time.RFC3339))
	}
}

// certificate looks at how long the certificate is valid.
func (e *exam) certificate() {
	if e.Cert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(e.Cert, e.Key)
	if err != nil {
		e.add("certificate", Failed, "Give the certificate with its own key, both as PEM.", "%v", err)
		return
	}
	until := pair.Leaf.NotAfter
	switch left := until.Sub(e.Now); {
	case left <= 0:
		e.add("certificate", Failed, "Renew it: the server reads the new files by itself.", "it expired on %s",
			until.Format(time.DateOnly))
	case left < 14*24*time.Hour:
		e.add("certificate", Warning, "Renew it: the server reads the new files by itself.", "it expires on %s",
			until.Format(time.DateOnly))
	default:
		e.ok("certificate", "valid until %s", until.Format(time.DateOnly))
	}
}

// probes is how often the disk is written to.
const probes = 20

// latency measures how long a small durable write takes: no commit can be faster.
func (e *exam) latency() {
	took, err := probe(e.place())
	if err != nil {
		e.add("latency", Failed, "See the permissions and the room of the disk.", "a write and a sync failed: %v", err)
		return
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	if median > 100*time.Millisecond {
		e.add("latency", Warning, "Use a faster disk: every commit waits for several syncs.",
			"a write and a sync take %s, at most %s", median.Round(10*time.Microsecond), worst.Round(10*time.Microsecond))
		return
	}
	e.ok("latency", "a write and a sync take %s, at most %s", median.Round(10*time.Microsecond),
		worst.Round(10*time.Microsecond))
}

// probe writes and syncs a file of a block in a directory, and removes it.
func probe(dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".rowback-doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4096)
	for range probes {
		start := time.Now()
		if _, err := f.WriteAt(block, 0); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// copyCatalog copies the catalog of a store that no server has open.
func copyCatalog(dir string) (path string, remove func(), err error) {
	to, err := os.MkdirTemp("", "rowback-doctor-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(to) }
	path = filepath.Join(to, datadir.CatalogFile)
	if err := catalog.Copy(filepath.Join(dir, datadir.CatalogFile), path); err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}
