package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// filesType is the media type of a list of files, to be committed in place of a body of records. A body of
// application/json that is such an object is one too: records in JSON are an array, never an object.
const filesType = "application/vnd.rowback.files+json"

// filesIn is a body that names files by their addresses.
type filesIn struct {
	Files addresses `json:"files"`
}

// addresses are those of files: no more are read than show that there are too many, whatever the body has.
type addresses []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *addresses) UnmarshalJSON(text []byte) error {
	in := json.NewDecoder(bytes.NewReader(text))
	if first, err := in.Token(); err != nil || first != json.Delim('[') {
		return errNotList
	}
	*a = addresses{}
	for in.More() && len(*a) <= storage.MaxReferenced {
		var one string
		if err := in.Decode(&one); err != nil {
			return err
		}
		*a = append(*a, one)
	}
	return nil
}

var errNotList = errors.New("not a list")

// filesSchema describes filesIn.
var filesSchema = map[string]any{
	"type": "object", "required": []string{"files"}, "additionalProperties": false,
	"properties": map[string]any{"files": map[string]any{
		"type": "array", "items": map[string]any{"type": "string"}, "minItems": 1, "maxItems": 10_000,
		"description": "${commit.files}",
	}},
}

// maxFilesBody is the largest list of files, bytes.
const maxFilesBody = 32 << 20

// referenced returns the files that a staged body names, in place of which the upload is then empty; nil, if it has
// records.
func (a *API) referenced(u *intake.Upload, in commitIn) (*storage.Referenced, error) {
	if u.Format != intake.JSON {
		return nil, nil
	}
	text, err := objectIn(*u)
	if err != nil {
		return nil, err
	}
	var named map[string]json.RawMessage
	isList := text != nil && json.Unmarshal(text, &named) == nil && named["files"] != nil
	if !isList && !strings.HasPrefix(in.Type, filesType) {
		return nil, nil // what is wrong with an object is said where records are read
	}
	var list filesIn
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil || list.Files == nil {
		return nil, invalid("files", `must be a list of addresses, and the only field: {"files": ["s3://…"]}`)
	}
	*u = intake.Upload{Format: intake.Parquet}
	if err := in.apply(u); err != nil {
		return nil, err
	}
	return &storage.Referenced{Files: list.Files, Most: a.host.Limits().MaxUpload}, nil
}

// objectIn returns the text of a body that is a JSON object and small enough for a list of files; nil, if it is not.
func objectIn(u intake.Upload) ([]byte, error) {
	if u.Size > maxFilesBody {
		return nil, nil
	}
	text := u.Body
	if text == nil {
		in, err := os.Open(u.Path)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		first := make([]byte, 64)
		n, err := io.ReadFull(in, first)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		if !isObject(first[:n]) {
			return nil, nil
		}
		rest, err := io.ReadAll(in)
		return append(first[:n], rest...), err
	}
	if !isObject(text) {
		return nil, nil
	}
	return text, nil
}

// isObject reports whether JSON begins as an object does.
func isObject(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}
