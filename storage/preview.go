package storage

import (
	"context"
	"fmt"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/snapshot"
)

// Preview is what a write would do to records, beside what its result says. It is made of the same files, which are
// never published.
type Preview struct {
	Added, Removed, Modified []Key           // the first of each, in the order of the key
	Left                     *snapshot.State // what its commit would leave, that commit included; nil: it would make none
}

// Key is the key of a record: the texts of its values, by column.
type Key map[string]string

// previewed is how many keys of each kind are shown.
const previewed = 10

// preview fills in what the work would do.
func (w *work) preview(ctx context.Context, p *Preview) (err error) {
	left := w.state()
	p.Left = &left
	defer func() {
		for _, d := range w.drafts() {
			for _, f := range d.opened {
				w.store.verifier.Forget(f.Key) // it is removed with the work
			}
		}
	}()
	// What a comparison would show once it stood, so that both agree.
	d := snapshot.Diff(w.drafts()[0].head, w.leaves())
	if d.Empty() {
		return nil
	}
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			return err
		}
	}
	for change, keys := range map[string]*[]Key{
		snapshot.Added: &p.Added, snapshot.Removed: &p.Removed, snapshot.Modified: &p.Modified,
	} {
		if *keys, err = w.firstKeys(ctx, d, change); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) firstKeys(ctx context.Context, d *snapshot.Difference, change string) (keys []Key, err error) {
	query, columns, err := d.Records(change)
	if err != nil {
		return nil, err
	}
	columns = columns[1 : len(columns)-2] // without the kind, and the records
	texts, names := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i] = duck.Ident(c.Name)
		texts[i] = "coalesce(CAST(" + names[i] + " AS VARCHAR), '')"
	}
	query = fmt.Sprintf("SELECT %s FROM (%s) ORDER BY %s LIMIT %d",
		strings.Join(texts, ", "), query, strings.Join(names, ", "), previewed)
	return keys, w.conn.Rows(ctx, query, func(scan duck.Scan) error {
		values, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := scan(into...); err != nil {
			return err
		}
		key := Key{}
		for i, c := range columns {
			key[c.Name] = values[i]
		}
		keys = append(keys, key)
		return nil
	})
}
