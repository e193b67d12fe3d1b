package storage

import (
	"context"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/snapshot"
)

// Preview is what a write would do to records, beside what its result says. It is made of the same files, which are
// never published. The files lie under staging and go with the work, so a dry run costs what the commit would.
type Preview struct {
	Added, Removed, Modified []Key           // the first of each, in the order of the key
	Left                     *snapshot.State // what its commit would leave, that commit included; nil: it would make none
	Gates                    []gating.Result // of those that it has to pass
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
	// What a comparison would show after the commit, so that both agree.
	d := snapshot.Diff(w.drafts()[0].head, w.leaves())
	if d.Empty() {
		return nil
	}
	if err := w.connect(ctx); err != nil {
		return err
	}
	first := map[string]*[]Key{snapshot.Added: &p.Added, snapshot.Removed: &p.Removed, snapshot.Modified: &p.Modified}
	return firstKeys(ctx, w.conn, d, func(change string, key Key) { *first[change] = append(*first[change], key) })
}

// firstKeys calls each for the first keys of each kind of change, in their order.
func firstKeys(
	ctx context.Context, conn *duck.Conn, d *snapshot.Difference, each func(change string, key Key),
) error {
	list := d.Keys()
	if err := list.Prepare(ctx, conn); err != nil {
		return err
	}
	columns := list.Columns[1:] // without the kind
	texts, names := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i] = duck.Ident(c.Name)
		texts[i] = "coalesce(CAST(" + names[i] + " AS VARCHAR), '')"
	}
	query := duck.Fill(firstOfEach, duck.Parts{
		"texts": strings.Join(texts, ", "), "key": strings.Join(names, ", "), "list": list.SQL, "most": previewed,
	})
	return conn.Rows(ctx, query, func(scan duck.Scan) error {
		values, into := make([]string, 1+len(columns)), make([]any, 1+len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := scan(into...); err != nil {
			return err
		}
		key := Key{}
		for i, c := range columns {
			key[c.Name] = values[1+i]
		}
		each(values[0], key)
		return nil
	})
}

const firstOfEach = `SELECT _change, {texts} FROM ({list})
	QUALIFY row_number() OVER (PARTITION BY _change ORDER BY {key}) <= {most} ORDER BY {key}`
