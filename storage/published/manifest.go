package published

import (
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/avro"
)

// Content is what the rows of a file are.
type Content int

// The contents of data files. Manifests have the same numbers: of data, and of deletes.
const (
	Data            Content = 0
	PositionDeletes Content = 1
)

// File is a data file, or one with positions that are deleted, as a manifest lists it.
type File struct {
	Path   string // its URI
	Rows   int64
	Bytes  int64
	Commit int64 // that wrote it: the snapshot that added it, and its sequence number

	Nulls  map[int]int64 // how many values are null, by field id
	Bounds map[int]Range // by field id
}

// Range is the least and the greatest value of a column, or bounds of them, in Iceberg's binary form.
type Range struct{ Least, Greatest []byte }

// Manifest is a manifest that was written.
type Manifest struct {
	Path    string
	Length  int64
	Content Content
	Least   int64 // the least and the greatest commit of its files
	Last    int64
	Files   int
	Rows    int64
}

type count struct {
	Key   int32 `avro:"key"`
	Value int64 `avro:"value"`
}

type bound struct {
	Key   int32  `avro:"key"`
	Value []byte `avro:"value"`
}

type partition struct{}

type dataFile struct {
	Content   int32     `avro:"content"`
	Path      string    `avro:"file_path"`
	Format    string    `avro:"file_format"`
	Partition partition `avro:"partition"`
	Rows      int64     `avro:"record_count"`
	Bytes     int64     `avro:"file_size_in_bytes"`
	Values    *[]count  `avro:"value_counts"`
	Nulls     *[]count  `avro:"null_value_counts"`
	Least     *[]bound  `avro:"lower_bounds"`
	Greatest  *[]bound  `avro:"upper_bounds"`
}

type entry struct {
	Status       int32    `avro:"status"`
	Snapshot     *int64   `avro:"snapshot_id"`
	Sequence     *int64   `avro:"sequence_number"`
	FileSequence *int64   `avro:"file_sequence_number"`
	File         dataFile `avro:"data_file"`
}

// existing is the status of every entry: a manifest is shared by all states that have its files, so none of them is
// where a file was added.
const existing = 0

// EncodeManifest returns a manifest of files of one content, in their order.
func EncodeManifest(s Schema, content Content, files []File) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	kind := "data"
	if content == PositionDeletes {
		kind = "deletes"
	}
	entries := make([]any, len(files))
	for i, f := range files {
		entries[i] = &entry{existing, &f.Commit, &f.Commit, &f.Commit, f.entry(content)}
	}
	return encode(manifestSchema, map[string][]byte{
		"schema": text, "schema-id": []byte(strconv.Itoa(s.ID)), "partition-spec": []byte("[]"),
		"partition-spec-id": []byte("0"), "format-version": []byte("2"), "content": []byte(kind),
	}, entries)
}

func (f File) entry(content Content) dataFile {
	out := dataFile{Content: int32(content), Path: f.Path, Format: "PARQUET", Rows: f.Rows, Bytes: f.Bytes}
	if len(f.Nulls) > 0 {
		values, nulls := []count{}, []count{}
		for id, n := range f.Nulls {
			values, nulls = append(values, count{int32(id), f.Rows}), append(nulls, count{int32(id), n})
		}
		byKey := func(a, b count) int { return cmp.Compare(a.Key, b.Key) }
		slices.SortFunc(values, byKey)
		slices.SortFunc(nulls, byKey)
		out.Values, out.Nulls = &values, &nulls
	}
	if len(f.Bounds) > 0 {
		least, greatest := []bound{}, []bound{}
		for id, r := range f.Bounds {
			least, greatest = append(least, bound{int32(id), r.Least}), append(greatest, bound{int32(id), r.Greatest})
		}
		byKey := func(a, b bound) int { return cmp.Compare(a.Key, b.Key) }
		slices.SortFunc(least, byKey)
		slices.SortFunc(greatest, byKey)
		out.Least, out.Greatest = &least, &greatest
	}
	return out
}

// ManifestOf describes a manifest of files that was written to a path.
func ManifestOf(path string, length int64, content Content, files []File) Manifest {
	m := Manifest{Path: path, Length: length, Content: content, Files: len(files)}
	for i, f := range files {
		m.Rows += f.Rows
		m.Last = max(m.Last, f.Commit)
		if i == 0 || f.Commit < m.Least {
			m.Least = f.Commit
		}
	}
	return m
}

type manifestLine struct {
	Path         string `avro:"manifest_path"`
	Length       int64  `avro:"manifest_length"`
	Spec         int32  `avro:"partition_spec_id"`
	Content      int32  `avro:"content"`
	Sequence     int64  `avro:"sequence_number"`
	Least        int64  `avro:"min_sequence_number"`
	Snapshot     int64  `avro:"added_snapshot_id"`
	AddedFiles   int32  `avro:"added_files_count"`
	Files        int32  `avro:"existing_files_count"`
	DeletedFiles int32  `avro:"deleted_files_count"`
	AddedRows    int64  `avro:"added_rows_count"`
	Rows         int64  `avro:"existing_rows_count"`
	DeletedRows  int64  `avro:"deleted_rows_count"`
}

// EncodeList returns the manifest list of a snapshot.
func EncodeList(snapshot, parent int64, manifests []Manifest) ([]byte, error) {
	lines := make([]any, len(manifests))
	for i, m := range manifests {
		lines[i] = &manifestLine{
			Path: m.Path, Length: m.Length, Content: int32(m.Content), Sequence: m.Last, Least: m.Least, Snapshot: m.Last,
			Files: int32(m.Files), Rows: m.Rows,
		}
	}
	id := strconv.FormatInt(snapshot, 10)
	above := "null"
	if parent > 0 {
		above = strconv.FormatInt(parent, 10)
	}
	return encode(listSchema, map[string][]byte{
		"snapshot-id": []byte(id), "parent-snapshot-id": []byte(above), "sequence-number": []byte(id),
		"format-version": []byte("2"),
	}, lines)
}

// encode returns an Avro file of one block. The library's own writer puts metadata into the header in no fixed order,
// and random bytes after it; here the same values make the same bytes.
func encode(s *avro.Schema, metadata map[string][]byte, records []any) ([]byte, error) {
	var block bytes.Buffer
	w, err := flate.NewWriter(&block, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	var record []byte
	for _, r := range records {
		if record, err = s.AppendEncode(record[:0], r); err != nil {
			return nil, err
		}
		if _, err := w.Write(record); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	metadata["avro.schema"], metadata["avro.codec"] = []byte(s.String()), []byte("deflate")
	out := append([]byte("Obj\x01"), binary.AppendVarint(nil, int64(len(metadata)))...)
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		out = appendBytes(appendBytes(out, []byte(key)), metadata[key])
	}
	out = append(out, 0) // the end of the metadata
	marker := sha256.Sum256(out)
	out = append(out, marker[:markerSize]...)
	out = binary.AppendVarint(out, int64(len(records)))
	out = appendBytes(out, block.Bytes())
	return append(out, marker[:markerSize]...), nil
}

// markerSize is the size of what separates the blocks of an Avro file.
const markerSize = 16

// appendBytes appends bytes as Avro has them: their number, then they.
func appendBytes(to, text []byte) []byte {
	return append(binary.AppendVarint(to, int64(len(text))), text...)
}

var (
	manifestSchema = avro.MustParse(manifestAvro)
	listSchema     = avro.MustParse(listAvro)
)

// The Avro schemas, with the field ids of the specification. Optional fields that are never given are left out.
const (
	manifestAvro = `{"type": "record", "name": "manifest_entry", "fields": [
	{"name": "status", "type": "int", "field-id": 0},
	{"name": "snapshot_id", "type": ["null", "long"], "default": null, "field-id": 1},
	{"name": "sequence_number", "type": ["null", "long"], "default": null, "field-id": 3},
	{"name": "file_sequence_number", "type": ["null", "long"], "default": null, "field-id": 4},
	{"name": "data_file", "field-id": 2, "type": {"type": "record", "name": "r2", "fields": [
		{"name": "content", "type": "int", "field-id": 134},
		{"name": "file_path", "type": "string", "field-id": 100},
		{"name": "file_format", "type": "string", "field-id": 101},
		{"name": "partition", "type": {"type": "record", "name": "r102", "fields": []}, "field-id": 102},
		{"name": "record_count", "type": "long", "field-id": 103},
		{"name": "file_size_in_bytes", "type": "long", "field-id": 104},
		{"name": "value_counts", "default": null, "field-id": 109, "type": ["null",
			{"type": "array", "logicalType": "map", "items": {"type": "record", "name": "k119_v120", "fields": [
				{"name": "key", "type": "int", "field-id": 119}, {"name": "value", "type": "long", "field-id": 120}]}}]},
		{"name": "null_value_counts", "default": null, "field-id": 110, "type": ["null",
			{"type": "array", "logicalType": "map", "items": {"type": "record", "name": "k121_v122", "fields": [
				{"name": "key", "type": "int", "field-id": 121}, {"name": "value", "type": "long", "field-id": 122}]}}]},
		{"name": "lower_bounds", "default": null, "field-id": 125, "type": ["null",
			{"type": "array", "logicalType": "map", "items": {"type": "record", "name": "k126_v127", "fields": [
				{"name": "key", "type": "int", "field-id": 126}, {"name": "value", "type": "bytes", "field-id": 127}]}}]},
		{"name": "upper_bounds", "default": null, "field-id": 128, "type": ["null",
			{"type": "array", "logicalType": "map", "items": {"type": "record", "name": "k129_v130", "fields": [
				{"name": "key", "type": "int", "field-id": 129}, {"name": "value", "type": "bytes", "field-id": 130}]}}]}
	]}}]}`

	listAvro = `{"type": "record", "name": "manifest_file", "fields": [
	{"name": "manifest_path", "type": "string", "field-id": 500},
	{"name": "manifest_length", "type": "long", "field-id": 501},
	{"name": "partition_spec_id", "type": "int", "field-id": 502},
	{"name": "content", "type": "int", "field-id": 517},
	{"name": "sequence_number", "type": "long", "field-id": 515},
	{"name": "min_sequence_number", "type": "long", "field-id": 516},
	{"name": "added_snapshot_id", "type": "long", "field-id": 503},
	{"name": "added_files_count", "type": "int", "field-id": 504},
	{"name": "existing_files_count", "type": "int", "field-id": 505},
	{"name": "deleted_files_count", "type": "int", "field-id": 506},
	{"name": "added_rows_count", "type": "long", "field-id": 512},
	{"name": "existing_rows_count", "type": "long", "field-id": 513},
	{"name": "deleted_rows_count", "type": "long", "field-id": 514}]}`
)
