package blob_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// textOf is what is under a key; empty: nothing.
func textOf(t *testing.T, s blob.Store, key string) string {
	t.Helper()
	in, err := s.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What was promised and not kept is taken back, whether it had been put by then, is put later, or was replaced by
// another server since. A server that read the former object before that can't replace it after.
func TestPromisesThatAreNotKept(t *testing.T) {
	s := buckettest.Start(t)
	b := &board{intents: map[string]blob.Intent{}}
	one := openRemote(t, s, "p", blob.RemoteOptions{Ledger: of{b, 1}})
	other := openRemote(t, s, "p", blob.RemoteOptions{Ledger: of{b, 2}})
	again := func(text []byte) []byte { return append(text, '\n') }
	put := func(r remote, key, text string) error {
		_, err := r.PutPromised(key, []byte(text))
		return err
	}
	for key, former := range map[string]string{"d/labels/new.json": "", "d/labels/old.json": `{"n": 1}`} {
		b.promised = nil
		if former != "" {
			if _, err := one.Put(key, []byte(former)); err != nil {
				t.Fatal(err)
			}
		}
		same := func(what, got, want string) {
			t.Helper()
			if strings.TrimRight(got, "\n") != want { // written again, it has one more
				t.Errorf("%s, %s: %q, want %q", key, what, got, want)
			}
		}
		if err := put(one, key, `{"n": 2}`); err != nil {
			t.Fatal(err)
		}
		same("put", textOf(t, other, key), `{"n": 2}`)
		promise := b.promised[0]
		for range 3 { // whoever takes it back may do so again after a crash
			if err := other.Recant(promise, again); err != nil {
				t.Fatal(err)
			}
			same("taken back", textOf(t, one, key), former)
		}
		// A put that is on its way while its promise is recanted finds something else in the place.
		late := `{"n": 3}`
		hold := make(chan struct{})
		held := openRemote(t, s, "p", blob.RemoteOptions{Ledger: of{b, 1}, Hook: func(op, _ string) error {
			if op == "put" {
				<-hold
			}
			return nil
		}})
		said := make(chan error)
		count := len(b.promised)
		go func() { said <- put(held, key, late) }()
		for b.count() == count { // it waits to be put once it is promised
			time.Sleep(time.Millisecond)
		}
		if err := other.Recant(b.promised[count], again); err != nil {
			t.Fatal(err)
		}
		close(hold)
		if err := <-said; !errors.Is(err, blob.ErrReplaced) {
			t.Errorf("%s, the put that was late: %v", key, err)
		}
		same("after that", textOf(t, one, key), former)
		// What another server has put since stays.
		if err := put(other, key, `{"n": 4}`); err != nil {
			t.Fatal(err)
		}
		if err := one.Recant(promise, again); err != nil {
			t.Fatal(err)
		}
		same("put by another one", textOf(t, one, key), `{"n": 4}`)
		if _, err := one.Replace(key, []byte(former+"else"), []byte("x")); !errors.Is(err, blob.ErrReplaced) {
			t.Errorf("%s, in place of another object: %v", key, err)
		}
	}
}
