package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/seal"
)

// commit.json and labels say what the other files mean, and the catalog is made anew from them. So each is sealed: one
// whose bits have changed is not read.

// sealed writes a description with its checksum.
func sealed(v any) ([]byte, error) { return seal.Text(v) }

// unseal compares a description with its checksum, if it has one.
func unseal(text []byte) error { return seal.Check(text) }

// readJSON reads a description. Numbers of no type stay as they were written.
func (j *journal) readJSON(key string, v any) error {
	text, err := j.readText(key)
	if err != nil {
		return err
	}
	return decode(text, v)
}

// readText reads a description as it is written, and makes sure that it is what was written.
func (j *journal) readText(key string) ([]byte, error) {
	in, err := j.blobs.Open(key)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err == nil {
		err = unseal(text)
	}
	return text, err
}

// decode reads the text of a description.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// readManifest reads a commit's description.
func (j *journal) readManifest(dataset string, commit int64) (m manifest, err error) {
	return m, j.readJSON(commitKey(dataset, commit)+"/"+descriptionFile, &m)
}

// isRefusal reports whether the system refused to read an object, which says nothing about the object itself. Too many
// open files, no memory, no permission, or no object store: then nothing may be set aside as damaged.
func isRefusal(err error) bool {
	if errors.Is(err, bucket.ErrAway) {
		return true
	}
	switch errnoOf(err) {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EACCES, syscall.EPERM:
		return true
	}
	return false
}

// commitKey is the prefix of the keys of a commit's objects.
func commitKey(dataset string, commit int64) string { return fmt.Sprintf("%s/%d", dataset, commit) }
