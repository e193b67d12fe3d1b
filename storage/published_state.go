package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/published"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// state returns a state with its manifest list, which it makes if need be.
func (p *Published) state(ctx context.Context, w wantedStates, commit int64) (*publishedState, error) {
	key := w.key(commit)
	if s := p.known(key); s != nil {
		return s, nil
	}
	done, err := p.turn(ctx, w.dataset.FamilyID)
	if err != nil {
		return nil, err
	}
	defer done()
	if s := p.known(key); s != nil { // made while this one waited
		return s, nil
	}
	var snap *snapshot.Snapshot
	err = p.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		snap, err = p.history.snapshot(tx, w.dataset, commit)
		return err
	})
	if err != nil {
		return nil, err
	}
	if commit != w.head || len(snap.Data) <= p.manyFiles {
		snap = snap.AsWritten()
	}
	columns, leftOut := published.Columns(snap.Schema)
	m := &publishing{
		Published: p, directory: fmt.Sprintf("%s/%d", w.dataset.FamilyID, w.erase), snap: snap, columns: columns,
		schema: p.sharedSchema(columns), paths: map[int64]string{}, oldest: time.Now(),
	}
	made, err := m.make(ctx)
	if err != nil {
		return nil, err
	}
	out := &publishedState{snapshot: made, leftOut: leftOut, made: m.oldest, list: m.list}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.states) >= maxStates {
		clear(p.states)
	}
	p.states[key] = out
	return out, nil
}

// key is what a state is known by.
func (w wantedStates) key(commit int64) publishedKey {
	key := publishedKey{dataset: w.dataset.ID, commit: commit, removal: w.removal}
	if commit == w.head {
		key.era = w.dataset.Era // it may have compacted files
	}
	return key
}

// sharedSchema returns the schema of columns, which all states with the same columns share.
func (p *Published) sharedSchema(columns []published.Column) published.Schema {
	s := published.SchemaOf(columns)
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.schemas[s.ID]; ok {
		return known
	}
	if len(p.schemas) >= maxSchemas {
		clear(p.schemas)
	}
	p.schemas[s.ID] = s
	return s
}

// known returns a state that was made and can be relied on.
func (p *Published) known(key publishedKey) *publishedState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.states[key]; s != nil && time.Since(s.made) < publishedFresh {
		return s
	}
	return nil
}

// publishing makes what engines need of one state.
type publishing struct {
	*Published
	directory string // on the shelf
	snap      *snapshot.Snapshot
	columns   []published.Column
	schema    published.Schema
	paths     map[int64]string // the URIs of data files that are listed as they were written, by id
	merged    []mergedPart     // compacted files in place of others
	list      string           // the name on the shelf of the manifest list
	oldest    time.Time        // when the oldest of what the state refers to was put on the shelf
}

// uses notes when something that the state refers to was put on the shelf.
func (m *publishing) uses(at time.Time) {
	if at.Before(m.oldest) {
		m.oldest = at
	}
}

// mergedPart is a compacted file that is listed in place of others.
type mergedPart struct {
	snapshot.Part
	path string // its URI
}

// make makes the manifest list of the state and all that it refers to, and describes the state.
func (m *publishing) make(ctx context.Context) (out published.Snapshot, err error) {
	data, err := m.data(ctx)
	if err != nil {
		return out, err
	}
	deletes, err := m.deletes(ctx)
	if err != nil {
		return out, err
	}
	c := m.snap.Commit
	text, err := published.EncodeList(c.ID, c.Previous, slices.Concat(data, deletes))
	if err != nil {
		return out, err
	}
	kind := fmt.Sprintf("snap-%d", c.ID)
	m.list = m.name(kind, "avro", string(text))
	address, err := m.put(ctx, kind, "avro", text)
	return published.Snapshot{
		Commit: c.ID, Parent: c.Previous, At: c.CreatedAt, Schema: m.schema, List: address,
		Operation: operationOf(c), Summary: map[string]string{
			"rowback.mode": string(c.Mode), "rowback.user": c.User, "added-records": published.Count(c.Added + c.Modified),
			"deleted-records": published.Count(c.Removed + c.Modified), "total-records": published.Count(c.Total),
		},
	}, err
}

// operationOf is what a commit did in Iceberg's terms.
func operationOf(c catalog.Commit) string {
	switch {
	case c.Added+c.Removed+c.Modified == 0:
		return "replace"
	case c.Removed+c.Modified == 0:
		return "append"
	case c.Added+c.Modified == 0:
		return "delete"
	}
	return "overwrite"
}

// chunkFiles is how many files a manifest has on average. Chunks end where the files themselves say so, so that states
// that have most of their files in common have most of their manifests in common, too.
const chunkFiles = 64

// chunks divides files, which are in the order of their ids. more ends a chunk earlier.
func chunks[T any](files []T, of func(T) *catalog.File, more func(rows int64) bool) (out [][]T) {
	begin, rows := 0, int64(0)
	for i, f := range files {
		rows += of(f).Rows
		// A multiplication spreads neighbours: ids are numbers in a row.
		isEnd := uint64(of(f).ID)*0x9E3779B97F4A7C15>>32%chunkFiles == 0
		if isEnd || more(rows) || i-begin == 8*chunkFiles {
			out, begin, rows = append(out, files[begin:i+1]), i+1, 0
		}
	}
	if begin < len(files) {
		out = append(out, files[begin:])
	}
	return out
}

// data makes the manifests of the data files. Those of which no row is live are left out.
func (m *publishing) data(ctx context.Context) (manifests []published.Manifest, err error) {
	parts := m.snap.DataParts()
	fileOf := func(p snapshot.Part) *catalog.File { return p.File }
	for _, chunk := range chunks(parts, fileOf, func(int64) bool { return false }) {
		made, err := m.chunk(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for i, p := range chunk {
			if p.Compacted != nil {
				m.merged = append(m.merged, mergedPart{p, made.paths[i]})
			} else {
				m.paths[p.ID] = made.paths[i]
			}
		}
		manifests = append(manifests, made.manifest)
	}
	return manifests, nil
}

// publishedChunk is the manifest of some files, and their URIs.
type publishedChunk struct {
	manifest published.Manifest
	paths    []string
	made     time.Time // when the oldest part of it was
}

// chunk makes the manifest of some files, unless another state has them too: most states have most of theirs in common
// with the one before.
func (m *publishing) chunk(ctx context.Context, parts []snapshot.Part) (out publishedChunk, err error) {
	keys := []string{m.snap.SchemaID()}
	for _, p := range parts {
		keys = append(keys, p.Key)
		if p.Compacted != nil {
			for _, f := range p.Holds {
				keys = append(keys, f.Key)
			}
		}
	}
	name := m.name("chunk", "", keys...)
	m.mu.Lock()
	out, ok := m.chunks[name]
	m.mu.Unlock()
	if ok && time.Since(out.made) < publishedFresh {
		m.uses(out.made)
		return out, nil
	}
	before := m.oldest
	m.oldest, out = time.Now(), publishedChunk{}
	defer m.uses(before)
	files := make([]published.File, len(parts))
	for i, p := range parts {
		if files[i], err = m.file(ctx, p); err != nil {
			return out, err
		}
		out.paths = append(out.paths, files[i].Path)
	}
	made, err := m.manifest(ctx, nil, published.Data, files)
	if err != nil {
		return out, err
	}
	out.manifest, out.made = made[0], m.oldest
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.chunks) >= maxChunks {
		clear(m.chunks)
	}
	m.chunks[name] = out
	return out, nil
}

// manifest makes a manifest of files, if there are any, and appends it to others.
func (m *publishing) manifest(
	ctx context.Context, to []published.Manifest, content published.Content, files []published.File,
) ([]published.Manifest, error) {
	if len(files) == 0 {
		return to, nil
	}
	text, err := published.EncodeManifest(m.schema, content, files)
	if err != nil {
		return nil, err
	}
	address, err := m.put(ctx, "manifest", "avro", text)
	return append(to, published.ManifestOf(address, int64(len(text)), content, files)), err
}

// file describes a data file: the stored one, or a copy that engines can read.
func (m *publishing) file(ctx context.Context, p snapshot.Part) (out published.File, err error) {
	fs := m.snap.SchemaOf(p.File)
	out = published.File{Path: m.blobs.Address(p.Key), Rows: p.Rows, Bytes: p.Bytes}
	for _, f := range p.Holds {
		out.Commit = max(out.Commit, f.CommitID)
	}
	if len(m.columns) > 0 && !published.InPlace(fs, m.columns) {
		if out.Path, out.Bytes, err = m.copyOf(ctx, p.File, fs); err != nil {
			return out, err
		}
	}
	out.Nulls, out.Bounds = map[int]int64{}, map[int]published.Range{}
	for _, c := range m.columns {
		own, ok := fs.ByID(c.ID)
		if !ok || !own.Type.Equal(c.Type) {
			continue
		}
		if stats, ok := p.Stats[c.ID]; ok {
			out.Nulls[c.ID] = p.Rows - stats.Count
		}
		if r, ok := rangeOf(p, fs, c); ok {
			out.Bounds[c.ID] = r
		}
	}
	return out, nil
}

// rangeOf returns the range of a column in a part. The catalog has that of the first key column, as text of the column's
// type. Rows of files that the part does not hold are deleted, so they do not count.
func rangeOf(p snapshot.Part, fs schema.Schema, c published.Column) (r published.Range, ok bool) {
	isText := c.As.Name == schema.Varchar && c.Type.Name != schema.Varchar // of other values
	if !fs.Keyed() || fs.Key[0] != c.ID || isText {
		return r, false
	}
	var all *catalog.Bounds
	for _, f := range p.Holds {
		if f.Bounds == nil {
			return r, false
		}
		all = snapshot.OrderOf(c.Type).Join(all, f.Bounds)
	}
	if all == nil {
		return r, false
	}
	return published.RangeOf(c.As, all.Least, all.Greatest)
}

// put puts a small document on the shelf, under a name that follows from its bytes, and returns its URI.
func (m *publishing) put(ctx context.Context, kind, ext string, text []byte) (address string, err error) {
	name := m.name(kind, ext, string(text))
	if _, ok := m.fresh(name); ok {
		return m.blobs.ShelfAddress(name), nil
	}
	scratch := m.blobs.Scratch(kind + "." + ext)
	if err := m.blobs.WriteScratch(scratch, text); err != nil {
		return "", err
	}
	return m.shelve(ctx, name, scratch, int64(len(text)))
}

// name is the name on the shelf of what follows from some texts.
func (m *publishing) name(kind, ext string, of ...string) string {
	h := sha256.New()
	for _, text := range of {
		h.Write([]byte(strconv.Itoa(len(text)) + " " + text)) // a hash takes every byte
	}
	return m.directory + "/" + kind + "-" + hex.EncodeToString(h.Sum(nil)[:16]) + "." + ext
}

// shelve puts a scratch file on the shelf, and returns its URI.
func (m *publishing) shelve(ctx context.Context, name, scratch string, size int64) (string, error) {
	if err := m.blobs.Shelve(ctx, name, scratch); err != nil {
		m.blobs.RemoveScratch(scratch)
		return "", err
	}
	m.note(name, time.Now(), size)
	return m.blobs.ShelfAddress(name), nil
}

func (p *Published) note(name string, at time.Time, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.shelf) >= maxShelf {
		clear(p.shelf)
	}
	p.shelf[name] = shelved{at, size}
}

// fresh looks for what this server put on the shelf, or found there, a short time ago.
func (m *publishing) fresh(name string) (size int64, ok bool) {
	m.mu.Lock()
	found := m.shelf[name]
	m.mu.Unlock()
	if time.Since(found.at) >= publishedFresh {
		return 0, false
	}
	m.uses(found.at)
	return found.size, true
}

// has looks for something that takes long to make, which another server, or this one before its last start, may have
// put on the shelf.
func (m *publishing) has(ctx context.Context, name string) (size int64, ok bool, err error) {
	if size, ok = m.fresh(name); ok {
		return size, true, nil
	}
	at, size, ok, err := m.blobs.Shelved(ctx, name)
	if err != nil || !ok || size == 0 || time.Since(at) >= publishedFresh { // without a byte after a power cut
		return 0, false, err
	}
	m.note(name, at, size)
	m.uses(at)
	return size, true, nil
}
