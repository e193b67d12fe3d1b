package api

import (
	"encoding/json"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"rowback/server/access"
	"rowback/server/accounts"
	"rowback/server/host"
	"rowback/storage/fault"
)

// projectField is the field of requests that names a project: by its number, or by the name that it has.
const projectField = "project_id"

// projectNumber returns the number of a project that a client names; texts that are numbers, or empty, as they are. One
// of which the caller is not to know is answered as one that there is not.
func (a *API) projectNumber(c *fiber.Ctx, named string) (string, error) {
	if _, err := strconv.ParseInt(named, 10, 64); err == nil || named == "" || a.options.Accounts == nil {
		return named, nil
	}
	id, err := a.options.Accounts.ProjectID(c.UserContext(), named)
	if err == nil && (id == 0 || host.Caller(c).Role(id) == access.None) {
		err = accounts.ErrNoProject.Sayf("Project '%s' not found", fault.Clip(named))
	}
	return strconv.FormatInt(id, 10), err
}

// withProjectNumber returns a body with the number of the project that it names.
func (a *API) withProjectNumber(c *fiber.Ctx, body []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	var named string
	if json.Unmarshal(body, &fields) != nil || fields[projectField] == nil ||
		json.Unmarshal(fields[projectField], &named) != nil || named == "" {
		return body, nil // what is wrong with it is said when it is read
	}
	if _, err := strconv.ParseInt(named, 10, 64); err == nil {
		return body, nil // a number is not written as a text
	}
	number, err := a.projectNumber(c, named)
	if err != nil {
		return nil, err
	}
	fields[projectField] = json.RawMessage(number)
	return json.Marshal(fields)
}
