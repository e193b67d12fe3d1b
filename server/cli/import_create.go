package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage"
)

// create creates the dataset and returns its id, or none if there is one already that is as the flags say.
func (cmd *importCmd) create() (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = cmd.post("/api/v1/datasets", nil,
		map[string]any{"name": cmd.Dataset, "project_id": cmd.ProjectID, "key": cmd.Key, "required": cmd.Require}, &made)
	if errors.Is(err, storage.ErrNameTaken) {
		return "", cmd.checkExisting()
	}
	return made.ID, err
}

// checkExisting refuses a dataset with another key than --key, or one that does not require what --require names.
func (cmd *importCmd) checkExisting() error {
	if len(cmd.Key)+len(cmd.Require) == 0 {
		return nil
	}
	var has struct {
		Key      []string `json:"key"`
		Required []string `json:"required"`
	}
	if err := cmd.get(cmd.path(), cmd.query(), &has); err != nil {
		return err
	}
	if len(cmd.Key) > 0 && !(hasNames(has.Key, cmd.Key) && hasNames(cmd.Key, has.Key)) {
		key := "it has no declared key"
		if len(has.Key) > 0 {
			key = "its key is " + strings.Join(has.Key, ", ")
		}
		return fmt.Errorf("dataset %s exists already and %s. Leave --key out, or choose another name", cmd.Dataset, key)
	}
	if !hasNames(has.Required, cmd.Require) {
		return fmt.Errorf("dataset %s exists already and does not require all of %s. Leave --require out, or choose "+
			"another name", cmd.Dataset, strings.Join(cmd.Require, ", "))
	}
	return nil
}

// hasNames reports whether all of the names are in a list of columns.
func hasNames(list, names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) }) {
			return false
		}
	}
	return true
}

// withdraw deletes the dataset that was created, unless it has a commit.
func (cmd *importCmd) withdraw(id string) error {
	path := "/api/v1/datasets/" + url.PathEscape(id)
	req, err := http.NewRequest(http.MethodDelete, cmd.url(path, url.Values{"expected_head": {"0"}}), nil)
	if err != nil {
		return err
	}
	res, err := cmd.send(req)
	if errors.Is(err, storage.ErrStaleHead) {
		return nil // somebody else has committed to it
	}
	if err != nil {
		return fmt.Errorf("dataset %s was created and can't be deleted again: %w", cmd.Dataset, err)
	}
	return res.Body.Close()
}
