package storage

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// isJSON reports whether records are objects of JSON, whose text is kept as it came.
func (x *sifting) isJSON() bool {
	return x.original.Format == intake.JSON || x.original.Format == intake.NDJSON
}

// opened opens an upload and finds the dataset's columns for those that it offers; one that it does not have has no type.
func (x *sifting) opened(ctx context.Context, u intake.Upload) (r reading, columns []schema.Column, err error) {
	state, err := x.State(ctx, x.dataset, "head")
	if err != nil {
		return r, nil, err
	}
	if r, err = x.Readers.open(ctx, nil, u); err != nil {
		return r, nil, err
	}
	f := fitting{ctx: ctx, conn: r.conn, upload: u, records: r.Records}
	offered := r.Columns()
	columns = make([]schema.Column, len(offered))
	if _, err = f.placeAll(&fitted{schema: state.Schema}, offered, columns, make([]schema.Type, len(offered))); err != nil {
		r.close()
	}
	return r, columns, err
}

// value is the SQL of an offered column as a value of type t, and of whether it is one. Of JSON it is taken from the
// record's text: a column of mixed values has no type of its own there.
func (x *sifting) value(o intake.Offered, i int, t schema.Type) (value, fits string) {
	if !x.isJSON() {
		return castUpload(o, i, t), takes(o, i, t)
	}
	pointer := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(o.Name)
	part := "json_extract(CAST(_json AS JSON), " + duck.Text(pointer) + ")"
	parts := duck.Parts{"json": part, "type": t.SQL(), "text": "(" + part + " ->> '$')"}
	switch {
	case t.Name == schema.JSON:
		return part, "true"
	case t.Name == schema.Varchar:
		return parts["text"].(string), duck.Fill(`json_type({json}) = 'VARCHAR'`, parts)
	case t.Name == schema.Boolean:
		return duck.Fill(`TRY_CAST({text} AS BOOLEAN)`, parts), duck.Fill(`json_type({json}) = 'BOOLEAN'`, parts)
	case t.IsInteger():
		return duck.Fill(`TRY_CAST({text} AS {type})`, parts),
			duck.Fill(`json_type({json}) IN ('BIGINT', 'UBIGINT', 'HUGEINT') AND TRY_CAST({text} AS {type}) IS NOT NULL`, parts)
	case t.Name == schema.Double, t.Name == schema.Float:
		return duck.Fill(`TRY_CAST({text} AS {type})`, parts),
			duck.Fill(`json_type({json}) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')`, parts)
	case t.Name == schema.Decimal:
		return duck.Fill(`TRY_CAST({text} AS {type})`, parts), textFits(parts["text"].(string), t)
	case t.Nested():
		return duck.Fill(`TRY_CAST({json} AS {type})`, parts),
			duck.Fill(`json_type({json}) IN ('OBJECT', 'ARRAY') AND TRY_CAST({json} AS {type}) IS NOT NULL`, parts)
	}
	return duck.Fill(`TRY_CAST({text} AS {type})`, parts),
		duck.Fill(`json_type({json}) = 'VARCHAR' AND `, parts) + "(" + textFits(parts["text"].(string), t) + ")"
}

// isThere is the condition that a record has a value in an offered column.
func (x *sifting) isThere(o intake.Offered, i int) string {
	if !x.isJSON() {
		return fmt.Sprintf("o%d IS NOT NULL", i)
	}
	pointer := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(o.Name)
	return "coalesce(json_type(CAST(_json AS JSON), " + duck.Text(pointer) + "), 'NULL') <> 'NULL'"
}

// shownValue is the SQL of a value that is wrong, as the error has it.
func (x *sifting) shownValue(o intake.Offered, i int) string {
	text := fmt.Sprintf("o%d", i)
	if o.Type.Name == schema.Varchar && x.original.Format != intake.CSV {
		text = `'"' || ` + text + ` || '"'` // else "60" would look like a number
	}
	if x.isJSON() {
		pointer := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(o.Name)
		text = "json_extract(CAST(_json AS JSON), " + duck.Text(pointer) + ")"
	}
	return "left(CAST(" + text + " AS VARCHAR), 60)"
}

// want is what a statement on some offered columns uses of the upload.
func (x *sifting) want(columns []int) intake.Want {
	if x.isJSON() {
		return intake.Want{Text: true}
	}
	return intake.Want{Columns: columns}
}

// sift notes the records whose values are not of the types that the dataset's columns have.
func (x *sifting) sift(ctx context.Context) error {
	r, columns, err := x.opened(ctx, x.original)
	if err != nil {
		return err
	}
	defer r.close()
	offered := r.Columns()
	var checked []int
	for i, c := range columns {
		if c.ID > 0 && c.Type.Name != "" && c.Type.Name != schema.Null && offered[i].Type.Name != schema.Null {
			checked = append(checked, i)
		}
	}
	for part := range parts(checked, func(i int) int { return i }) {
		if err := x.siftPart(ctx, r, columns, part); err != nil {
			return err
		}
	}
	return nil
}

// siftPart looks at some columns: an upload may have many.
func (x *sifting) siftPart(ctx context.Context, r reading, columns []schema.Column, part []int) error {
	var tests []string
	offered := r.Columns()
	for _, i := range part {
		_, fits := x.value(offered[i], i, columns[i].Type)
		if fits == "true" {
			continue
		}
		tests = append(tests, fmt.Sprintf("CASE WHEN %s AND NOT coalesce(%s, false) THEN %s || %s || %s END",
			x.isThere(offered[i], i), fits, duck.Text(columns[i].Name+": "), x.shownValue(offered[i], i),
			duck.Text(" is not of the type "+columns[i].Type.String())))
	}
	if len(tests) == 0 {
		return nil
	}
	from, release, err := r.Relation(ctx, r.conn, x.want(part))
	if err != nil {
		return err
	}
	defer release()
	query := "SELECT _n, CAST(to_json(why) AS VARCHAR) FROM (SELECT _n, list_filter([" + strings.Join(tests, ", ") +
		"], lambda e: e IS NOT NULL) AS why FROM (" + from + ")) WHERE len(why) > 0 LIMIT " + duck.Int(mostRejected+1)
	return r.Explain(r.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var number int64
		var text string
		if err := scan(&number, &text); err != nil {
			return err
		}
		var why []string
		if err := json.Unmarshal([]byte(text), &why); err != nil {
			return err
		}
		for _, one := range why {
			if err := x.reject(number, "type: "+one); err != nil {
				return err
			}
		}
		return nil
	}))
}

// numbersOf returns the numbers of the records that have some keys; later: but the first of each key.
func (x *sifting) numbersOf(ctx context.Context, keys []map[string]string, later bool) (numbers []int64, err error) {
	state, err := x.State(ctx, x.dataset, "head")
	if err != nil {
		return nil, err
	}
	r, columns, err := x.opened(ctx, x.original)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var list []string
	var used []int
	key := state.Schema.KeyColumns()
	for _, k := range key {
		for i, c := range columns {
			if !schema.SameName(c.Name, k.Name) {
				continue
			}
			value, _ := x.value(r.Columns()[i], i, keyType(k, r.Columns()[i]))
			list, used = append(list, "coalesce(CAST("+value+" AS VARCHAR), '')"), append(used, i)
		}
	}
	if len(list) != len(key) {
		return nil, nil
	}
	wanted, seen := map[string]bool{}, map[string]bool{}
	for _, one := range keys {
		texts := make([]string, len(key))
		for i, k := range key {
			texts[i] = one[k.Name]
		}
		wanted[strings.Join(texts, "\x00")] = true
	}
	from, release, err := r.Relation(ctx, r.conn, x.want(slices.Sorted(slices.Values(used))))
	if err != nil {
		return nil, err
	}
	defer release()
	query := "SELECT _n, " + strings.Join(list, ", ") + " FROM (" + from + ") ANTI JOIN (" + x.rejected() +
		") USING (_n) ORDER BY _n"
	return numbers, r.Explain(r.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var n int64
		texts := make([]string, len(key))
		into := []any{&n}
		for i := range texts {
			into = append(into, &texts[i])
		}
		if err := scan(into...); err != nil {
			return err
		}
		name := strings.Join(texts, "\x00")
		if wanted[name] && (!later || seen[name]) {
			numbers = append(numbers, n)
		}
		seen[name] = true
		return nil
	}))
}

// keyType is the type in which keys are compared: the dataset's, or of one that has no records yet that of the upload.
func keyType(k schema.Column, o intake.Offered) schema.Type {
	if k.Type.Name == "" || k.Type.Name == schema.Null {
		t, _ := schema.Stored(o.Type)
		return t
	}
	return k.Type
}

// rejected is the SQL of the numbers of the records that are left out.
func (x *sifting) rejected() string {
	if len(x.out) == 0 {
		return "SELECT CAST(-1 AS BIGINT) AS _n"
	}
	return "SELECT unnest([" + joinInts(x.out) + "]) AS _n"
}

// rest returns the records that are not left out, as an upload.
func (x *sifting) rest(ctx context.Context) (intake.Upload, error) {
	if len(x.out) == 0 {
		return x.original, nil
	}
	x.end()
	x.kept = x.blobs.Scratch("collected")
	r, columns, err := x.opened(ctx, x.original)
	if err != nil {
		return intake.Upload{}, err
	}
	defer r.close()
	rows := int64(0)
	if x.isJSON() {
		x.now = intake.Upload{Format: intake.NDJSON, Path: x.kept}
		rows, x.now.Size, err = x.writeTexts(ctx, r)
	} else {
		x.now = intake.Upload{Format: intake.Parquet, Path: x.kept, Types: map[string]schema.Type{}}
		rows, err = x.writeTable(ctx, r, columns)
		if err == nil {
			_, x.now.Size, err = x.checksumOf(x.kept)
		}
	}
	if err == nil && rows == 0 {
		err = x.nothingLeft(ctx)
	}
	return x.now, err
}

// nothingLeft is the refusal of an upload without a record that can be committed.
func (x *sifting) nothingLeft(ctx context.Context) error {
	first, _, err := x.records(ctx, false)
	if err != nil {
		return err
	}
	why := fault.Clip(strings.Join(x.why[x.out[0]], "; "))
	refusal := ErrAllRejected.Sayf("None of the %d records can be committed. What is wrong with the first: %s.",
		len(x.out), why)
	if len(x.out) == 1 {
		refusal = ErrAllRejected.Sayf("The only record can't be committed: %s.", why)
	}
	return refusal.With("rejected", map[string]any{"count": len(x.out), "records": first})
}

// writeTexts writes the records that are not left out as they came, one a line.
func (x *sifting) writeTexts(ctx context.Context, r reading) (rows, size int64, err error) {
	f, err := x.CreateStaged(x.kept)
	if err != nil {
		return 0, 0, err
	}
	out := bufio.NewWriter(f)
	from, release, err := r.Relation(ctx, r.conn, intake.Want{Text: true})
	if err == nil {
		query := "SELECT _json FROM (" + from + ") ANTI JOIN (" + x.rejected() + ") USING (_n) ORDER BY _n"
		err = r.Explain(r.conn.Rows(ctx, query, func(scan duck.Scan) error {
			var text string
			if err := scan(&text); err != nil {
				return err
			}
			rows++
			n, err := out.WriteString(text + "\n")
			size += int64(n)
			return err
		}))
		release()
	}
	if err == nil {
		err = out.Flush()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return rows, size, err
}

// writeTable writes the records that are not left out as a table, in the types that they are stored in.
func (x *sifting) writeTable(ctx context.Context, r reading, columns []schema.Column) (rows int64, err error) {
	offered := r.Columns()
	targets, err := x.types(ctx, r, columns)
	if err != nil {
		return 0, err
	}
	var list []string
	var used []int
	for i, o := range offered {
		if columns[i].ID < 0 {
			continue
		}
		list = append(list, castUpload(o, i, targets[i])+" AS "+duck.Ident(o.Name))
		used = append(used, i)
		x.now.Types[o.Name] = targets[i]
	}
	from, release, err := r.Relation(ctx, r.conn, intake.Want{Columns: used})
	if err != nil {
		return 0, err
	}
	defer release()
	query := "SELECT " + strings.Join(list, ", ") + " FROM (" + from + ") ANTI JOIN (" + x.rejected() +
		") USING (_n) ORDER BY _n"
	rows, err = datafile.CopyQuery(ctx, r.conn, query, x.kept, datafile.PagesV2, "")
	return rows, r.Explain(err)
}

// types returns the types in which the columns of an upload are stored: those of the dataset, and of new ones what their
// values say.
func (x *sifting) types(ctx context.Context, r reading, columns []schema.Column) ([]schema.Type, error) {
	offered := r.Columns()
	targets := make([]schema.Type, len(offered))
	var open []int
	for i, c := range columns {
		switch t, ok := quick(offered[i], c); {
		case c.ID < 0:
		case c.Type.Name != "" && c.Type.Name != schema.Null:
			targets[i] = c.Type
		case ok:
			targets[i] = t
		default:
			open = append(open, i)
		}
	}
	f := fitting{ctx: ctx, conn: r.conn, upload: x.original, records: r.Records}
	found, err := f.find(offered, open)
	for k, i := range open {
		if err == nil {
			targets[i] = found[k]
		}
	}
	for i := range targets {
		targets[i] = targets[i].Settled()
	}
	return targets, err
}

// records returns the first records that are left out, or all of them, each as an object with its number and errors.
func (x *sifting) records(ctx context.Context, all bool) (first []json.RawMessage, path string, err error) {
	first = []json.RawMessage{}
	if len(x.out) == 0 {
		return first, "", nil
	}
	r, columns, err := x.opened(ctx, x.original)
	if err != nil {
		return nil, "", err
	}
	defer r.close()
	offered := r.Columns()
	var used []int
	var fields []string
	for i, o := range offered {
		if columns[i].ID < 0 {
			continue
		}
		used = append(used, i)
		fields = append(fields, duck.Text(o.Name)+": "+asJSONValue(o, i))
	}
	record, want := "CAST(to_json({"+strings.Join(fields, ", ")+"}) AS VARCHAR)", intake.Want{Columns: used}
	if x.isJSON() {
		record, want = "_json", intake.Want{Text: true}
	}
	from, release, err := r.Relation(ctx, r.conn, want)
	if err != nil {
		return nil, "", err
	}
	defer release()
	var out *bufio.Writer
	var f *Staged
	if all {
		path = x.blobs.Scratch("rejected")
		if f, err = x.CreateStaged(path); err != nil {
			return nil, "", err
		}
		out = bufio.NewWriter(f)
	}
	query := "SELECT _n, " + record + " FROM (" + from + ") SEMI JOIN (" + x.rejected() + ") USING (_n) ORDER BY _n"
	if !all {
		query += " LIMIT " + duck.Int(ShownRejected)
	}
	err = r.Explain(r.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var n int64
		var text string
		if err := scan(&n, &text); err != nil {
			return err
		}
		one, err := withErrors(text, n+1, x.why[n])
		if err != nil {
			return err
		}
		if len(first) < ShownRejected {
			first = append(first, one)
		}
		if out != nil {
			_, err = out.Write(append(one, '\n'))
		}
		return err
	}))
	if f != nil {
		if err == nil {
			err = out.Flush()
		}
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			x.blobs.RemoveScratch(path)
		}
	}
	return first, path, err
}

// asJSONValue is the SQL of an offered value that JSON has a form for.
func asJSONValue(o intake.Offered, i int) string {
	if o.Type.Name == schema.Null {
		return "NULL"
	}
	stored, _ := schema.Stored(o.Type)
	if stored.Name == schema.Blob {
		return snapshot.Cast(stored, schema.Of(schema.Varchar), fmt.Sprintf("o%d", i))
	}
	return fmt.Sprintf("o%d", i)
}

// withErrors returns the text of an object with the number of its record and its errors.
func withErrors(text string, number int64, why []string) (json.RawMessage, error) {
	errs, err := json.Marshal(why)
	if err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	inner := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	if strings.TrimSpace(inner) != "" {
		inner += ", "
	}
	return json.RawMessage(fmt.Sprintf(`{%s"_record": %d, "_errors": %s}`, inner, number, errs)), nil
}

// told is what the answer has of the records that are left out.
func (x *sifting) told(ctx context.Context, keep Keeper, isPreview bool) (out Collected, err error) {
	out.Count = int64(len(x.out))
	keeps := keep != nil && !isPreview && out.Count > 0
	var path string
	if out.First, path, err = x.records(ctx, keeps); err != nil || !keeps {
		return out, err
	}
	_, size, err := x.checksumOf(path)
	if err != nil {
		return out, err
	}
	out.ID, err = keep(ctx, intake.Upload{Format: intake.NDJSON, Path: path, Size: size})
	return out, err
}
