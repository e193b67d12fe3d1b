package storage_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// The targets below take what a client may send. Whatever it is, it is taken or refused with a sentence, and nothing is
// left of it in staging.

var formats = []intake.Format{intake.Parquet, intake.Arrow, intake.CSV, intake.NDJSON, intake.JSON, intake.XLSX}

var modes = []catalog.Mode{catalog.Append, catalog.Upsert, catalog.Overwrite, catalog.Delete}

// fuzzed opens a store for a target's inputs, with a dataset that has a record.
func fuzzed(f *testing.F) (s *storage.Store, dataset string, staging func() []string) {
	f.Helper()
	dir := f.TempDir()
	s, err := storage.Open(context.Background(), dir, storage.Options{Threads: 1, Memory: 2e9})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	d, err := s.CreateDataset(context.Background(), storage.NewDataset{ProjectID: 1, Name: "d", Key: []string{"id"}},
		storage.Request{})
	if err != nil {
		f.Fatal(err)
	}
	return s, d.Dataset.ID, func() []string {
		left, _ := filepath.Glob(filepath.Join(dir, "staging", "*.parquet*"))
		return left
	}
}

// mustTell fails the test where an error is not one that a client is told of.
func mustTell(t *testing.T, err error) {
	t.Helper()
	if err != nil && fault.KindOf(storage.Explain(err)) == fault.Internal {
		t.Fatal(err)
	}
}

func FuzzUpload(f *testing.F) {
	for mode := range modes {
		for format, body := range validBodies(f) {
			f.Add(uint8(mode), uint8(format), body)
		}
	}
	f.Add(uint8(0), uint8(0), []byte("PAR1\xff\xff\xff\x7fPAR1"))
	s, dataset, staging := fuzzed(f)
	taken := 0
	f.Fuzz(func(t *testing.T, mode, format uint8, body []byte) {
		path := filepath.Join(t.TempDir(), "upload")
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		u := intake.Upload{Format: formats[int(format)%len(formats)], Path: path, Size: int64(len(body))}
		ctx, cancel := context.WithTimeout(context.Background(), fuzzTime)
		defer cancel()
		_, err := s.Commit(ctx, dataset, storage.Change{Mode: modes[int(mode)%len(modes)], Upload: u})
		if ctx.Err() != nil {
			t.Skip("not done in time")
		}
		mustTell(t, err)
		if left := staging(); len(left) > 0 {
			t.Fatal("left in staging:", left)
		}
		// Each input that is taken may add columns: with thousands of them, the next one takes more than its time.
		if err != nil {
			return
		}
		if taken++; taken%takenByOne == 0 {
			made, err := s.CreateDataset(context.Background(), storage.NewDataset{
				ProjectID: 1, Name: fmt.Sprint("d", taken), Key: []string{"id"}}, storage.Request{})
			if err != nil {
				t.Fatal(err)
			}
			dataset = made.Dataset.ID
		}
	})
}

const (
	takenByOne = 20              // uploads that a dataset takes
	fuzzTime   = 5 * time.Second // after 10, Go ends the process and says nothing of why
)

// validBodies is a record in each of the formats.
func validBodies(f *testing.F) map[int][]byte {
	fields := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "t", Type: arrow.BinaryTypes.String}, {Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64)}}, nil)
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, fields,
		bytes.NewReader([]byte(`[{"id":1,"t":"one","l":[1.5,null]}]`)))
	if err != nil {
		f.Fatal(err)
	}
	defer batch.Release()
	var stream bytes.Buffer
	w := ipc.NewWriter(&stream, ipc.WithSchema(fields))
	if err := w.Write(batch); err != nil {
		f.Fatal(err)
	}
	w.Close()
	return map[int][]byte{
		1: stream.Bytes(), 2: []byte(
			"id,t\n1,one\n"), 3: []byte(`{"id":1,"t":"one","l":[1.5,null]}`), 4: []byte(`[{"id":1,"o":{"a":{}}}]`),
		5: workbook(f),
	}
}

// workbook is a record in an Excel workbook.
func workbook(f *testing.F) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range map[string]string{
		"xl/workbook.xml":            `<workbook><sheets><sheet name="a" id="1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="1" Type="/worksheet" Target="a.xml"/></Relationships>`,
		"xl/a.xml": `<worksheet><row><c t="str"><v>id</v></c><c t="str"><v>t</v></c></row>
			<row><c><v>1</v></c><c t="str"><v>one</v></c></row></worksheet>`,
	} {
		part, err := w.Create(name)
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return out.Bytes()
}

func FuzzRef(f *testing.F) {
	for _, ref := range []string{"head", "latest", "previous", "1.0.1", "master__000003", "2026-01-31T10:00:00Z", "head~1",
		"~", "1~-1", "9223372036854775808", "1.0.99999999999999999999", "head~999999999999999999999"} {
		f.Add(ref)
	}
	s, dataset, _ := fuzzed(f)
	f.Fuzz(func(t *testing.T, ref string) {
		_, err := s.Snapshot(context.Background(), dataset, ref)
		mustTell(t, err)
		_, err = s.FindVersion(context.Background(), dataset, ref)
		mustTell(t, err)
		_, err = s.FindSavepoint(context.Background(), dataset, ref)
		mustTell(t, err)
	})
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte{})
	f.Add(archiveOf(f,
		`{"dataset":"d","data_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","schema":{}}`, ""))
	f.Add(archiveOf(f, `{"data_sha256":"0"}`, "PAR1\xff\xff\xff\x7fPAR1"))
	s, _, staging := fuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := s.CreateFromBackup(context.Background(), bytes.NewReader(body), "restored", 1, storage.Request{})
		mustTell(t, err)
		if left := staging(); len(left) > 0 {
			t.Fatal("left in staging:", left)
		}
	})
}

func archiveOf(f *testing.F, manifest, data string) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, text := range map[string]string{"backup.json": manifest, "data.parquet": data} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			f.Fatal(err)
		}
		w.Write([]byte(text))
	}
	w.Close()
	return out.Bytes()
}

// A file with holes may be larger than its archive by any amount.
func TestAnArchiveWithHolesIsRefused(t *testing.T) {
	b := open(t)
	_, err := b.CreateFromBackup(context.Background(), bytes.NewReader(sparse("data.parquet", 1<<32)), "restored", 1,
		storage.Request{})
	if e := storage.Explain(err); e.Code != "invalid_backup" || !strings.Contains(e.Detail, "holes") {
		t.Fatal(err)
	}
}

// sparse is an archive of one file that is all hole, as GNU tar writes it.
func sparse(name string, size int64) []byte {
	h := make([]byte, 512)
	put := func(at int, text string) { copy(h[at:], text) }
	put(0, name)
	put(124, "00000000000")
	put(148, "        ")
	put(156, "S")
	put(257, "ustar  ")
	put(386, fmt.Sprintf("%011o\x00%011o", size, 0))
	put(483, fmt.Sprintf("%011o", size))
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	put(148, fmt.Sprintf("%06o\x00 ", sum))
	return append(h, make([]byte, 1024)...)
}
