package quartzbio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// rewriting is what becomes of records on their way in.
type rewriting struct {
	ids       ids
	annotator *annotator // nil: there are no target fields
}

// apply changes a record and returns its text.
func (r rewriting) apply(ctx context.Context, record *row) ([]byte, error) {
	if err := r.ids.apply(record); err != nil {
		return nil, err
	}
	if r.annotator != nil {
		if err := r.annotator.apply(ctx, record); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(record)
	if err != nil { // a number that is not finite, which JSON does not have
		return nil, fault.Errorf(fault.Invalid, "invalid_record", "A record can't be written as JSON: %s.", err)
	}
	return text, nil
}

// rewrite returns an upload of JSON Lines or CSV as it is to be committed, and removes the one that it was made of.
func (f *Face) rewrite(ctx context.Context, u calls.Upload, r rewriting) (out calls.Upload, err error) {
	defer u.Remove()
	var in io.Reader = bytes.NewReader(u.Body)
	if u.Body == nil {
		file, err := os.Open(u.Path)
		if err != nil {
			return out, err
		}
		defer file.Close()
		in = file
	}
	next, err := recordsOf(u.Upload, bufio.NewReaderSize(in, 1<<20), r.ids.schema)
	if err != nil {
		return out, err
	}
	return calls.Receive(f.store, intake.NDJSON, func(to io.Writer) (size int64, err error) {
		w := bufio.NewWriter(to)
		for n := 1; ; n++ {
			if err := ctx.Err(); err != nil {
				return size, err
			}
			record, err := next()
			if errors.Is(err, io.EOF) {
				return size, w.Flush()
			}
			var text []byte
			if err == nil {
				text, err = r.apply(ctx, &record)
			}
			if err != nil {
				return size, inRecord(n, err)
			}
			written, err := w.Write(append(text, '\n'))
			if size += int64(written); err != nil {
				return size, err
			}
			if most := f.host.Limits().MaxUpload; size > most {
				return size, fault.Errorf(fault.TooLarge, "too_large", "What the target fields make of the records is larger "+
					"than %d bytes (--max-upload).", most)
			}
		}
	})
}

// inRecord says in which record something is wrong.
func inRecord(n int, err error) error {
	var e *fault.Error
	if errors.As(err, &e) {
		return fault.Errorf(e.Kind, e.Code, "Record %d: %s", n, e.Detail).With("record", n)
	}
	return err
}

// recordsOf returns what reads the records of an upload one by one, until io.EOF. They are for a dataset with a schema.
func recordsOf(u intake.Upload, in *bufio.Reader, to schema.Schema) (next func() (row, error), err error) {
	switch u.Format {
	case intake.NDJSON:
		d := json.NewDecoder(in)
		return func() (row, error) {
			var text json.RawMessage
			if err := d.Decode(&text); err != nil {
				return row{}, malformedLine(err)
			}
			var record row
			err := json.Unmarshal(text, &record)
			return record, err
		}, nil
	case intake.CSV:
		return csvRecords(u, in, to)
	}
	return nil, fault.Errorf(fault.Invalid, "not_supported",
		"target_fields are not supported for files in %s. Use CSV, TSV or JSON Lines.", u.Format)
}

// malformedLine explains an error of a JSON text; io.EOF stays.
func malformedLine(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return fault.Errorf(fault.Invalid, "malformed_json", "It is not valid JSON: %s.", err)
}

// csvRecords reads a CSV whose first line has the names. Values are text, but for what is written as a number is, unless
// the dataset has text there.
func csvRecords(u intake.Upload, in *bufio.Reader, to schema.Schema) (func() (row, error), error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	if u.Options.Delimiter != "" {
		r.Comma = rune(u.Options.Delimiter[0])
	}
	header, err := r.Read()
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "malformed_csv", "The file has no header: %s.", err)
	}
	names := slices.Clone(header)
	names[0] = strings.TrimPrefix(names[0], "\ufeff") // a byte order mark, as spreadsheets write it
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fault.Errorf(fault.Invalid, "invalid_csv", "The file has two columns with the name '%s'.",
				fault.Clip(name))
		}
	}
	isText := make([]bool, len(names))
	for i, name := range names {
		column, ok := to.ByName(name)
		isText[i] = ok && column.Type.Name == schema.Varchar
	}
	return func() (row, error) {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return row{}, err
		}
		if err != nil {
			return row{}, fault.Errorf(fault.Invalid, "malformed_csv", "%s.", err)
		}
		record := row{values: make(map[string]any, len(names))}
		for i, text := range line {
			if !utf8.ValidString(text) { // otherwise it would become another text
				return row{}, fault.Errorf(fault.Invalid, "malformed_csv", "Field '%s' is not text in UTF-8.", fault.Clip(names[i]))
			}
			record.set(names[i], csvValue(text, isText[i]))
		}
		return record, nil
	}, nil
}

// csvValue returns a field of a CSV as a value: nothing, a number as it is written, or text.
func csvValue(text string, isText bool) any {
	if text == "" {
		return nil
	}
	if isText || !number.MatchString(text) {
		return text
	}
	return json.Number(text)
}
