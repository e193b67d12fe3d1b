package storage

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// reserveName makes sure that a name that the commit gives is free, until it stands: a commit that is published is not
// to be refused for it.
func (w *work) reserveName(ctx context.Context) (unlock func(), err error) {
	d, name := w.head.Dataset, w.properties.Name
	if w.creates == nil && name == d.Name || d.IsNamesake {
		return func() {}, nil
	}
	unlock, err = w.store.catalog.Lock(ctx, nameLock(d.ProjectID, name))
	if err != nil {
		return nil, err
	}
	err = w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		other, err := tx.DatasetByName(d.ProjectID, name)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && other.ID == d.ID {
			return nil
		}
		if err == nil {
			err = taken(name)
		}
		return err
	})
	if err != nil {
		unlock()
	}
	return unlock, err
}

func nameLock(project int64, name string) string {
	return fmt.Sprintf("name\x00%d\x00%s", project, name)
}

// nameTaken puts a violated uniqueness of names into words.
func nameTaken(err error, name string) error {
	if catalog.IsDuplicate(err) {
		return taken(name)
	}
	if errors.Is(err, catalog.ErrMoved) {
		return fault.Errorf(fault.Conflict, "stale_head", "The dataset has changed meanwhile. Send the request again.")
	}
	return err
}

func taken(name string) error {
	return fault.Errorf(fault.Exists, "name_taken",
		"There is a dataset '%s' in this project already. Choose another name.", fault.Clip(name))
}

// CheckName refuses names of datasets that could not be written in a path, a ref or a query.
func CheckName(name string) error {
	switch {
	case strings.TrimSpace(name) == "", strings.TrimSpace(name) != name, len(name) > 255:
		return fault.Errorf(fault.Invalid, "invalid_name",
			"A dataset's name has 1 to 255 bytes and no spaces around it; %q is not one.", fault.Clip(name))
	case strings.ContainsFunc(name, isControl), strings.ContainsAny(name, `/\@`):
		return fault.Errorf(fault.Invalid, "invalid_name",
			"A dataset's name has no slashes, no @ and no control characters; %q has.", fault.Clip(name))
	case name == "." || name == ".." || name == "versions" || looksLikeID.MatchString(name):
		return fault.Errorf(fault.Invalid, "invalid_name",
			"%q can't be a dataset's name: it reads as something else.", name)
	}
	return nil
}

var looksLikeID = regexp.MustCompile(`^[0-9a-f]{32}$`)
