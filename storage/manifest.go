package storage

import (
	"encoding/json"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// manifest is commit.json. The names of its members are the file format (storage/README.md): older programs' files are
// read with them.
type manifest struct {
	Commit     catalog.Commit     `json:"commit"`
	Schema     schema.Schema      `json:"schema"`
	Properties catalog.Properties `json:"properties"`
	Opened     []*catalog.File    `json:"opened"`   // written by this commit, and live from it on
	Reopened   []int64            `json:"reopened"` // files of other commits, live from it on
	Closed     []int64            `json:"closed"`   // files that are live no more
	Marks      map[int64]int64    `json:"marks"`    // rollback_commit_id of earlier commits; 0: none any more
	LastRow    int64              `json:"last_row"`
	LastField  int64              `json:"last_field"`
	Creates    bool               `json:"creates,omitempty"` // the dataset was made with it
	Played     []manifest         `json:"played,omitempty"`  // of a merge: the commits that come before it

	Birth      *birth              `json:"birth,omitempty"` // the dataset that was made with it
	Savepoints []catalog.Savepoint `json:"savepoints,omitempty"`
	Activates  int64               `json:"activates,omitempty"` // the version that it made active, and later ones not
	Proposal   int64               `json:"proposal,omitempty"`  // number of the proposal that it merged
	Renewed    int64               `json:"renewed,omitempty"`   // the last removal that it was written again for
	answers
}

const descriptionFile = "commit.json"

// madeOn is the head that the commit, or the first that it played, was made on.
func (m manifest) madeOn() int64 {
	// A merge stands on what it played, and that on the head.
	if len(m.Played) > 0 {
		return m.Played[0].Commit.Previous
	}
	return m.Commit.Previous
}

// checkSchemas reports whether the schemas of the description can be stored and read back.
func (m manifest) checkSchemas() error {
	var err error
	for _, p := range append(m.Played, m) {
		err = errors.Join(err, checkSchema(p.Schema))
	}
	if m.Birth != nil {
		err = errors.Join(err, checkSchema(m.Birth.Schema))
	}
	return err
}

// checkSchema reports why a schema can't be written and read again: a type may be unknown to this program.
func checkSchema(s schema.Schema) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &s)
}

// ids are what a description has of files that another commit wrote.
func ids(files []*catalog.File) []int64 {
	out := make([]int64, len(files))
	for i, f := range files {
		out[i] = f.ID
	}
	return out
}
