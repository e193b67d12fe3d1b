package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/lineage"
)

// The table provenance is what the lineage of commits and versions (package lineage) is found by. It is made of their
// metadata alone, where they are added, and so is made again with them. The table lineage is something else: of which
// datasets a fork has the commits.

// addTerms records what the lineage in the metadata of a commit, or of a version, is found by.
func (tx Tx) addTerms(dataset string, commit, version int64, metadata json.RawMessage) error {
	l := lineage.Of(metadata)
	if l == nil {
		return nil
	}
	for _, t := range l.Terms(dataset) {
		if err := tx.later(`INSERT INTO provenance (kind, value, dataset_id, commit_id, version_id)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, string(t.Kind), t.Value, dataset, commit, version); err != nil {
			return err
		}
	}
	return nil
}

// Made is a commit, or a version of it, that has a lineage.
type Made struct {
	Commit  int64  `json:"c"`
	Dataset string `json:"d"`
	Version int64  `json:"v,omitempty"` // its id; 0: the commit itself has it
}

// MadeFrom lists up to limit commits and versions of all datasets whose lineage has every one of some terms, newest
// first, those after one place. There must be a term.
func (tx Tx) MadeFrom(terms []lineage.Term, after *Made, limit int) ([]Made, error) {
	var query strings.Builder
	var args []any
	arg := func(value any) string {
		args = append(args, value)
		return numbered(len(args))
	}
	// Arguments are numbered as they come in the text.
	fmt.Fprintf(&query, `SELECT p.commit_id, p.dataset_id, p.version_id FROM provenance p WHERE p.kind = %s AND p.value = %s`,
		arg(string(terms[0].Kind)), arg(terms[0].Value))
	for _, t := range terms[1:] {
		fmt.Fprintf(&query, ` AND EXISTS (SELECT 1 FROM provenance o WHERE o.kind = %s AND o.value = %s
			AND o.commit_id = p.commit_id AND o.dataset_id = p.dataset_id AND o.version_id = p.version_id)`,
			arg(string(t.Kind)), arg(t.Value))
	}
	if after != nil {
		fmt.Fprintf(&query, ` AND p.commit_id <= %s AND (p.commit_id < %s OR p.dataset_id > %s
			OR p.dataset_id = %s AND p.version_id > %s)`,
			arg(after.Commit), arg(after.Commit), arg(after.Dataset), arg(after.Dataset), arg(after.Version))
	}
	fmt.Fprintf(&query, ` ORDER BY p.commit_id DESC, p.dataset_id, p.version_id LIMIT %s`, arg(limit))
	return list(tx, func(s scanner) (m Made, err error) {
		return m, s.Scan(&m.Commit, &m.Dataset, &m.Version)
	}, query.String(), args...)
}

// CommitsWithLineage lists up to limit commits of a dataset's history that have a lineage, newest first, with ids up to
// one.
func (tx Tx) CommitsWithLineage(dataset string, upTo int64, limit int) ([]Commit, error) {
	return list(tx, scanCommit, `SELECT `+commitColumns+` FROM lineage l CROSS JOIN provenance p CROSS JOIN commits c
		LEFT JOIN undone u ON u.dataset_id = l.dataset_id AND u.commit_id = c.id
		WHERE l.dataset_id = $1 AND p.kind = 'lineage' AND p.value = l.ancestor_id AND p.dataset_id = l.ancestor_id
		AND p.version_id = 0 AND p.commit_id > l.after_commit
		AND p.commit_id <= CASE WHEN l.until_commit < $2 THEN l.until_commit ELSE $2 END
		AND c.dataset_id = p.dataset_id AND c.id = p.commit_id`+newestFirst+` LIMIT $3`, dataset, upTo, limit)
}

// VersionsWithLineage lists up to limit active versions of a dataset that have a lineage and name a commit up to one,
// newest first.
func (tx Tx) VersionsWithLineage(dataset string, upTo int64, limit int) ([]Version, error) {
	return list(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v WHERE v.id IN (
		SELECT p.version_id FROM provenance p WHERE p.kind = 'lineage' AND p.value = $1 AND p.dataset_id = $1
		AND p.version_id > 0 AND p.commit_id <= $2)
		AND is_active ORDER BY commit_id DESC, v.id DESC LIMIT $3`, dataset, upTo, limit)
}

// VersionByID returns a version.
func (tx Tx) VersionByID(id int64) (Version, error) {
	return get(tx, scanVersion, `SELECT `+versionColumns+` FROM versions v WHERE v.id = $1`, id)
}
