//go:build duckdb_arrow

package datafile_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// encoded returns the kinds of the data pages of a file, and the encodings of their values.
func encoded(t *testing.T, path string) (kinds, encodings []string) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range f.Metadata().RowGroups {
		for _, c := range group.Columns {
			var page format.PageHeader
			in := new(thrift.CompactProtocol).NewReader(bytes.NewReader(body[c.MetaData.DataPageOffset:]))
			if err := thrift.NewDecoder(in).Decode(&page); err != nil {
				t.Fatal(err)
			}
			encoding := format.Plain
			switch page.Type {
			case format.DataPage:
				encoding = page.DataPageHeader.V.Encoding
			case format.DataPageV2:
				encoding = page.DataPageHeaderV2.V.Encoding
			}
			kinds, encodings = append(kinds, page.Type.String()), append(encodings, encoding.String())
		}
	}
	return kinds, encodings
}

// Version 1 has what every reader can read and skip; version 2 has delta encodings (DuckDB), or pages of the second
// kind (parquet-go).
func TestTheVersionOfPages(t *testing.T) {
	conn := ducktest.Conn(t)
	spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 1, File: 2, Columns: []schema.Column{
		{ID: 1, Name: "n", Type: schema.Of(schema.Bigint)}, {ID: 2, Name: "s", Type: schema.Of(schema.Varchar)},
	}}
	for _, pages := range []datafile.Pages{0, datafile.PagesV1, datafile.PagesV2} {
		spec.Pages = pages
		path := filepath.Join(t.TempDir(), "f.parquet")
		query := "SELECT (hash(i) >> 3)::BIGINT, 'text ' || hash(i), 1::BIGINT FROM range(%d) t(i)"
		if _, err := datafile.Copy(t.Context(), conn, fmt.Sprintf(query, 20_000), path, spec); err != nil {
			t.Fatal(err)
		}
		isV2 := pages != datafile.PagesV1
		kinds, encodings := encoded(t, path)
		if has := strings.Contains(fmt.Sprint(encodings), "DELTA_"); has != isV2 {
			t.Errorf("version %d by DuckDB: %v of %v", pages, encodings, kinds)
		}
		if err := encodeTo(t.Context(), conn, fmt.Sprintf(query, 3), path+"2", spec); err != nil {
			t.Fatal(err)
		}
		kinds2, encodings2 := encoded(t, path+"2")
		if has := strings.Contains(fmt.Sprint(encodings2), "DELTA_"); has != isV2 ||
			slices.Contains(kinds2, "DATA_PAGE_V2") != isV2 {
			t.Errorf("version %d by parquet-go: %v of %v", pages, encodings2, kinds2)
		}
		t.Log(pages, kinds, encodings, kinds2, encodings2)
	}
}

// arrow-go reads and skips values in pages of either version, by either writer.
func TestArrowGoReadsPagesOfEitherVersion(t *testing.T) {
	conn := ducktest.Conn(t)
	spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 1, File: 2, Columns: []schema.Column{
		{ID: 1, Name: "n", Type: schema.Of(schema.Bigint)},
	}}
	const query = "SELECT i * 7919 %% 1000003, 1::BIGINT FROM range(%d) t(i)"
	for _, pages := range []datafile.Pages{datafile.PagesV1, datafile.PagesV2} {
		spec.Pages = pages
		path := filepath.Join(t.TempDir(), "f.parquet")
		if _, err := datafile.Copy(t.Context(), conn, fmt.Sprintf(query, 20_000), path, spec); err != nil {
			t.Fatal(err)
		}
		if err := encodeTo(t.Context(), conn, fmt.Sprintf(query, 300), path+"2", spec); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{path, path + "2"} {
			if got := after(t, p, 123); got != 123*7919%1000003 {
				t.Errorf("version %d: %d", pages, got)
			}
		}
	}
}

// after returns a value of the first column, having skipped those before it.
func after(t *testing.T, path string, skipped int64) int64 {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	column, err := f.RowGroup(0).Column(0)
	if err != nil {
		t.Fatal(err)
	}
	reader := column.(*file.Int64ColumnChunkReader)
	if n, err := reader.Skip(skipped); n != skipped || err != nil {
		t.Fatalf("%d skipped: %v", n, err)
	}
	value, levels := make([]int64, 1), make([]int16, 1)
	if n, _, err := reader.ReadBatch(1, value, levels, nil); n != 1 || err != nil {
		t.Fatalf("%d read: %v", n, err)
	}
	return value[0]
}
