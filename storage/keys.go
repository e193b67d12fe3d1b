package storage

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// shownKeys is how many keys an error names.
const shownKeys = 5

// keyNames names the key's columns, for an error.
func keyNames(key []schema.Column) string {
	names := make([]string, len(key))
	for i, c := range key {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// keyList is the key columns in SQL, by field id.
func keyList(key []schema.Column) string {
	names := make([]string, len(key))
	for i, c := range key {
		names[i] = schema.ColumnName(c.ID)
	}
	return strings.Join(names, ", ")
}

// sameKey is the condition that two relations have the same key.
func sameKey(key []schema.Column, a, b string) string {
	parts := make([]string, len(key))
	for i, c := range key {
		name := schema.ColumnName(c.ID)
		parts[i] = fmt.Sprintf("%s.%s %s %s.%s", a, name, snapshot.Equals(c.Type), b, name)
	}
	return strings.Join(parts, " AND ")
}

// keyCheck looks at the keys of incoming records. Errors name some keys or records.
type keyCheck struct {
	conn *duck.Conn
	key  []schema.Column
	in   *incoming
	live func(*catalog.Bounds) *snapshot.Snapshot // what is live where keys lie within bounds

	finder *keyFinder
	shown  int // keys or records that a refusal names
}

// check makes sure that every incoming record has a key of its own, and finds the bounds of the keys.
func (k keyCheck) check(ctx context.Context) error {
	if k.in.rows == 0 || k.in.checked {
		return nil
	}
	for _, c := range k.key {
		// Without the column no record has a key.
		if !k.in.has(c.ID) {
			return fault.Errorf(fault.Invalid, "key_missing",
				"The records have no column %q, which is in the key (%s). Every record needs its key.",
				c.Name, keyNames(k.key)).
				With("key", keyNames(k.key))
		}
		if c.Type.Nested() {
			return fault.Errorf(fault.Invalid, "key_type",
				"Column %q is in the key and is %s. A key column holds single values.", c.Name, c.Type)
		}
	}
	// The cheapest first: in order, then a bitmap, then sorted hashes; the keys themselves are grouped only where hashes
	// are equal.
	sorted, err := k.scan(ctx)
	if err != nil || sorted {
		return err
	}
	twice, known, err := k.integersTwice(ctx)
	if err == nil && !known {
		twice, err = k.hashesTwice(ctx)
	}
	if err != nil || !twice {
		return err
	}
	return k.duplicates(ctx)
}

// scan reads the keys once, in order: are any null, do they only grow, and what are their bounds. Keys that only
// grow are distinct, which is found at no cost; others must be sorted to tell.
func (k keyCheck) scan(ctx context.Context) (sorted bool, err error) {
	var nulls, falls int64
	var least, greatest *string
	missing := make([]string, len(k.key))
	for i, c := range k.key {
		missing[i] = schema.ColumnName(c.ID) + " IS NULL"
	}
	order := snapshot.OrderOf(k.key[0].Type)
	query := duck.Fill(scanKeys, duck.Parts{
		"missing": strings.Join(missing, " OR "), "grows": grows(k.key), "bounds": order.SQL(schema.ColumnName(k.key[0].ID)),
		"key": keyList(k.key), "lagged": lagged(k.key), "records": k.in.of(k.key),
	})
	err = k.conn.Row(ctx, query, &nulls, &falls, &least, &greatest)
	if err != nil {
		return false, err
	}
	if nulls > 0 {
		return false, k.nulls(ctx, strings.Join(missing, " OR "), nulls)
	}
	k.in.bounds = order.Bounds(least, greatest)
	return falls == 0, nil
}

// lagged selects the key of the record before as p0, p1, ….
func lagged(key []schema.Column) string {
	parts := make([]string, len(key))
	for i, c := range key {
		parts[i] = fmt.Sprintf("lag(%s) OVER () AS p%d", schema.ColumnName(c.ID), i)
	}
	return strings.Join(parts, ", ")
}

// grows is the condition that a key is greater than the one before it.
func grows(key []schema.Column) string {
	var or []string
	equal := ""
	for i, c := range key {
		or = append(or, fmt.Sprintf("%s%s > p%d", equal, schema.ColumnName(c.ID), i))
		equal += fmt.Sprintf("%s = p%d AND ", schema.ColumnName(c.ID), i)
	}
	return strings.Join(or, " OR ")
}

// maxBitmap is how many bits the bitmap of keys may have, in all and for each record.
const (
	maxBitmap       = 1 << 30
	maxBitsOfRecord = 16
)

// integersTwice reports whether two records have the same key, by a bitmap of the keys: for one column of integers that
// do not lie far apart. known is false for other keys.
func (k keyCheck) integersTwice(ctx context.Context) (twice, known bool, err error) {
	if len(k.key) > 1 || !k.key[0].Type.IsInteger() || k.in.bounds == nil {
		return false, false, nil
	}
	least, errLeast := strconv.ParseInt(k.in.bounds.Least, 10, 64)
	greatest, errGreatest := strconv.ParseInt(k.in.bounds.Greatest, 10, 64)
	// Unsigned, as the difference of two BIGINTs may not fit one.
	span := uint64(greatest) - uint64(least)
	if errLeast != nil || errGreatest != nil || span >= min(maxBitmap, uint64(k.in.rows)*maxBitsOfRecord) {
		return false, false, nil
	}
	err = k.conn.Row(ctx, duck.Fill(integersTwice, duck.Parts{
		"key": keyList(k.key), "least": least, "greatest": greatest, "records": k.in.of(k.key),
	}), &twice)
	return twice, true, err
}

// hashesTwice reports whether two records may have the same key: whether two hashes of keys are equal. Sorting hashes
// is faster than grouping keys, and can spill.
func (k keyCheck) hashesTwice(ctx context.Context) (twice bool, err error) {
	err = k.conn.Row(ctx, duck.Fill(hashesTwice, duck.Parts{"key": keyList(k.key), "records": k.in.of(k.key)}), &twice)
	return twice, err
}

// What is asked of the keys of incoming records, and of those that are live.
const (
	scanKeys = `SELECT count(*) FILTER ({missing}), count(*) FILTER (NOT ({grows})), {bounds}
		FROM (SELECT {key}, {lagged} FROM {records})`
	integersTwice = `SELECT bit_count(bitstring_agg({key}, {least}, {greatest})) < count(*) FROM {records}`
	hashesTwice   = `SELECT coalesce(bool_or(h = p), false)
		FROM (SELECT h, lag(h) OVER () AS p FROM (SELECT hash({key}) AS h FROM {records} ORDER BY h))`
	firstMissing = `SELECT _n + 1 FROM {records} WHERE {missing} ORDER BY 1 LIMIT {shown}`
	firstTwice   = `SELECT {key} FROM {records} GROUP BY {key} HAVING count(*) > 1 ORDER BY min(_n) LIMIT {shown}`
	firstLive    = `SELECT {key} FROM {records} i SEMI JOIN ({live}) s ON {same_key} ORDER BY _n LIMIT {shown}`
	keysAsText   = `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({keys})`
)

// nulls names the first records that have no value in the key, by their numbers from 1.
func (k keyCheck) nulls(ctx context.Context, missing string, n int64) error {
	var rows []int64
	query := duck.Fill(firstMissing, duck.Parts{"records": k.in.of(k.key), "missing": missing, "shown": k.shown})
	err := k.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var row int64
		err := scan(&row)
		rows = append(rows, row)
		return err
	})
	if err != nil {
		return err
	}
	return fault.Errorf(fault.Invalid, "key_null",
		"%d records have no value in the key (%s), the first of them in record %s. Every record needs its key.",
		n, keyNames(k.key), joinInts(rows[:min(len(rows), shownKeys)])).
		With("rows", rows).With("key", keyNames(k.key))
}

// duplicates names the keys that come twice, if there are any: equal hashes may have been different keys.
func (k keyCheck) duplicates(ctx context.Context) error {
	keys, err := k.list(ctx, duck.Fill(firstTwice, duck.Parts{
		"key": keyList(k.key), "records": k.in.of(k.key), "shown": k.shown,
	}))
	if err != nil || len(keys) == 0 {
		return err
	}
	return fault.Errorf(fault.Invalid, "key_duplicate",
		"Records have the same key (%s), for example %s. Send each key once.",
		keyNames(k.key), showKeys(k.key, keys[:min(len(keys), shownKeys)])).
		With("keys", keys)
}

// ErrKeyExists is the refusal of records to be added whose keys are live already.
var ErrKeyExists = fault.New(fault.Invalid, "key_exists")

// areNew makes sure that no incoming key is live already. It is for append; the other modes expect keys that are live.
func (k keyCheck) areNew(ctx context.Context) error {
	if k.in.rows == 0 {
		return nil
	}
	// Files whose bounds lie elsewhere are not opened: a growing key reads none.
	live, err := k.liveRows(ctx)
	if err != nil || len(live.Data) == 0 {
		return err
	}
	keys, err := k.list(ctx, duck.Fill(firstLive, duck.Parts{
		"key": keyList(k.key), "records": k.in.of(k.key), "live": live.Narrow(k.key).Rows(false),
		"same_key": sameKey(k.key, "i", "s"), "shown": k.shown,
	}))
	if err != nil || len(keys) == 0 {
		return err
	}
	return ErrKeyExists.Sayf("The dataset has records with these keys (%s) already, for example %s. "+
		"Use mode overwrite or upsert to change records that are there.", keyNames(k.key), showKeys(k.key, keys[:min(len(keys), shownKeys)])).
		With("keys", keys)
}

// list reads keys, as objects from column name to text.
func (k keyCheck) list(ctx context.Context, query string) (keys []map[string]string, err error) {
	err = k.conn.Rows(ctx, duck.Fill(keysAsText, duck.Parts{"keys": query}), func(scan duck.Scan) error {
		values := make([]string, len(k.key))
		dest := make([]any, len(k.key))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		one := map[string]string{}
		for i, c := range k.key {
			one[c.Name] = values[i]
		}
		keys = append(keys, one)
		return nil
	})
	return keys, err
}

// showKeys writes keys for a sentence.
func showKeys(key []schema.Column, keys []map[string]string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		values := make([]string, len(key))
		for j, c := range key {
			values[j] = c.Name + " = " + fault.Clip(k[c.Name])
		}
		parts[i] = strings.Join(values, " and ")
	}
	return strings.Join(parts, "; ")
}

// joinInts lists numbers, for an error.
func joinInts(list []int64) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, ", ")
}

// liveIn returns the snapshot's files that may hold keys within bounds, read with the commit's schema.
func (d *draft) liveIn(bounds *catalog.Bounds) *snapshot.Snapshot {
	live := *d.head.Within(bounds)
	live.Schema = d.schema
	return &live
}
