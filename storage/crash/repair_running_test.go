package crash

import (
	"errors"
	"os"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

// A running server puts a file back that it knows to be damaged, and serves it again.
func TestARunningServerRepairsWhatIsDamaged(t *testing.T) {
	b := open(t)
	target := t.TempDir()
	b.Store.Close()
	b = reopen(t, b.Dir, storage.Options{Backups: target})
	d := b.Create("people", "id")
	first := b.Put(d, "append", "json", `[{"id":1,"v":"a"},{"id":2,"v":"b"}]`)
	_, err := b.Copies.Make(t.Context(), storage.NewStoreBackup{}, storage.Request{})
	storagetest.Must(t, err)
	one := b.fileOf(d, first.ID, "data")
	whole := b.readFile(one)
	spoil(t, one)
	storagetest.Must(t, b.Scrubs.Run(t.Context(), storage.ScrubPlan{}))
	for _, apply := range []bool{false, true} {
		found, err := b.RepairDamaged(t.Context(), apply)
		storagetest.Must(t, err)
		if len(found) != 1 || found[0].Done != apply || found[0].Source != "a backup" {
			t.Errorf("apply %t: %+v", apply, found)
		}
		if left := len(b.Damaged()); (left == 0) != apply {
			t.Errorf("apply %t: %d are damaged", apply, left)
		}
	}
	if string(b.readFile(one)) != string(whole) {
		t.Error("the file is not what it was")
	}
	if _, err := b.digest(d, "head"); err != nil {
		t.Errorf("it is not served: %v", err)
	}
	storagetest.Must(t, os.RemoveAll(target))
	if _, err := b.RepairDamaged(t.Context(), true); err == nil {
		t.Error("without backups, nothing is said")
	}
	b.Store.Close()
	b = reopen(t, b.Dir, storage.Options{})
	var refused *fault.Error
	if _, err := b.RepairDamaged(t.Context(), true); !errors.As(err, &refused) || refused.Code != "no_backup_target" {
		t.Errorf("without a place for backups: %v", err)
	}
}
