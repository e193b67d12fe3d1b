package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// DigestKey identifies the digest of a file: View is how a state sees its values (snapshot.DigestViews).
type DigestKey struct {
	File int64
	View string
}

// FileDigest is the digest of a file that was computed.
type FileDigest struct {
	DigestKey
	Digest string
}

func scanFileDigest(s scanner) (d FileDigest, err error) {
	return d, s.Scan(&d.File, &d.View, &d.Digest)
}

// CommitDigest is the digest of the state after a commit that was computed.
type CommitDigest struct {
	Commit int64
	Digest string
}

func scanCommitDigest(s scanner) (d CommitDigest, err error) { return d, s.Scan(&d.Commit, &d.Digest) }

// mostParams is how many ids one statement lists.
const mostParams = 500

// idsIn returns placeholders for ids, and the ids as arguments.
func idsIn(ids []int64) (placeholders string, args []any) {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i], args = fmt.Sprintf("$%d", i+1), append(args, id)
	}
	return strings.Join(list, ", "), args
}

// FileDigests returns what is known of the digests of files.
func (tx Tx) FileDigests(files []int64) (out []FileDigest, err error) {
	for some := range slices.Chunk(files, mostParams) {
		in, args := idsIn(some)
		found, err := list(tx, scanFileDigest,
			`SELECT file_id, view, digest FROM file_digests WHERE file_id IN (`+in+`)`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// AddFileDigest keeps the digest of a file.
func (tx Tx) AddFileDigest(d FileDigest) error {
	return tx.exec(`INSERT INTO file_digests (file_id, view, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		d.File, d.View, d.Digest)
}

// CommitDigests returns what is known of the digests of states.
func (tx Tx) CommitDigests(commits []int64) (out []CommitDigest, err error) {
	for some := range slices.Chunk(commits, mostParams) {
		in, args := idsIn(some)
		found, err := list(tx, scanCommitDigest,
			`SELECT commit_id, digest FROM commit_digests WHERE commit_id IN (`+in+`)`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// AddCommitDigest keeps the digest of the state after a commit.
func (tx Tx) AddCommitDigest(d CommitDigest) error {
	return tx.exec(`INSERT INTO commit_digests (commit_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		d.Commit, d.Digest)
}

// nearest is among how many commits LastDigest looks for one.
const nearest = 1000

// LastDigest returns the newest known digest of a state before a commit, with the same schema and not long before it.
// It may be of a state that was inherited.
func (tx Tx) LastDigest(dataset string, commit int64, schema string) (CommitDigest, error) {
	return get(tx, scanCommitDigest, `SELECT id, digest
		FROM (SELECT c.id AS id, c.schema_id AS schema_id`+commitsBelow+newestFirst+` LIMIT $3) made
		JOIN commit_digests ON commit_id = id WHERE schema_id = $4 ORDER BY id DESC LIMIT 1`,
		dataset, commit, nearest, schema)
}

// WithoutDigest returns up to most commits that a dataset made, oldest first, with ids above after, of whose states no
// digest is known and can be computed.
func (tx Tx) WithoutDigest(dataset string, after int64, most int) ([]int64, error) {
	return list(tx, scanInt, `SELECT id FROM commits LEFT JOIN commit_digests ON commit_id = id
		WHERE dataset_id = $1 AND id > $2 AND digest IS NULL AND vacuumed_at IS NULL ORDER BY id LIMIT $3`,
		dataset, after, most)
}
