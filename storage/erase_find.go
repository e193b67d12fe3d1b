package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// erasing is an erasure under way. Its connection has the keys to be erased, the rows that have them, and the lines of
// rollback files that stand for these rows.
type erasing struct {
	*Removals
	Erasure
	dataset  catalog.Dataset
	conn     *duck.Conn
	key      []schema.Column
	head     snapshot.State
	seen     map[int64]bool // data files that were searched, by id
	searched map[int64]bool // rollback files that were, for the rows that details count
	details  ErasedDetails
	texts    []string // how errors write the keys
	named    []string // what findMentions looked for; nil: any key may be meant
	isNamed  bool     // it did
}

// newErasing begins an erasure.
func (rs *Removals) newErasing(ctx context.Context, d catalog.Dataset, e Erasure) (*erasing, error) {
	conn, err := rs.Conn(ctx)
	if err != nil {
		return nil, err
	}
	out := &erasing{Removals: rs, Erasure: e, dataset: d, conn: conn}
	if err := out.begin(ctx); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

func (e *erasing) close() { e.conn.Close() }

// begin reads how the dataset has its key now, and makes the tables.
func (e *erasing) begin(ctx context.Context) error {
	if err := e.readHead(ctx); err != nil {
		return err
	}
	all, _, err := e.files(ctx)
	if err != nil {
		return err
	}
	e.key, e.seen = e.head.Schema.KeyColumns(), map[int64]bool{}
	columns := make([]string, len(e.key))
	for i, c := range e.key {
		columns[i] = schema.ColumnName(c.ID) + " " + c.Type.SQL()
	}
	_, err = e.conn.Exec(ctx, duck.Fill(makeErasing, duck.Parts{"columns": strings.Join(columns, ", ")}))
	if err != nil || e.Where != "" || len(all.Data) == 0 { // without rows, the key may have no type yet
		return err
	}
	return e.addKeys(ctx)
}

func (e *erasing) readHead(ctx context.Context) error {
	return e.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeDataset(tx, e.dataset.ID)
		if err == nil {
			e.head, err = snapshot.At(tx, d, d.Head)
		}
		return err
	})
}

const (
	makeErasing = `CREATE OR REPLACE TEMP SEQUENCE erase_ids; CREATE OR REPLACE TEMP TABLE erase_keys (k BIGINT, {columns});
		CREATE OR REPLACE TEMP TABLE erase_rows (k BIGINT, f BIGINT, p BIGINT);
		CREATE OR REPLACE TEMP TABLE erase_lines (r BIGINT, f BIGINT, p BIGINT)`
	addKeys = `INSERT INTO erase_keys SELECT nextval('erase_ids'), * FROM (SELECT DISTINCT * FROM ({keys}) n
		WHERE NOT EXISTS (SELECT 1 FROM erase_keys k WHERE {same_key}))`
	addRows  = `INSERT INTO erase_rows SELECT k.k, n._file, n._pos FROM ({rows}) n JOIN erase_keys k ON {same_key}`
	addLines = `INSERT INTO erase_lines SELECT n.r, n._file, n._pos FROM ({lines}) n
		SEMI JOIN erase_rows e ON e.f = n._file AND e.p = n._pos`
)

// addKeys adds the keys that the request names.
func (e *erasing) addKeys(ctx context.Context) error {
	selects := make([]string, 0, len(e.Keys))
	for _, raw := range e.Keys {
		values, err := e.valuesOf(ctx, raw)
		if err != nil {
			return err
		}
		selects = append(selects, "SELECT "+values)
	}
	return e.insertKeys(ctx, strings.Join(selects, " UNION ALL "))
}

// valuesOf returns the SQL of the values of one key.
func (e *erasing) valuesOf(ctx context.Context, raw json.RawMessage) (string, error) {
	texts, err := e.textsOf(raw)
	if err != nil {
		return "", err
	}
	values := make([]string, len(e.key))
	for i, c := range e.key {
		if err := checkKeyValue(ctx, e.conn, c, texts[i]); err != nil {
			return "", err
		}
		values[i] = snapshot.Cast(schema.Of(schema.Varchar), c.Type, duck.Text(texts[i])) + " AS " + schema.ColumnName(c.ID)
	}
	return strings.Join(values, ", "), nil
}

func (e *erasing) textsOf(raw json.RawMessage) ([]string, error) {
	text := strings.TrimSpace(string(raw))
	if text == "" {
		text = "null"
	}
	if len(e.key) == 1 && !strings.HasPrefix(text, "{") {
		one, err := keyText(e.key[0], json.RawMessage(text))
		return []string{one}, err
	}
	return keyTexts(e.key, text)
}

// insertKeys adds the keys of a query that are not there yet.
func (e *erasing) insertKeys(ctx context.Context, query string) error {
	_, err := e.conn.Exec(ctx, duck.Fill(addKeys, duck.Parts{"keys": query, "same_key": sameKey(e.key, "n", "k")}))
	return err
}

// find finds the rows of the records in all files of the family. Asked again, it looks into what is new.
func (e *erasing) find(ctx context.Context) (*removal, error) {
	if err := e.readHead(ctx); err != nil {
		return nil, err
	}
	all, fresh, err := e.files(ctx)
	if err != nil {
		return nil, err
	}
	if !sameKeyColumns(e.key, e.head.Schema.KeyColumns()) { // they were retyped meanwhile
		if err := e.begin(ctx); err != nil {
			return nil, err
		}
		fresh = all
	}
	if e.Where != "" {
		more, err := e.selectKeys(ctx, fresh)
		if err != nil {
			return nil, err
		}
		if more && len(fresh.Data) < len(all.Data) {
			fresh = all
			if _, err := e.conn.Exec(ctx, "DELETE FROM erase_rows"); err != nil {
				return nil, err
			}
		}
	}
	if err := e.findRows(ctx, fresh); err != nil {
		return nil, err
	}
	for _, f := range all.Data {
		e.seen[f.ID] = true
	}
	out, err := e.removal(ctx)
	if err != nil || out.isEmpty() {
		return out, err
	}
	if err := e.findLines(ctx, all, out); err != nil {
		return nil, err
	}
	if err := e.readTexts(ctx); err != nil {
		return nil, err
	}
	return out, e.measure(ctx, all, out)
}

func sameKeyColumns(a, b []schema.Column) bool {
	same := len(a) == len(b)
	for i := range a {
		same = same && a[i].ID == b[i].ID && a[i].Type.Equal(b[i].Type)
	}
	return same
}

// files returns the files of the family, and those of them that were not searched, as the head sees them.
func (e *erasing) files(ctx context.Context) (all, fresh *snapshot.Snapshot, err error) {
	all = snapshot.New(e.head, e.pathOf)
	err = e.catalog.Read(ctx, func(tx catalog.Tx) error {
		files, err := tx.FamilyFiles(e.dataset.FamilyID)
		if err != nil {
			return err
		}
		return all.Adopt(tx, files)
	})
	e.holdAllKeys(all)
	copied := *all
	fresh = &copied
	fresh.Data, fresh.Rollbacks = nil, nil
	for _, f := range all.Data {
		if !e.seen[f.ID] {
			fresh.Data = append(fresh.Data, f)
		}
	}
	return all, fresh, err
}

// holdAllKeys makes the types of the key those that hold the keys of all files: the head may have narrower ones, or
// none, after a restore.
func (e *erasing) holdAllKeys(all *snapshot.Snapshot) {
	columns := slices.Clone(all.Schema.Columns)
	for i, c := range columns {
		if !slices.Contains(all.Schema.Key, c.ID) {
			continue
		}
		for _, f := range slices.Backward(all.Data) {
			if was, ok := all.SchemaOf(f).ByID(c.ID); ok && was.Type.Holds(columns[i].Type) {
				columns[i].Type = was.Type
			}
		}
	}
	all.Schema.Columns, e.head.Schema.Columns = columns, columns
}

// selectKeys adds the keys of the rows in which the condition holds. more says that there are others than before.
func (e *erasing) selectKeys(ctx context.Context, files *snapshot.Snapshot) (more bool, err error) {
	if len(files.Data) == 0 && len(e.seen) > 0 {
		return false, nil // there is nothing new, and the condition was checked
	}
	// Even of the rows of one file the condition may only be put into a statement that it can't leave.
	box, err := e.tables.Sandboxes.OpenLocked(ctx, true, files.Paths(),
		e.tables.Sandboxes.Threads(len(files.Schema.Columns)), "CREATE VIEW records AS "+files.EveryRecord())
	if err != nil {
		return false, err
	}
	defer box.Close()
	if err := clientsql.CheckCondition(ctx, box, e.Where); err != nil {
		return false, err
	}
	keys, err := box.Stream(ctx, "SELECT DISTINCT "+e.keyTexts()+" FROM records WHERE ("+e.Where+"\n)")
	if err != nil {
		return false, clientsql.Explain(err)
	}
	defer keys.Close()
	stream := keys.Records()
	release, err := e.conn.View(ctx, "erase_found", stream)
	if err != nil {
		return false, err
	}
	_, err = e.conn.Exec(ctx, "CREATE OR REPLACE TEMP TABLE erase_new AS SELECT * FROM erase_found")
	release()
	if err != nil {
		return false, clientsql.Explain(err)
	}
	var before, after int64
	if err := e.conn.Row(ctx, "SELECT count(*) FROM erase_keys", &before); err != nil {
		return false, err
	}
	if err := e.insertKeys(ctx, "SELECT "+e.typedKeys()+" FROM erase_new WHERE "+e.hasKey()); err != nil {
		return false, err
	}
	err = e.conn.Row(ctx, "SELECT count(*) FROM erase_keys", &after)
	return after > before, err
}

// keyTexts lists the key's columns as texts, under their field ids.
func (e *erasing) keyTexts() string {
	var list []string
	for _, c := range e.head.Schema.KeyColumns() {
		text := snapshot.Cast(c.Type, schema.Of(schema.Varchar), duck.Ident(c.Name))
		list = append(list, text+" AS "+schema.ColumnName(c.ID))
	}
	return strings.Join(list, ", ")
}

// typedKeys are the keys that came as texts.
func (e *erasing) typedKeys() string {
	var list []string
	for _, c := range e.key {
		name := schema.ColumnName(c.ID)
		list = append(list, snapshot.Cast(schema.Of(schema.Varchar), c.Type, name)+" AS "+name)
	}
	return strings.Join(list, ", ")
}

// hasKey is the condition that no value of a key is missing: this dataset's types could not hold it.
func (e *erasing) hasKey() string {
	var list []string
	for _, c := range e.key {
		list = append(list, schema.ColumnName(c.ID)+" IS NOT NULL")
	}
	return strings.Join(list, " AND ")
}

// findRows adds the rows of some data files that have one of the keys.
func (e *erasing) findRows(ctx context.Context, files *snapshot.Snapshot) error {
	bounds, err := e.keyBounds(ctx)
	if err != nil {
		return err
	}
	k := snapshot.RecordKey{Columns: e.key, Bounds: bounds}
	some := *files
	some.Data = nil
	for _, f := range files.Data {
		if k.MayBeIn(f, files.SchemaOf(f)) {
			some.Data = append(some.Data, f)
		}
	}
	if len(some.Data) == 0 {
		return nil
	}
	_, err = e.conn.Exec(ctx, duck.Fill(addRows, duck.Parts{
		"rows": some.EveryKey(), "same_key": sameKey(e.key, "n", "k"),
	}))
	return err
}

// keyBounds returns the bounds of the keys; nil: any file may have them.
func (e *erasing) keyBounds(ctx context.Context) (*catalog.Bounds, error) {
	order := snapshot.OrderOf(e.key[0].Type)
	if order == snapshot.Unordered {
		return nil, nil
	}
	var least, greatest *string
	query := "SELECT " + order.SQL(schema.ColumnName(e.key[0].ID)) + " FROM erase_keys"
	err := e.conn.Row(ctx, query, &least, &greatest)
	return order.Bounds(least, greatest), err
}

// removal returns the rows that were found.
func (e *erasing) removal(ctx context.Context) (*removal, error) {
	out := &removal{rows: map[int64][]int64{}}
	return out, e.conn.Rows(ctx, "SELECT f, p FROM erase_rows ORDER BY f, p", func(scan duck.Scan) error {
		var file, row int64
		err := scan(&file, &row)
		out.rows[file] = append(out.rows[file], row)
		return err
	})
}

// filesAtOnce is how many files one statement reads.
const filesAtOnce = 1000

// findLines finds what rollback files say of the rows. Asked again, it looks into what is new, unless rows are.
func (e *erasing) findLines(ctx context.Context, all *snapshot.Snapshot, r *removal) error {
	if e.searched == nil || e.details.Rows != r.count() {
		e.searched = map[int64]bool{}
		if _, err := e.conn.Exec(ctx, "DELETE FROM erase_lines"); err != nil {
			return err
		}
	}
	lost := map[int64]bool{}
	for id := range r.rows {
		lost[id] = true
	}
	var some []*catalog.File
	for _, f := range all.Rollbacks {
		if !e.searched[f.ID] && snapshot.TargetsAny(f, lost) {
			some = append(some, f)
			e.searched[f.ID] = true
		}
	}
	for _, alike := range snapshot.BySchema(some) {
		for files := range slices.Chunk(alike, filesAtOnce) {
			if _, err := e.conn.Exec(ctx, duck.Fill(addLines, duck.Parts{"lines": all.Lines(files)})); err != nil {
				return err
			}
		}
	}
	return nil
}

// readTexts reads how errors write the keys.
func (e *erasing) readTexts(ctx context.Context) error {
	e.texts = nil
	first := e.key[0]
	text := snapshot.Cast(first.Type, schema.Of(schema.Varchar), schema.ColumnName(first.ID))
	query := fmt.Sprintf("SELECT DISTINCT %s FROM erase_keys LIMIT %d", text, mostKeys)
	return e.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var one string
		err := scan(&one)
		e.texts = append(e.texts, first.Name+" = "+one, jsonText(first.Name)+":"+jsonText(one))
		return err
	})
}

// forgetFailures takes back what failed jobs said of the keys, such as which were there already. Only the catalog has
// that.
func (e *erasing) forgetFailures(ctx context.Context) error {
	return e.catalog.WriteOver(ctx, func(tx catalog.Tx) error {
		for _, text := range e.texts {
			if err := tx.ForgetFailures(text, "It failed. What it said was erased."); err != nil {
				return err
			}
		}
		return nil
	})
}

func jsonText(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}
