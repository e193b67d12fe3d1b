package query

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/rowback/rowback/query/spark"
	"github.com/rowback/rowback/query/sparksql"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
)

// Engine is a server on which statements can run in place of DuckDB.
type Engine = spark.Engine

// OpenEngine returns the engine at an address, such as sc://host:15002. It need not be there yet.
func OpenEngine(address string) (*Engine, error) {
	a, err := spark.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	return spark.New(a)
}

// WriteOn is Write for a statement in Spark SQL that an engine runs. Parameters are ? and :name. The engine reads the
// files of the states that the statement names where they are; the result comes through here, where it is written as
// those of DuckDB are.
func WriteOn(
	ctx context.Context, store *storage.Store, engine *Engine, s Statement, format intake.Format, w io.Writer, scratch string,
) (cut output.Cut, err error) {
	if s.Limit != nil && *s.Limit < 0 {
		return output.Whole, refuse("invalid_limit", "limit: must not be negative").With("field", "limit")
	}
	conn, err := store.Conn(ctx)
	if err != nil {
		return output.Whole, err
	}
	defer conn.Close()
	q, hidden, err := prepareOn(ctx, store, conn, s)
	if err != nil {
		return output.Whole, err
	}
	result, err := engine.Run(ctx, q)
	if err != nil {
		return output.Whole, named(err, hidden)
	}
	rows := newEngineRows(result)
	defer rows.Release()
	cut, err = writeRows(ctx, conn, rows, s, format, w, scratch)
	if rows.err != nil { // DuckDB passes on only its text
		err = rows.err
	}
	return cut, named(err, hidden)
}

// prepareOn reads a statement, and finds where the tables are that it names. hidden replaces the names that were made up
// for the engine by those of the statement.
func prepareOn(
	ctx context.Context, store *storage.Store, conn *duck.Conn, s Statement,
) (q spark.Query, hidden *strings.Replacer, err error) {
	if err := checkText(s.SQL); err != nil {
		return q, nil, err
	}
	prefix, err := unguessable()
	if err != nil {
		return q, nil, err
	}
	read, err := sparksql.Read(s.SQL, prefix)
	if err != nil {
		return q, nil, err
	}
	q = spark.Query{SQL: read.SQL, Limit: s.Limit}
	if q.List, q.Named, err = engineParams(s.Params); err != nil {
		return q, nil, err
	}
	n := &names{store: store, box: conn, project: s.Project}
	text := &text{written: s.SQL, sql: s.SQL}
	var pairs []string
	for _, t := range read.Tables {
		found, err := n.place(ctx, t.Name)
		if err != nil {
			if e := storage.Explain(err); e.Kind == fault.NotFound || e.Kind == fault.Invalid {
				return q, nil, text.located(e, t.Offset)
			}
			return q, nil, err
		}
		found.Name = t.As
		q.Tables = append(q.Tables, found)
		pairs = append([]string{t.As, t.Name}, pairs...) // the longest first: a_10 before a_1
	}
	return q, strings.NewReplacer(pairs...), nil
}

// unguessable returns the beginning of the names that are made up for one statement.
func unguessable() (string, error) {
	var random [8]byte
	_, err := rand.Read(random[:])
	return "rb_" + hex.EncodeToString(random[:]), err
}

// place finds the state or the difference that a name stands for, and where engines read it.
func (n *names) place(ctx context.Context, name string) (t spark.Table, err error) {
	dataset, ref, _ := strings.Cut(name, "@")
	d, err := n.dataset(ctx, dataset)
	if err != nil {
		return t, err
	}
	if from, to, isDiff := strings.Cut(ref, ".."); isDiff {
		t.Format = spark.Parquet
		t.Address, err = n.store.Published.Difference(ctx, d.ID, from, to)
		return t, err
	}
	t.Format = spark.Iceberg
	t.Address, err = n.store.Published.Place(ctx, d.ID, ref)
	return t, err
}

// named returns an error with the names that the statement has.
func named(err error, hidden *strings.Replacer) error {
	var e *fault.Error
	if !errors.As(err, &e) || !errors.Is(err, spark.ErrSQL) {
		return err
	}
	shown := *e
	shown.Detail = hidden.Replace(e.Detail)
	return &shown
}

// engineParams reads the values of a statement's parameters: a list for ?, an object for :name.
func engineParams(params json.RawMessage) (list []any, byName map[string]any, err error) {
	given, err := decode(params)
	if err != nil {
		return nil, nil, err
	}
	switch given := given.(type) {
	case nil:
	case []any:
		for _, v := range given {
			value, err := engineValue(v)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, value)
		}
	case map[string]any:
		byName = map[string]any{}
		for name, v := range given {
			if byName[name], err = engineValue(v); err != nil {
				return nil, nil, err
			}
		}
	default:
		return nil, nil, badParams("must be a list, or an object with the parameters' names")
	}
	return list, byName, nil
}

// engineValue converts a JSON value to one that an engine takes.
func engineValue(given any) (any, error) {
	switch v := given.(type) {
	case nil, bool, string:
		return v, nil
	case json.Number:
		out, err := number(v.String())
		if err != nil {
			return nil, badParams("a value %s", err)
		}
		if _, exact := out.(duck.Decimal); exact {
			return spark.Decimal(v.String()), nil
		}
		return out, nil
	}
	return nil, badParams("lists and objects can't be sent to an engine. Send parts of them, or text")
}
