package catalog

import "encoding/json"

// Gate is a named check that a dataset's commits, merges or versions must pass. In the properties of a dataset its
// columns and its condition are written with schema.Reference in place of names, so that renaming a column changes
// nothing; people see names (package gating).
type Gate struct {
	Name   string      `json:"name"`
	Kind   GateKind    `json:"kind"`
	When   []GateEvent `json:"when"`
	Action GateAction  `json:"action"`

	Columns   []string          `json:"columns,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`  // of accepted_values: strings, numbers, true and false
	Minimum   json.RawMessage   `json:"minimum,omitempty"` // of range, minimum_quality and row_count; nil: none
	Maximum   json.RawMessage   `json:"maximum,omitempty"` // of range and row_count; nil: none
	Of        string            `json:"of,omitempty"`      // of minimum_quality: mean or record
	Condition string            `json:"condition,omitempty"`
	Query     string            `json:"query,omitempty"` // over new, old and changes: the records that fail
}

// GateKind is what a gate checks.
type GateKind string

// The kinds of gates.
const (
	GateNotNull        GateKind = "not_null"
	GateUnique         GateKind = "unique"
	GateAcceptedValues GateKind = "accepted_values"
	GateRange          GateKind = "range"
	GateMinimumQuality GateKind = "minimum_quality"
	GateNoCategoryLost GateKind = "no_category_lost"
	GateRowCount       GateKind = "row_count"
	GateCondition      GateKind = "condition"
	GateQuery          GateKind = "query"
)

// GateEvent is when a gate is checked.
type GateEvent string

// The events.
const (
	GateOnCommit  GateEvent = "commit"
	GateOnMerge   GateEvent = "merge"
	GateOnVersion GateEvent = "version"
)

// GateAction is what follows when a gate fails.
type GateAction string

// The actions.
const (
	GateRefuses GateAction = "refuse" // the write is refused
	GateWarns   GateAction = "warn"   // the answer says so
)
