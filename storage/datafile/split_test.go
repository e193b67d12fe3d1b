package datafile_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"

	"github.com/rowback/rowback/storage/datafile"
)

// A footer that says of each column that its values are the whole file makes no file as large for each of them.
func TestColumnsThatLieOverEachOtherAreNotSplit(t *testing.T) {
	dir := t.TempDir()
	sound, lying := filepath.Join(dir, "sound.parquet"), filepath.Join(dir, "lying.parquet")
	type row struct{ A, B, C, D int64 }
	if err := parquet.WriteFile(sound, []row{{1, 2, 3, 4}, {5, 6, 7, 8}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(sound)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, err := parquet.OpenFile(f, int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	footer := read.Metadata()
	end := len(text) - 8 - int(binary.LittleEndian.Uint32(text[len(text)-8:]))
	for i := range footer.RowGroups[0].Columns {
		m := &footer.RowGroups[0].Columns[i].MetaData
		m.DataPageOffset, m.DictionaryPageOffset, m.TotalCompressedSize = 4, 0, int64(end-4)
	}
	said, err := thrift.Marshal(new(thrift.CompactProtocol), footer)
	if err != nil {
		t.Fatal(err)
	}
	said = binary.LittleEndian.AppendUint32(said, uint32(len(said)))
	if err := os.WriteFile(lying, append(append(text[:end:end], said...), "PAR1"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{sound: 4, lying: 0} {
		into := filepath.Join(dir, filepath.Base(path)+" parts")
		if err := os.Mkdir(into, 0o700); err != nil {
			t.Fatal(err)
		}
		paths, err := datafile.Split(path, into, 1)
		left, errLeft := os.ReadDir(into)
		if errLeft != nil || len(left) != want || len(paths) != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d files, %d paths, %v; want %d", filepath.Base(path), len(left), len(paths), err, want)
		}
	}
}
