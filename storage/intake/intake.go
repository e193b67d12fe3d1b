// Package intake reads the records that clients send, in six formats, into relations that DuckDB can read. An upload is
// a complete, uncompressed file, on disk or, if it is small, in memory, which may be read several times. Open returns
// the columns and types that it offers; whether the dataset accepts them is decided by the caller. Nothing in an upload
// is trusted: whatever is malformed ends in an *Error with a sentence for the client. storage/intake_test.go and
// fixtures/clients/test_uploads_kill.py prove it.
package intake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Format is the file format of an upload.
type Format string

// The formats.
const (
	Parquet Format = "parquet"
	Arrow   Format = "arrow" // the IPC stream format
	CSV     Format = "csv"   // with a header
	NDJSON  Format = "ndjson"
	JSON    Format = "json" // one array of objects
	XLSX    Format = "xlsx" // one sheet of an Excel workbook, with a header
)

// Upload is a file of records, uncompressed.
type Upload struct {
	Format Format
	Path   string
	Body   []byte                 // all of it, if it is small and in memory; nil: it is in the file
	Size   int64                  // bytes
	Parts  string                 // where a directory for parts of it may be created; the caller of Open removes it
	Types  map[string]schema.Type // types of columns of a Parquet file that it can't express
	Files  []File                 // of Parquet: several files with the same columns, in place of Path

	Options Options
}

// File is one file of an upload of several.
type File struct {
	Path string
	Name string // what its sender calls it
}

// files returns the files of an upload. The only one has no name.
func (u Upload) files() []File {
	if len(u.Files) > 0 {
		return u.Files
	}
	return []File{{Path: u.Path}}
}

// open opens the upload for reading.
func (u Upload) open() (io.ReadCloser, error) {
	if u.Body != nil {
		return io.NopCloser(bytes.NewReader(u.Body)), nil
	}
	return os.Open(u.Path)
}

// Text says which other types the text of a column may stand for.
type Text int

// The kinds of text.
const (
	NoText   Text = iota // none
	JSONText             // dates, times, decimals, UUIDs and binaries, which are strings in JSON
	CSVText              // any type
)

// Offered is one column of an upload.
type Offered struct {
	Name   string
	Type   schema.Type
	Text   Text
	Format Format // JSON for both JSON formats, else empty
	Always bool   // of JSON: whether every record has the field, null or not
	Form   Form   // of CSV text: how it has numbers and moments
	Cast   bool   // DuckDB reads another type, which is cast to Type: fixed-size lists, and times in nanoseconds

	Extension *schema.Extension // what the upload says of its values beyond their type
	Lost      string            // the name of an extension that the upload has for it and that can't be kept
}

// Records are the records of an upload.
type Records interface {
	// Columns returns the columns of the upload.
	Columns() []Offered
	// Relation makes the records readable by one statement, and returns the SQL of the relation. It has a column o<i>
	// for each wanted column i of Columns, which the statement must all use; then, if text is wanted, _json with each
	// record's text (JSON only); then _n, each record's number from 0. The caller calls release afterwards.
	Relation(ctx context.Context, conn *duck.Conn, want Want) (sql string, release func(), err error)
	// Explain returns the *Error for an error of a statement on the relation if the upload caused it, else err.
	Explain(err error) error
}

// Decoded is implemented by records that may be read without a statement, because they are few.
type Decoded interface {
	// Batch returns all records, with the columns of Columns; nil if they must be read through their relation.
	Batch() (arrow.RecordBatch, error)
}

// Noted is implemented by records whose sender should know how they were read.
type Noted interface {
	// Notes returns sentences for the answer.
	Notes() []string
}

// NotesOf returns the notes about records.
func NotesOf(r Records) []string {
	if n, ok := r.(Noted); ok {
		return n.Notes()
	}
	return nil
}

// LongOf returns the SQL of a relation of all values of a wide CSV, see csvRecords.Long; empty if there is none.
func LongOf(r Records) string {
	if l, ok := r.(interface{ Long() string }); ok {
		return l.Long()
	}
	return ""
}

// Want is the part of the records that a statement uses.
type Want struct {
	Columns []int // indexes into Columns, ascending
	Text    bool  // also the text of each record
}

// Error is a fault of an upload, in words for its sender.
type Error struct {
	Detail string
	Shape  bool  // it is well-formed, but its content is unsuitable
	Large  bool  // reading it takes more memory than one upload may use
	Lost   bool  // reading was interrupted from outside: it may be sent again
	Cause  error // for the log
}

func (e *Error) Error() string { return e.Detail }

// malformed is the error of an upload that can't be parsed.
func malformed(format string, args ...any) error { return &Error{Detail: fmt.Sprintf(format, args...)} }

// misshapen is the error of an upload that can be parsed but not stored.
func misshapen(format string, args ...any) error {
	return &Error{Detail: fmt.Sprintf(format, args...), Shape: true}
}

// Open finds out what an upload offers, in the process behind conn. Its relation is valid on that connection only.
func Open(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	if conn.Remote() {
		return openRemote(ctx, conn, u)
	}
	return open(ctx, conn, u)
}

// open is Open in the process that reads, which may be this one.
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
	case XLSX:
		return openSheet(u)
	}
	return nil, fmt.Errorf("intake: no format %q", u.Format)
}

// OpenHere reads an upload in this process if that is safe: if it is small and decoded by Go code that needs little
// memory for it. Otherwise it returns nil.
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

// checkNames refuses column names that SQL could not distinguish or express.
func checkNames(columns []Offered) error {
	if len(columns) > MaxColumns {
		return tooManyColumns(fmt.Sprint(len(columns)))
	}
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
			return misshapen("column %q appears twice", c.Name)
		} else if ok {
			return misshapen("columns %q and %q differ only in case, which SQL does not distinguish", other, c.Name)
		}
		seen[folded] = c.Name
	}
	return nil
}

// tooManyColumns is the error of records with more columns than a dataset may have.
func tooManyColumns(n string) error {
	return misshapen("the records have %s columns, and a dataset has at most %d. Divide them among several datasets, or "+
		"send a record for each value", n, MaxColumns)
}

// fixedArray finds fixed-size lists in the SQL of a type.
var fixedArray = regexp.MustCompile(`\[\d+\]`)

// describe returns the columns of a relation as DuckDB sees them.
func describe(ctx context.Context, conn *duck.Conn, relation string) ([]Offered, error) {
	var out []Offered
	query := "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM " + relation + ")"
	err := conn.Rows(ctx, query, func(scan duck.Scan) error {
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

// wholeTimes returns a type with TIME in place of TIME_NS, which is what polars writes for every time. Values with
// parts of microseconds are refused when they are read.
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

// aliased returns a select list of the wanted columns as o0, o1, …, each followed by a comma.
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
