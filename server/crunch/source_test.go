package crunch

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

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
