package crunch

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// kept puts a source with a file, and returns it.
func kept(t *testing.T, s *localSources, id, user string, age time.Duration) source {
	t.Helper()
	path := filepath.Join(t.TempDir(), id)
	if err := os.WriteFile(path, []byte("id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := source{
		id: id, user: user, name: id + ".csv", at: time.Now().Add(-age),
		upload: calls.Upload{Upload: intake.Upload{Format: intake.CSV, Path: path, Size: 3}},
	}
	s.put(t.Context(), one)
	return one
}

func exists(s source) bool {
	_, err := os.Stat(s.upload.Path)
	return err == nil
}

func TestASourceIsItsUsersUntilItIsDeleted(t *testing.T) {
	s := newSources()
	mine := kept(t, s, "a", "eva", time.Minute)
	kept(t, s, "b", "ben", 0)
	later := kept(t, s, "c", "eva", 0)
	if got, err := s.get(t.Context(), "eva", "a"); err != nil || got.name != "a.csv" {
		t.Errorf("%+v, %v", got, err)
	}
	if list, _ := s.list(t.Context(), "eva"); len(list) != 2 || list[0].id != "a" || list[1].id != "c" {
		t.Errorf("%+v", list)
	}
	for _, other := range [][2]string{{"ben", "a"}, {"eva", "x"}} {
		if _, err := s.get(t.Context(), other[0], other[1]); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v: %v", other, err)
		}
		if err := s.delete(t.Context(), other[0], other[1]); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v is deleted: %v", other, err)
		}
	}
	if err := s.delete(t.Context(), "eva", "a"); err != nil || exists(mine) || !exists(later) {
		t.Errorf("%v; the files are there: %t, %t", err, exists(mine), exists(later))
	}
	if _, err := s.get(t.Context(), "eva", "a"); err == nil {
		t.Error("a deleted source is found")
	}
}

func TestASourceIsDroppedAfterADay(t *testing.T) {
	s := newSources()
	old := kept(t, s, "old", "eva", storage.UploadAge-time.Second)
	kept(t, s, "young", "eva", 0)
	if !exists(old) {
		t.Error("a source was dropped too early")
	}
	expired := kept(t, s, "expired", "eva", storage.UploadAge+time.Second)
	if _, err := s.get(t.Context(), "eva", "expired"); err == nil || exists(expired) {
		t.Error("an expired source is kept")
	}
}

func TestTheOldestSourcesMakeRoom(t *testing.T) {
	s := newSources()
	var all []source
	for i := range storage.MostUploads + 2 {
		all = append(all, kept(t, s, fmt.Sprint(i), "eva", time.Duration(storage.MostUploads-i)*time.Second))
	}
	if list, _ := s.list(t.Context(), "eva"); len(list) != storage.MostUploads || list[0].id != "2" {
		t.Errorf("%d sources, the oldest %s", len(list), list[0].id)
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, storage.MostUploads + 1: true} {
		if exists(all[i]) != want {
			t.Errorf("file %d is there: %t", i, !want)
		}
	}
}

func TestTheFormatOfAFileIsCSVUnlessItSaysParquet(t *testing.T) {
	for _, c := range []struct {
		name, media string
		want        intake.Format
	}{
		{"a.csv", "", intake.CSV}, {"a.parquet", "", intake.Parquet}, {"A.PARQUET", "text/csv", intake.Parquet},
		{"a", "application/vnd.apache.parquet", intake.Parquet}, {"parquet", "", intake.CSV}, {"", "", intake.CSV},
	} {
		if got := formatOf(part(t, c.name, c.media, "x")); got != c.want {
			t.Errorf("%q, %q: %s", c.name, c.media, got)
		}
	}
}

// part is a file in a multipart form.
func part(t *testing.T, name, media, text string) *multipart.Part {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", fmt.Sprintf(`form-data; name="uploaded_file"; filename=%q`, name))
	header.Set("Content-Type", media)
	out, err := w.CreatePart(header)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(out, text)
	w.Close()
	p, err := multipart.NewReader(&body, w.Boundary()).NextPart()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAFileIsCopiedUpToTheLimit(t *testing.T) {
	f := &Face{host: host.New(host.Options{Limits: calls.Limits{MaxUpload: 10}})}
	for size, refused := range map[int]bool{0: false, 10: false, 11: true, 1000: true} {
		var out strings.Builder
		n, err := f.save(strings.NewReader(strings.Repeat("x", size)), &out)
		if (err != nil) != refused || out.Len() > 11 || !refused && (n != int64(size) || out.Len() != size) {
			t.Errorf("%d bytes: %d, %d written, %v", size, n, out.Len(), err)
		}
	}
}

func TestAFileThatIsCutIsMalformed(t *testing.T) {
	f := &Face{host: host.New(host.Options{})}
	_, err := f.save(io.MultiReader(strings.NewReader("id\n"), failing{io.ErrUnexpectedEOF}), io.Discard)
	if e := storage.Explain(err); e.Kind != fault.Malformed {
		t.Errorf("%v", err)
	}
	refused := fault.Errorf(fault.Unavailable, "stalled", "Send it again.")
	if err := malformed(refused); err != error(refused) {
		t.Errorf("a refusal became %v", err)
	}
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
