package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/fault"
)

// projectField is the field of requests that names a project: by its number, or by the name that it has.
const projectField = "project_id"

// projectFields are all fields of a body that do.
var projectFields = []string{projectField, "into_project_id"}

// projectNumber returns the number of a project that a client names; texts that are numbers of any size, or empty, as
// they are. One of which the caller is not to know is refused as one that there is not: as a bad value of the field.
func (a *API) projectNumber(c *fiber.Ctx, named string) (string, error) {
	if isWhole(named) || named == "" || a.options.Accounts == nil {
		return named, nil
	}
	id, err := a.options.Accounts.ProjectID(c.UserContext(), named)
	if errors.Is(err, accounts.ErrNoProject) || err == nil && (id == 0 || host.Caller(c).Role(id) == access.None) {
		why := fmt.Sprintf("unknown project '%s'. Send a project's number or its name", fault.Clip(named))
		err = invalid(projectField, why)
	}
	return strconv.FormatInt(id, 10), err
}

// isWhole reports whether a text is a whole number.
func isWhole(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// withProjectNumber returns a body with the numbers of the projects that it names.
func (a *API) withProjectNumber(c *fiber.Ctx, body []byte) ([]byte, error) {
	if !bytes.Contains(body, []byte(projectField)) {
		return body, nil // as most are: they are not parsed for it
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body, nil // what is wrong with it is said when it is read
	}
	changed := false
	for _, field := range projectFields {
		var named string
		if fields[field] == nil || json.Unmarshal(fields[field], &named) != nil || named == "" || isWhole(named) {
			continue // a number is not written as a text
		}
		number, err := a.projectNumber(c, named)
		if err != nil {
			return nil, err
		}
		fields[field], changed = json.RawMessage(number), true
	}
	if !changed {
		return body, nil
	}
	return json.Marshal(fields)
}
