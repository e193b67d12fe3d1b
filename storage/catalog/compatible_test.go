package catalog

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// version returns a program with more migrations than this one, each a statement.
func version(t *testing.T, needs int64, more map[string]string) *program {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Base(name)] = &fstest.MapFile{Data: text}
	}
	for name, statement := range more {
		files[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + "\n")}
	}
	return &program{files, needs}
}

// Servers are replaced one after the other: those of two versions write beside each other, and the former one may be
// started again, as long as the newer one has only additions. One that changes more waits until the others have gone.
func versionsBesideEachOther(t *testing.T) {
	url := newDatabase(t)
	additions := map[string]string{
		"90001_more.sql": `ALTER TABLE datasets ADD COLUMN later BIGINT NOT NULL DEFAULT 7;`,
		"90002_more.sql": `CREATE TABLE later (id BIGINT PRIMARY KEY);`,
	}
	former, newer := version(t, needs, nil), version(t, needs, additions)
	breaking := maps.Clone(additions)
	breaking["90003_other.sql"] = `ALTER TABLE tags RENAME COLUMN name TO title;`
	newest := version(t, 90003, breaking)
	begin := func(name string, p *program) (*Catalog, error) {
		return OpenPostgres(t.Context(), url, PostgresOptions{Server: name, Hook: noHook, plays: p})
	}
	must := func(name string, p *program) *fixture {
		t.Helper()
		c, err := begin(name, p)
		return opened(t, c, err)
	}
	old := must("a former server", former)
	writes := func(f *fixture, dataset string) {
		t.Helper()
		f.must(func(tx Tx) error { return tx.AddDataset(f.dataset(dataset, dataset)) })
		f.must(func(tx Tx) error {
			d, err := tx.Dataset(dataset)
			if err != nil || d.Name != dataset {
				t.Errorf("%+v, %v", d, err)
			}
			return nil
		})
	}
	writes(old, "before")
	young := must("a newer server", newer)
	writes(young, "newer")
	writes(old, "while it upgrades")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	old = must("the former server again", former)
	writes(old, "started beside")
	if _, err := begin("the newest", newest); !errors.Is(err, ErrOthersAreOlder) ||
		!strings.Contains(err.Error(), "the former server again") || !strings.Contains(err.Error(), "a newer server") {
		t.Errorf("one that they can't work beside: %v", err)
	}
	writes(old, "after it was refused")
	writes(young, "and the other")
	if err := errors.Join(old.Close(), young.Close()); err != nil {
		t.Fatal(err)
	}
	last := must("the newest", newest)
	writes(last, "newest")
	for name, p := range map[string]*program{"former": former, "newer": newer} {
		if _, err := begin(name, p); err == nil || !strings.Contains(err.Error(), "newer version of the program") {
			t.Errorf("a %s one starts: %v", name, err)
		}
	}
	last.must(func(tx Tx) error {
		list, err := tx.Datasets(DatasetFilter{Limit: 99})
		if len(list) != 7 {
			t.Errorf("%d datasets", len(list))
		}
		return err
	})
}
