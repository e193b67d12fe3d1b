package intake

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// plainCSV are the records of a small CSV without quotes or anything else that is unusual. Its fields are the text
// between separators, for DuckDB as well as here, so that reading it needs no process and no statement.
type plainCSV struct {
	columns []Offered
	notes   []string
	text    [][]string          // by column; empty text is null
	typed   map[int]arrow.Array // columns converted by Impose
}

// maxPlain is how many columns a plain CSV may have.
const maxPlain = 250

// openPlain reads a small CSV if it is plain. Otherwise it returns nil, and DuckDB must read it.
func openPlain(u Upload) (*plainCSV, error) {
	if u.Options.Form.isOwn() {
		return nil, nil
	}
	in, err := u.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	if from, err := codec(u.Options.Encoding, body); from != nil || err != nil {
		return nil, err
	}
	lines := plainLines(body, u.Options.quote())
	if len(lines) < 2 {
		return nil, nil
	}
	d := u.Options.dialect(lines[0])
	comma := string(d.comma)
	names := strings.Split(lines[0], comma)
	if len(names) > maxPlain {
		return nil, nil
	}
	r := &plainCSV{text: make([][]string, len(names)), typed: map[int]arrow.Array{}}
	for _, line := range lines[1:] {
		fields := strings.Split(line, comma)
		if len(fields) != len(names) {
			return nil, nil
		}
		for i, field := range fields {
			if slices.Contains(d.null, field) {
				field = ""
			}
			r.text[i] = append(r.text[i], field)
		}
	}
	r.columns, r.notes, err = textColumns(names, Form{})
	return r, err
}

// plainLines returns the lines of a plain CSV; nil if it is not plain.
func plainLines(body []byte, quote string) []string {
	returns, newlines := bytes.Count(body, []byte("\r")), bytes.Count(body, []byte("\n"))
	if returns > 0 && returns == newlines && returns == bytes.Count(body, []byte("\r\n")) {
		body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	}
	if !utf8.Valid(body) || bytes.ContainsAny(body, quote+"\r\x00") || bytes.HasPrefix(body, []byte("\ufeff")) {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			return nil
		}
	}
	return lines
}

func (r *plainCSV) Columns() []Offered { return r.columns }

func (r *plainCSV) Notes() []string { return r.notes }

// Impose converts column i to its stored type, if all of its values are in the canonical form of that type. Otherwise
// it stays text.
func (r *plainCSV) Impose(i int, stored schema.Type) {
	if a := plainValues(r.text[i], stored.Name); a != nil {
		r.typed[i] = a
		r.columns[i].Type, r.columns[i].Text = stored, NoText
	}
}

// Batch returns all records.
func (r *plainCSV) Batch() (arrow.RecordBatch, error) {
	fields := make([]arrow.Field, len(r.columns))
	arrays := make([]arrow.Array, len(r.columns))
	for i := range r.columns {
		arrays[i] = r.typed[i]
		if arrays[i] == nil {
			arrays[i] = texts(r.text[i])
		}
		fields[i] = arrow.Field{Name: "o" + strconv.Itoa(i), Type: arrays[i].DataType(), Nullable: true}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, int64(len(r.text[0]))), nil
}

// Relation registers the records that are in memory as a stream.
func (r *plainCSV) Relation(ctx context.Context, conn *duck.Conn, want Want) (string, func(), error) {
	batch, err := r.Batch()
	if err != nil {
		return "", nil, err
	}
	stream, err := array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
	if err != nil {
		return "", nil, err
	}
	var list strings.Builder
	for _, i := range want.Columns {
		list.WriteString("o" + strconv.Itoa(i) + ", ")
	}
	release, err := register(ctx, conn, stream, want.Columns)
	return "SELECT " + list.String() + "_n FROM " + view, release, err
}

func (r *plainCSV) Explain(err error) error { return csvError(err) }

// texts are values as text. An empty field of a CSV is null.
func texts(values []string) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, v := range values {
		if v == "" {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	return b.NewArray()
}

// plainNumber matches numbers that every parser of doubles reads as the same value.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$`)

// plainValues converts texts to values of a type; nil if one is not in canonical form, or the type is not supported.
func plainValues(texts []string, typ string) arrow.Array {
	switch typ {
	case schema.Bigint:
		return built(array.NewInt64Builder(memory.DefaultAllocator), texts, func(s string) (int64, bool) {
			n, err := strconv.ParseInt(s, 10, 64)
			return n, err == nil && strconv.FormatInt(n, 10) == s
		})
	case schema.Double:
		return built(array.NewFloat64Builder(memory.DefaultAllocator), texts, func(s string) (float64, bool) {
			f, err := strconv.ParseFloat(s, 64)
			return f, err == nil && plainNumber.MatchString(s)
		})
	case schema.Boolean:
		return built(array.NewBooleanBuilder(memory.DefaultAllocator), texts, func(s string) (bool, bool) {
			return s == "true", s == "true" || s == "false"
		})
	case schema.Date:
		return built(array.NewDate32Builder(memory.DefaultAllocator), texts, plainDate)
	case schema.Timestamp:
		return built(momentsBuilder(schema.Of(typ)), texts, plainMoment)
	case schema.TimestampTZ:
		return built(momentsBuilder(schema.Of(typ)), texts, plainZoned)
	}
	return nil
}

func momentsBuilder(t schema.Type) *array.TimestampBuilder {
	return array.NewTimestampBuilder(memory.DefaultAllocator, arrowType(t).(*arrow.TimestampType))
}

// builder is implemented by arrow-go's builders for T.
type builder[T any] interface {
	array.Builder
	Append(T)
}

// built returns the array of the parsed texts; nil if one can't be parsed.
func built[T any](b builder[T], texts []string, read func(string) (T, bool)) arrow.Array {
	defer b.Release()
	for _, s := range texts {
		if s == "" {
			b.AppendNull()
			continue
		}
		v, ok := read(s)
		if !ok {
			return nil
		}
		b.Append(v)
	}
	return b.NewArray()
}
