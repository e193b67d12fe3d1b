package storage_test

import (
	"testing"

	"github.com/rowback/rowback/storage/storagetest"
)

func TestModes(t *testing.T) {
	b := open(t)
	d := b.Create("people", "id")
	c := b.JSON(d, "append",
		`[{"id":1,"name":"Ann","addr":{"city":"Oslo","zip":"0150"}},{"id":2,"name":"Bo","addr":{"city":"Rome"}}]`)
	if got := storagetest.Counts(c); got != "+2 -0 ~0 =2" {
		t.Error(got)
	}
	c = b.JSON(d, "overwrite",
		`[{"id":1,"name":"Ann","addr":{"city":"Oslo","zip":"0150"}},{"id":2,"name":"Bob"},{"id":3,"name":"Cy"}]`)
	if got := storagetest.Counts(c); got != "+1 -0 ~1 =3" {
		t.Error(got)
	}
	b.Want(d, "head", `{"id":1,"name":"Ann","addr":{"city":"Oslo","zip":"0150"}}`, `{"id":2,"name":"Bob","addr":null}`,
		`{"id":3,"name":"Cy","addr":null}`)
	c = b.JSON(d, "upsert", `[{"id":1,"addr":{"city":"Bergen"}},{"id":3,"name":null},{"id":4,"x":1.5}]`)
	if got := storagetest.Counts(c); got != "+1 -0 ~2 =4" {
		t.Error(got)
	}
	b.Want(d, "head", `{"id":1,"name":"Ann","addr":{"city":"Bergen","zip":"0150"},"x":null}`,
		`{"id":2,"name":"Bob","addr":null,"x":null}`, `{"id":3,"name":null,"addr":null,"x":null}`,
		`{"id":4,"name":null,"addr":null,"x":1.5}`)
	c = b.JSON(d, "delete", `[{"id":2},{"id":99}]`)
	if got := storagetest.Counts(c); got != "+0 -1 ~0 =3" {
		t.Error(got)
	}
	r, err := b.TryRollback(d, c.ID, "stack")
	if err != nil {
		t.Fatal(err)
	}
	if got := storagetest.Counts(r); got != "+1 -0 ~0 =4" {
		t.Error(got)
	}
	b.Want(d, "head", `{"id":1,"name":"Ann","addr":{"city":"Bergen","zip":"0150"},"x":null}`,
		`{"id":2,"name":"Bob","addr":null,"x":null}`, `{"id":3,"name":null,"addr":null,"x":null}`,
		`{"id":4,"name":null,"addr":null,"x":1.5}`)
	b.Want(d, "2", `{"id":1,"name":"Ann","addr":{"city":"Oslo","zip":"0150"}}`, `{"id":2,"name":"Bob","addr":null}`,
		`{"id":3,"name":"Cy","addr":null}`)
}
