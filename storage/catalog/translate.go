package catalog

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// translated are the migrations for PostgreSQL. They are written once, in SQL that both databases understand. Only two
// things have to be translated: texts are compared byte by byte, and a trigger calls a function.
// TestBothDatabasesHaveTheSameTables proves it.
type translated struct{ fs.FS }

// Open opens a migration, translated.
func (t translated) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return migration{f, bytes.NewReader([]byte(translate(string(text))))}, nil
}

type migration struct {
	fs.File
	text *bytes.Reader
}

func (m migration) Read(b []byte) (int, error) { return m.text.Read(b) }

var (
	textType = regexp.MustCompile(`\bTEXT\b`)
	trigger  = regexp.MustCompile(`(?s)CREATE TRIGGER (\w+) AFTER ([A-Z a-z_]+?) ON (\w+) BEGIN\n(.*?)\nEND;`)
)

// translate translates a migration. It leaves out the part that undoes it: nothing ever runs that on PostgreSQL.
func translate(text string) string {
	text, _, _ = strings.Cut(text, "-- +goose Down")
	text = textType.ReplaceAllString(text, `TEXT COLLATE "C"`)
	return trigger.ReplaceAllString(text, `CREATE FUNCTION $1() RETURNS trigger LANGUAGE plpgsql AS $$$$
BEGIN
$4
    RETURN NULL;
END
$$$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER $1 AFTER $2 ON $3 FOR EACH ROW EXECUTE FUNCTION $1();`)
}
