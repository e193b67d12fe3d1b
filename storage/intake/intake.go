// Package intake reads the records that clients send, in five formats, into relations that DuckDB can read.
//
// An upload lies on disk, whole and uncompressed, and may be read as often as needed. Each format tells first what
// columns and types it offers; whether the dataset can take them is not decided here. Nothing is trusted: whatever is
// malformed ends in an *Error with a sentence for the client.
package intake

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// Format is how records are written.
type Format string

// The formats.
const (
	Parquet Format = "parquet"
	Arrow   Format = "arrow" // the IPC stream
	CSV     Format = "csv"   // with a header
	NDJSON  Format = "ndjson"
	JSON    Format = "json" // one array of objects
)

// Upload is a file of records, uncompressed.
type Upload struct {
	Format Format
	Path   string
	Size   int64                  // bytes
	Parts  string                 // path of a folder that may be made for parts of it; whoever opens it removes that
	Types  map[string]schema.Type // of columns of a Parquet file, where more is known of them than the file can tell
}

// Text tells how far the text of a column may be read as other types.
type Text int

// The kinds of text.
const (
	NoText   Text = iota
	JSONText      // strings: dates, times, decimals, UUIDs and binaries have no other form in JSON
	CSVText       // everything is text in CSV
)

// Offered is one column of an upload.
type Offered struct {
	Name   string
	Type   schema.Type
	Text   Text
	Format Format // JSON for both JSON formats
	Always bool   // JSON: every record has the field, null or not
	Cast   bool   // is read as another type first: lists of one length, and times in nanoseconds
}

// Records are the records of an upload.
type Records interface {
	// Columns tells what is offered.
	Columns() []Offered
	// Relation makes the records readable, by one statement, which must use every column that was wanted: column i of
	// Columns as o<i>, then, if text is wanted, _json: each record's text (JSON only), then _n: its number from 0.
	// release frees it afterwards.
	Relation(ctx context.Context, conn *duck.Conn, want Want) (sql string, release func(), err error)
	// Explain puts an error that a statement on the relation met into words for the client, if it is the upload's.
	Explain(err error) error
}

// Decoded are few records that can be had without a statement.
type Decoded interface {
	// Batch returns all records, with the columns of Columns; nil where only a statement on their relation can.
	Batch() (arrow.RecordBatch, error)
}

// Want is what a statement uses of the records.
type Want struct {
	Columns []int // indexes into Columns, ascending
	Text    bool
}

// Error is something wrong with what was sent, in words for whoever sent it.
type Error struct {
	Detail string
	Shape  bool  // well-formed, but not records of this kind: not a matter of syntax
	Large  bool  // reading it takes more memory than there is for one upload
	Lost   bool  // it was not read to its end, and no one is to blame: it may be sent again
	Cause  error // for the log
}

func (e *Error) Error() string { return e.Detail }

func malformed(format string, args ...any) error { return &Error{Detail: fmt.Sprintf(format, args...)} }

func misshapen(format string, args ...any) error {
	return &Error{Detail: fmt.Sprintf(format, args...), Shape: true}
}

// Open reads what an upload offers: in the process that conn is to. Statements on its relation are for that connection.
func Open(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	if conn.Remote() {
		return openRemote(ctx, conn, u)
	}
	return open(ctx, conn, u)
}

func open(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	switch u.Format {
	case Parquet:
		return openParquet(ctx, conn, u)
	case Arrow:
		return openArrow(ctx, conn, u)
	case CSV:
		return openCSV(ctx, conn, u)
	case JSON, NDJSON:
		return openJSON(ctx, u)
	}
	return nil, fmt.Errorf("intake: no format %q", u.Format)
}

// OpenHere reads an upload in this process, where that is safe: it is small, and what reads it is Go's own code, of which
// it can't make much memory. It returns nil where that is not so.
func OpenHere(ctx context.Context, u Upload) (Records, error) {
	switch u.Format {
	case CSV:
		if r, err := openPlain(u); r != nil || err != nil {
			return r, err
		}
	case JSON, NDJSON:
		if r, err := openJSON(ctx, u); err != nil || r.Few() {
			return r, err
		}
	}
	return nil, nil
}

// checkNames refuses column names that could not be told apart or asked for.
func checkNames(columns []Offered) error {
	seen := map[string]string{}
	for i, c := range columns {
		if strings.TrimSpace(c.Name) == "" {
			return misshapen("column %d has no name. Name every column, or leave it out (pandas: to_csv(index=False))", i+1)
		}
		if strings.ContainsRune(c.Name, 0) {
			return misshapen("the name of column %d has a NUL character in it", i+1)
		}
		folded := schema.Fold(c.Name)
		if other, ok := seen[folded]; ok && other == c.Name {
			return misshapen("column %q is there twice", c.Name)
		} else if ok {
			return misshapen("columns %q and %q differ only in case, which SQL does not tell apart", other, c.Name)
		}
		seen[folded] = c.Name
	}
	return nil
}

// fixedArray finds lists of one length in a type as DuckDB writes it.
var fixedArray = regexp.MustCompile(`\[\d+\]`)

// describe returns the columns of a relation as DuckDB sees them.
func describe(ctx context.Context, conn *duck.Conn, relation string) ([]Offered, error) {
	var out []Offered
	err := conn.Rows(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+relation+")", func(scan duck.Scan) error {
		var name, text string
		if err := scan(&name, &text); err != nil {
			return err
		}
		typ, err := schema.Parse(text)
		if err != nil {
			return misshapen("column %q has type %s, which can't be stored; convert it first", name, text)
		}
		kept := wholeTimes(typ)
		out = append(out, Offered{Name: name, Type: kept, Cast: fixedArray.MatchString(text) || !kept.Equal(typ)})
		return nil
	})
	return out, err
}

// wholeTimes returns a type with TIME for TIME_NS, the only time that polars writes: values with parts of microseconds
// are refused as they are read.
func wholeTimes(t schema.Type) schema.Type {
	switch t.Name {
	case "TIME_NS":
		return schema.Of(schema.Time)
	case schema.List:
		return schema.ListOf(wholeTimes(*t.Elem))
	case schema.Map:
		key, elem := wholeTimes(*t.Key), wholeTimes(*t.Elem)
		t.Key, t.Elem = &key, &elem
	case schema.Struct:
		t.Fields = slices.Clone(t.Fields)
		for i, f := range t.Fields {
			t.Fields[i].Type = wholeTimes(f.Type)
		}
	}
	return t
}

// aliased writes a select list that names the wanted columns o0, o1, …, each with a comma after it.
func aliased(columns []Offered, want Want) string {
	var list strings.Builder
	for _, i := range want.Columns {
		value := duck.Ident(columns[i].Name)
		if columns[i].Cast {
			value = "CAST(" + value + " AS " + columns[i].Type.SQL() + ")"
		}
		fmt.Fprintf(&list, "%s AS o%d, ", value, i)
	}
	return list.String()
}

// unreadable turns DuckDB's refusal of a client's file into an Error, and leaves other failures as they are.
func unreadable(what string, err error) error {
	if duck.IsConversion(err) {
		return misshapen("the %s has a value that can't be kept: %s", what, duck.Message(err))
	}
	if c := duck.CauseOf(err); c == duck.Input || c == duck.Unreadable {
		return malformed("the %s can't be read: %s", what, duck.Message(err))
	}
	return err
}
