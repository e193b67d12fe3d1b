package quartzbio

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// rewritten returns the records of a text as target fields make them, or the refusal of one.
func rewritten(t *testing.T, format intake.Format, text string, fields ...fieldIn) (string, error) {
	t.Helper()
	a, err := newAnnotator(fields, scope{}, true)
	if err != nil {
		return "", err
	}
	next, err := recordsOf(intake.Upload{Format: format}, bufio.NewReader(strings.NewReader(text)), schema.Schema{
		Columns: []schema.Column{{ID: 1, Name: "release", Type: schema.Of(schema.Varchar)}},
	})
	if err != nil {
		return "", err
	}
	var out []string
	for {
		record, err := next()
		if errors.Is(err, io.EOF) {
			return strings.Join(out, "\n"), nil
		}
		if err != nil {
			return "", err
		}
		line, err := (rewriting{annotator: a}).apply(context.Background(), &record)
		if err != nil {
			return "", err
		}
		out = append(out, string(line))
	}
}

func TestTargetFieldsChangeNoOthers(t *testing.T) {
	twice := "record.n + record.n"
	double := fieldIn{Name: "twice", Expression: &twice}
	for _, c := range []struct {
		format     intake.Format
		text, want string
		fields     []fieldIn
	}{
		{intake.CSV, "\ufeffn,version,release,code\n2,1.10,1.10,-007\n",
			`{"n":2,"version":1.10,"release":"1.10","code":"-007","twice":4}`, []fieldIn{double}},
		{
			intake.NDJSON, `{"n":1.50,"big":123456789012345678901234567890,"l":[{"a":1e2}]}`,
			`{"n":1.50,"big":123456789012345678901234567890,"l":[{"a":1e2}],"twice":3.0}`, []fieldIn{double},
		},
		{intake.CSV, "version,n\n1.10,2.50\n", `{"version":"1.10","n":2.5}`, []fieldIn{
			{Name: "version", DataType: "string"}, {Name: "n", DataType: "double"},
		}},
		{intake.NDJSON, `{"a":"False","b":"true","c":0,"d":"","e":"maybe"}`,
			`{"a":false,"b":true,"c":false,"d":null,"e":null,"_errors":["e: \"maybe\" is not true or false"]}`, []fieldIn{
				{Name: "a", DataType: "boolean"}, {Name: "b", DataType: "boolean"}, {Name: "c", DataType: "boolean"},
				{Name: "d", DataType: "boolean"}, {Name: "e", DataType: "boolean"},
			}},
	} {
		if got, err := rewritten(t, c.format, c.text, c.fields...); err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.text, got, err, c.want)
		}
	}
	if _, err := rewritten(t, intake.CSV, "a,a\n1,2\n", double); fault.KindOf(err) != fault.Invalid {
		t.Errorf("two columns with one name: %v", err)
	}
	if _, err := rewritten(t, intake.CSV, "a\n", double, double); fault.KindOf(err) != fault.Invalid {
		t.Errorf("two target fields with one name: %v", err)
	}
}
