package blob_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// sent writes a file of a batch of two parts and a bit, piece by piece, while it is sent, and returns its bytes. At the
// end, its first part has been put.
func sent(t *testing.T, r remote, b *blob.Batch, name string) []byte {
	t.Helper()
	data := make([]byte, 2*bucket.PartSize+12345)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data) // it never fails
	path := filepath.Join(t.TempDir(), "written.parquet")
	b.Send(name, path, "commit.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const piece = 3 << 20
	for at := 0; at < len(data); at += piece {
		if _, err := f.Write(data[at:min(at+piece, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		for _, request := range r.wire.Took() {
			if strings.HasPrefix(request, "PUT ") && strings.HasSuffix(request, name) {
				b.Sent(name)
				if err := b.Adopt(name, path); err != nil {
					t.Fatal(err)
				}
				return data
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no part was put while the file was written")
	return nil
}

// A large file goes to the bucket while it is written. It is an object only once its batch is published.
func TestALargeFileGoesWhileItIsWritten(t *testing.T) {
	for _, broken := range []string{"", buckettest.Busy, buckettest.Failed, buckettest.Lost} {
		r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{})
		b, err := r.Batch("d/1")
		if err != nil {
			t.Fatal(err)
		}
		data := sent(t, r, b, "data.parquet")
		if there, err := r.bucket.Size(t.Context(), "objects/d/1/data.parquet"); err == nil {
			t.Errorf("%s: it is there before it is published: %d bytes", broken, there)
		}
		if err := b.Write("commit.json", []byte("the description")); err != nil {
			t.Fatal(err)
		}
		if broken != "" {
			r.wire.Break("POST", broken, 1)
		}
		if err := b.Publish(); err != nil {
			t.Fatalf("%s: %v", broken, err)
		}
		in, _, err := r.bucket.Read(t.Context(), "objects/d/1/data.parquet")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: it has %d bytes, %v", broken, len(got), err)
		}
		in.Close()
	}
}

// What was sent of a batch that is given up is removed at once, and so is the note of it.
func TestWhatWasSentOfARefusedBatchIsRemoved(t *testing.T) {
	s := buckettest.Start(t)
	r := openRemote(t, s, "p", blob.RemoteOptions{})
	b, err := r.Batch("d/1")
	if err != nil {
		t.Fatal(err)
	}
	sent(t, r, b, "data.parquet")
	if err := b.Discard(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, request := range r.wire.Took() {
		if strings.HasPrefix(request, "DELETE ") {
			left = append(left, request)
		}
	}
	if len(left) != 1 {
		t.Errorf("these requests removed it: %q", left)
	}
	_ = filepath.WalkDir(s.Dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil && info.Size() > 1<<20 {
				t.Errorf("the bucket has %s", path)
			}
		}
		return nil
	})
	notes, err := os.ReadDir(filepath.Join(r.root, blob.RemoteDir, "intents"))
	if err != nil || len(notes) > 0 {
		t.Errorf("notes: %v, %v", notes, err)
	}
}

// A file that was made anew after it was sent is put as it is now, and nothing stays of what was sent before.
func TestAFileThatWasMadeAnewIsPutAgain(t *testing.T) {
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{})
	b, err := r.Batch("d/1")
	if err != nil {
		t.Fatal(err)
	}
	data := sent(t, r, b, "data.parquet")
	path := b.Path("data.parquet")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(data)
	if err := errors.Join(os.WriteFile(path, data, 0o600), b.Write("commit.json", []byte("it"))); err != nil {
		t.Fatal(err)
	}
	r.wire.Took()
	if err := b.Publish(); err != nil {
		t.Fatal(err)
	}
	begun := 0
	for _, request := range r.wire.Took() {
		if strings.HasPrefix(request, "POST ") && strings.HasSuffix(request, "data.parquet") {
			begun++
		}
	}
	if begun > 2 { // of one upload: its beginning and its end
		t.Errorf("it was put more than once: %d requests", begun)
	}
	in, _, err := r.bucket.Read(t.Context(), "objects/d/1/data.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v: it is not the file as it was made last", len(got), err)
	}
}

// A batch that could not be published keeps its intent: other objects of it may be there.
func TestAnIntentStaysWhereItWasTriedToPublish(t *testing.T) {
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{
		Mine: func(context.Context) error { return errors.New("it is another server's") },
	})
	b, err := r.Batch("d/1")
	if err != nil {
		t.Fatal(err)
	}
	sent(t, r, b, "data.parquet")
	if err := b.Write("commit.json", []byte("it")); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(); err == nil {
		t.Fatal("it was published")
	}
	if err := b.Discard(); err != nil {
		t.Fatal(err)
	}
	if notes, err := os.ReadDir(filepath.Join(r.root, blob.RemoteDir, "intents")); err != nil || len(notes) != 1 {
		t.Errorf("notes: %v, %v", notes, err)
	}
}

// What takes longer than a day to be put is not taken for what a failed commit left.
func TestWhatIsStillBeingSentIsNotSwept(t *testing.T) {
	dayOld := blob.Intent{Key: "d/1", Description: "commit.json", At: time.Now().Add(-25 * time.Hour)}
	shared := &board{intents: map[string]blob.Intent{}}
	for what, c := range map[string]struct {
		ledger blob.Ledger
		old    func(r remote) error // has the batch's intent be a day old
	}{
		"noted in the directory": {nil, func(r remote) error {
			text, err := json.Marshal(dayOld)
			return errors.Join(err, os.WriteFile(filepath.Join(r.root, blob.RemoteDir, "intents", "d%2F1.json"), text, 0o600))
		}},
		"noted for other servers": {of{shared, 1}, func(r remote) error { return of{shared, 1}.Intend(t.Context(), dayOld) }},
	} {
		r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{Ledger: c.ledger})
		b, err := r.Batch("d/1")
		if err != nil {
			t.Fatal(err)
		}
		data := sent(t, r, b, "data.parquet")
		if err := errors.Join(c.old(r), r.Renew(t.Context())); err != nil {
			t.Fatal(err)
		}
		if removed, err := r.Sweep(t.Context(), time.Now()); len(removed) > 0 || err != nil {
			t.Fatalf("%s: %q were removed, %v", what, removed, err)
		}
		if err := errors.Join(b.Write("commit.json", []byte("the description")), b.Publish()); err != nil {
			t.Fatal(err)
		}
		if size, err := r.bucket.Size(t.Context(), "objects/d/1/data.parquet"); size != int64(len(data)) || err != nil {
			t.Errorf("%s: it has %d bytes, %v", what, size, err)
		}
	}
}
