package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// commit.json and labels say what the other files mean, and the catalog is made anew from them. So each begins with the
// checksum of the rest of its text: one whose bits have changed is not read. Those of older versions have none.

const (
	sealStart = "{\n  \"checksum\": \""
	sealEnd   = "\","
)

// sealed writes a description with its checksum, the SHA-256 of all that follows on the line of that.
func sealed(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	rest := bytes.TrimPrefix(text, []byte("{"))
	sum := sha256.Sum256(rest)
	return append([]byte(sealStart+hex.EncodeToString(sum[:])+sealEnd), rest...), nil
}

var errUnsealed = errors.New("its checksum differs")

// unseal compares a description with its checksum, if it has one.
func unseal(text []byte) error {
	rest, ok := bytes.CutPrefix(text, []byte(sealStart))
	if !ok {
		return nil
	}
	said, rest, _ := bytes.Cut(rest, []byte(sealEnd))
	sum := sha256.Sum256(rest)
	if string(said) != hex.EncodeToString(sum[:]) {
		return errUnsealed
	}
	return nil
}

// readJSON reads a description. Numbers of no type stay as they were written.
func (j *journal) readJSON(key string, v any) error {
	in, err := j.blobs.Open(key)
	if err != nil {
		return err
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if err := unseal(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// readManifest reads a commit's description.
func (j *journal) readManifest(dataset string, commit int64) (m manifest, err error) {
	return m, j.readJSON(commitKey(dataset, commit)+"/"+descriptionFile, &m)
}

// isRefusal reports whether the system refused to read an object, which says nothing about the object itself. Too many
// open files, no memory, or no permission: then nothing may be set aside as damaged.
func isRefusal(err error) bool {
	switch errnoOf(err) {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EACCES, syscall.EPERM:
		return true
	}
	return false
}

// commitKey is the prefix of the keys of a commit's objects.
func commitKey(dataset string, commit int64) string { return fmt.Sprintf("%s/%d", dataset, commit) }
