package published

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Snapshot is a state as Iceberg has it: its id is the commit's.
type Snapshot struct {
	Commit, Parent int64 // 0: none
	At             time.Time
	Schema         Schema
	List           string // the URI of its manifest list
	Operation      string // append, replace, overwrite or delete
	Summary        map[string]string
}

// Table is a table as engines load it.
type Table struct {
	Dataset    string // its id
	Location   string
	Properties map[string]string
	Snapshots  []Snapshot // in the order of their ids
	Head       int64      // the current snapshot; 0: the table has none yet
	Schema     Schema     // the current one
	Tags       map[string]int64
	Log        int // how many of the last snapshots follow one another: times are looked up among them
	Updated    time.Time
}

type document struct {
	Format       int               `json:"format-version"`
	UUID         string            `json:"table-uuid"`
	Location     string            `json:"location"`
	LastSequence int64             `json:"last-sequence-number"`
	Updated      int64             `json:"last-updated-ms"`
	LastColumn   int               `json:"last-column-id"`
	Schema       int               `json:"current-schema-id"`
	Schemas      []Schema          `json:"schemas"`
	Spec         int               `json:"default-spec-id"`
	Specs        []spec            `json:"partition-specs"`
	LastPart     int               `json:"last-partition-id"`
	Order        int               `json:"default-sort-order-id"`
	Orders       []order           `json:"sort-orders"`
	Properties   map[string]string `json:"properties"`
	Current      *int64            `json:"current-snapshot-id,omitempty"`
	Snapshots    []snapshot        `json:"snapshots"`
	Log          []logged          `json:"snapshot-log"`
	MetadataLog  []any             `json:"metadata-log"`
	Refs         map[string]ref    `json:"refs"`
}

type spec struct {
	ID     int   `json:"spec-id"`
	Fields []any `json:"fields"`
}

type order struct {
	ID     int   `json:"order-id"`
	Fields []any `json:"fields"`
}

type snapshot struct {
	ID       int64             `json:"snapshot-id"`
	Parent   *int64            `json:"parent-snapshot-id,omitempty"`
	Sequence int64             `json:"sequence-number"`
	At       int64             `json:"timestamp-ms"`
	List     string            `json:"manifest-list"`
	Summary  map[string]string `json:"summary"`
	Schema   int               `json:"schema-id"`
}

type logged struct {
	ID int64 `json:"snapshot-id"`
	At int64 `json:"timestamp-ms"`
}

type ref struct {
	Snapshot int64  `json:"snapshot-id"`
	Type     string `json:"type"`
}

// MainBranch is the branch that every table has: the head.
const MainBranch = "main"

// lastPartition is last-partition-id of tables without partitions.
const lastPartition = 999

// Metadata returns the table's metadata, as JSON marshals it.
func (t Table) Metadata() any {
	d := document{
		Format: 2, Location: t.Location, LastSequence: t.Head, Updated: t.Updated.UnixMilli(), Schema: t.Schema.ID,
		Specs: []spec{{Fields: []any{}}}, LastPart: lastPartition, Orders: []order{{Fields: []any{}}},
		Properties: t.Properties, Snapshots: []snapshot{}, Log: []logged{}, MetadataLog: []any{}, Refs: map[string]ref{},
	}
	if id, err := uuid.Parse(t.Dataset); err == nil {
		d.UUID = id.String()
	}
	schemas := []Schema{t.Schema}
	for i, s := range t.Snapshots {
		if !slices.ContainsFunc(schemas, func(o Schema) bool { return o.ID == s.Schema.ID }) {
			schemas = append(schemas, s.Schema)
		}
		d.Snapshots = append(d.Snapshots, s.line())
		if i >= len(t.Snapshots)-t.Log {
			d.Log = append(d.Log, logged{s.Commit, s.At.UnixMilli()})
		}
	}
	for _, s := range schemas {
		d.LastColumn = max(d.LastColumn, s.Last)
	}
	d.Schemas = schemas
	for name, id := range t.Tags {
		d.Refs[name] = ref{id, "tag"}
	}
	if t.Head > 0 {
		d.Current, d.Refs[MainBranch] = &t.Head, ref{t.Head, "branch"}
	}
	return d
}

func (s Snapshot) line() snapshot {
	out := snapshot{
		ID: s.Commit, Sequence: s.Commit, At: s.At.UnixMilli(), List: s.List, Schema: s.Schema.ID,
		Summary: map[string]string{"operation": s.Operation},
	}
	if s.Parent > 0 {
		out.Parent = &s.Parent
	}
	for k, v := range s.Summary {
		out.Summary[k] = v
	}
	return out
}

// Count returns a number as a summary has it.
func Count(n int64) string { return strconv.FormatInt(n, 10) }
