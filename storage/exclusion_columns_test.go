package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// excludes gives a dataset an exclusion.
func (b *bench) excludes(d, condition string) catalog.Commit {
	b.Helper()
	c, err := b.exclude(d, condition)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// notUndone makes sure that a commit is not rolled back, and that asking says so.
func (b *bench) notUndone(d string, c catalog.Commit, code string) {
	b.Helper()
	answer, err := b.CanRollback(context.Background(), d, c.ID, storage.Stack)
	if err != nil || !answer.Blocked {
		b.Errorf("asked, a rollback of commit %d is blocked: %v, %v", c.ID, answer.Blocked, err)
	}
	b.unchanged(d, code, func() error {
		_, err := b.TryRollback(d, c.ID, storage.Stack)
		return err
	})
}

func TestARollbackLeavesTheExclusionItsColumns(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	created, _ := b.variable(d, storage.NewVariable{Name: "v", Type: "BIGINT"})
	b.excludes(d, "v > 1")
	b.notUndone(d, created, "variable_used")
}

func TestARollbackBringsNoExclusionBackWhoseColumnsAreGone(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"n":1,"m":1,"id":1}]`)
	b.excludes(d, "n > 1")
	second := b.excludes(d, "m > 1")
	b.drop(d, "n")
	b.notUndone(d, second, "exclusion_unbound")
}

func TestAMergeLeavesTheExclusionItsColumns(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"n":1,"id":1}]`)
	f := b.MakeFork(d, "fork", "head")
	b.drop(f, "n")
	b.excludes(d, "n > 1")
	b.unchanged(d, "merge_conflict", func() error {
		m, err := b.Merge(context.Background(), d, storage.Merge{Source: f, Autorollback: true}, storage.Request{})
		if len(m.Conflicts) != 1 || m.Conflicts[0].Variable != "n" {
			t.Errorf("conflicts: %+v", m.Conflicts)
		}
		return err
	})
}

func TestAnExclusionCanBeComputedOfTheTypesOfItsColumns(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"n":"2020-01-01","m":1,"id":1}]`)
	b.retype(d, "n", "DATE")
	b.excludes(d, "year(n) > 1 AND m > 1")
	b.unchanged(d, "exclusion_unbound", func() error {
		text := "VARCHAR"
		_, _, err := b.TryEdit(d, "n", storage.VariableEdit{Type: &text})
		return err
	})
	b.retype(d, "n", "TIMESTAMP")
	b.retype(d, "m", "DOUBLE")
	b.wantExcluded(d, `year("n") > 1 AND "m" > 1`)
}
