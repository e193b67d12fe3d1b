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

// translated are migrations for PostgreSQL. They are written once, for SQLite.
type translated struct {
	fs.FS
	text func(string) string
}

// Translated returns migrations of which each is translated. The part that undoes it is left out: nothing ever runs that
// on PostgreSQL.
func Translated(files fs.FS, text func(string) string) fs.FS { return translated{files, text} }

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
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	return migration{f, bytes.NewReader([]byte(t.text(up)))}, nil
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

// translate translates a migration of the catalog, which is in SQL that both databases understand. Only two things have
// to be translated: texts are compared byte by byte, and a trigger calls a function. TestBothDatabasesHaveTheSameTables
// proves it.
func translate(text string) string {
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
