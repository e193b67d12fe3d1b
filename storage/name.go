package storage

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// nameLock is the lock on a name in a project: whoever gives a name holds it.
func nameLock(project int64, name string) string {
	return fmt.Sprintf("name\x00%d\x00%s", project, name)
}

// nameTaken puts a violated uniqueness of names into words.
func nameTaken(err error, name string) error {
	if catalog.IsDuplicate(err) {
		return taken(name)
	}
	return headMoved(err)
}

// headMoved returns the refusal of a change whose head another server has moved, as a client may see it.
func headMoved(err error) error {
	if errors.Is(err, catalog.ErrMoved) && fault.KindOf(err) == fault.Internal {
		return fault.Errorf(fault.Unavailable, "head_moved", "The server was cut off from the database of its catalog while "+
			"this was made, and another server has changed the dataset since. Nothing was changed. Send the request again.").
			Because(err)
	}
	return err
}

// ErrNameTaken is the refusal of a name that another dataset of the project has.
var ErrNameTaken = fault.New(fault.Exists, "name_taken")

// taken is the refusal of a name that a dataset has.
func taken(name string) error {
	return ErrNameTaken.Sayf("There is a dataset '%s' in this project already. Choose another name.", fault.Clip(name))
}

// CheckName refuses names of datasets that could not be written in a path, a ref or a query.
func CheckName(name string) error {
	switch {
	case strings.TrimSpace(name) == "", strings.TrimSpace(name) != name, len(name) > 255:
		return fault.Errorf(fault.Invalid, "invalid_name",
			"A dataset's name must have 1 to 255 bytes and no spaces around it; %q does not.", fault.Clip(name))
	case strings.ContainsFunc(name, isControl), strings.ContainsAny(name, `/\@`):
		return fault.Errorf(fault.Invalid, "invalid_name",
			"A dataset's name must not have slashes, @ or control characters; %q does.", fault.Clip(name))
	case name == "." || name == ".." || name == "versions" || looksLikeID.MatchString(name):
		return fault.Errorf(fault.Invalid, "invalid_name",
			"%q can't be a dataset's name: it would be read as an id, a path or a route. Choose another name.", name)
	}
	return nil
}

// looksLikeID matches what newID makes.
var looksLikeID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// reservedNames are the server's own columns, and those that DuckDB adds when it reads Parquet.
var reservedNames = []string{
	schema.RowColumn, schema.CommitColumn, schema.FileColumn, schema.PosColumn, "_begin", "_end", "_change", "_json", "_n",
	"file_index", "file_row_number",
}

// CheckColumnName refuses names that the server uses itself or that no one could type.
func CheckColumnName(name string) error {
	for _, r := range reservedNames {
		if schema.SameName(name, r) {
			return fault.Errorf(fault.Invalid, "reserved_column",
				"Column %q has a name that the server uses itself. Rename it.", name)
		}
	}
	if strings.TrimSpace(name) == "" || len(name) > 255 || strings.ContainsFunc(name, isControl) {
		return fault.Errorf(fault.Invalid, "invalid_column",
			"A column name must have 1 to 255 bytes, no control characters, and more than spaces; %q does not.",
			fault.Clip(name))
	}
	return nil
}
