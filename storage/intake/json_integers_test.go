package intake

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

// Whole numbers that a column's type has are offered in that type, so that no statement converts them. Others are
// offered as they are.
func TestIntegersAreOfferedInTheStoredType(t *testing.T) {
	for _, c := range []struct{ stored, value, offered string }{
		{"TINYINT", "-128", "TINYINT"}, {"TINYINT", "128", schema.Bigint},
		{"SMALLINT", "32767", "SMALLINT"}, {"SMALLINT", "-32769", schema.Bigint},
		{schema.Integer, "-2147483648", schema.Integer}, {schema.Integer, "2147483648", schema.Bigint},
		{"UTINYINT", "255", "UTINYINT"}, {"UTINYINT", "-1", schema.Bigint},
		{"USMALLINT", "65535", "USMALLINT"}, {"UINTEGER", "4294967296", schema.Bigint},
		{schema.Ubigint, "1", schema.Ubigint}, {schema.Ubigint, "-1", schema.Bigint},
		{schema.Integer, "1.5", schema.Double},
	} {
		path := filepath.Join(t.TempDir(), "upload")
		body := []byte(`[{"i":` + c.value + `},{"i":null}]`)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, u := range []Upload{{Format: JSON, Path: path, Size: int64(len(body))}, {Format: JSON, Body: body}} {
			r, err := openJSON(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			r.Impose(0, schema.Of(c.stored))
			batch, err := r.Batch()
			if err != nil {
				t.Fatalf("%s as %s: %v", c.value, c.stored, err)
			}
			if got := r.Columns()[0].Type.Name; got != c.offered || batch.Column(0).ValueStr(0) != c.value {
				t.Errorf("%s for a column of %s is offered as %s %s", c.value, c.stored, got, batch.Column(0).ValueStr(0))
			}
		}
	}
}
