package storagetest

import (
	"context"
	"io"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// Archive makes a backup and returns it with the bytes of its archive.
func (b *Bench) Archive(dataset, ref string) (catalog.Backup, []byte) {
	b.Helper()
	made, err := b.Backups.Make(context.Background(), dataset,
		storage.NewBackup{Ref: ref, Description: "before the cleaning"}, storage.Request{User: "ada"})
	if err != nil {
		b.Fatal(err)
	}
	r, err := b.Backups.Open(context.Background(), made, false)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return made, text
}

// MakeSavepoint makes a savepoint, or finds that the last one is still good.
func (b *Bench) MakeSavepoint(dataset string, n storage.NewSavepoint, made bool) catalog.Savepoint {
	b.Helper()
	p, err := b.CreateSavepoint(context.Background(), dataset, n, storage.Request{})
	if err != nil || p.Made != made {
		b.Fatalf("made %v, want %v: %+v %v", p.Made, made, p, err)
	}
	return p.Savepoint
}
