package crunch

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// effectKeys are members of a body that ask for an effect. A request that does not know one refuses it: an answer of
// 204 would say that it was done. Other unknown members are ignored, as Crunch does.
var effectKeys = []string{
	"archived", "current_editor", "discarded", "dry_run", "end_date", "force", "is_published", "notes", "owner",
	"project", "start_date", "streaming",
}

// asksNothing are values that ask for nothing.
var asksNothing = []string{"null", "false", `""`, "[]", "{}", `"no"`}

// checkEffects refuses a body that asks for an effect which a request with the fields of in does not have.
func checkEffects(body json.RawMessage, in any) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil // which is told by whoever reads it
	}
	t := reflect.TypeOf(in).Elem()
	for _, key := range effectKeys {
		value, sent := members[key]
		if !sent || slices.Contains(asksNothing, string(bytes.TrimSpace(value))) ||
			t.Kind() == reflect.Struct && hasMember(t, key) {
			continue
		}
		return noEffect(key)
	}
	return nil
}

// hasMember reports whether a struct has a JSON member, in an embedded struct too.
func hasMember(t reflect.Type, name string) bool {
	for _, field := range reflect.VisibleFields(t) {
		if own, _, _ := strings.Cut(field.Tag.Get("json"), ","); own == name {
			return true
		}
	}
	return false
}

// noEffect returns the refusal of a member that would have no effect.
func noEffect(key string) error {
	return fault.Errorf(fault.Invalid, "no_effect", "%s has no effect here. Leave it out.", key).With("field", key)
}

// datasetEdit is the body that changes what is said of a dataset. Of what can't be changed, the value that it has is
// accepted: clients send back what they got.
type datasetEdit struct {
	Name          *string `json:"name"`
	Description   *string `json:"description"`
	IsPublished   *bool   `json:"is_published"`
	Archived      *bool   `json:"archived"`
	Notes         *string `json:"notes"`
	CurrentEditor *string `json:"current_editor"`
	Owner         *string `json:"owner"`
}

// wanted is the change that the body asks for, of a dataset that clients see as now. A field that can't be changed is
// refused only if its value differs: clients send back whole entities.
func (in datasetEdit) wanted(s snapshot.State, now datasetBody) (e storage.Edit, err error) {
	if in.CurrentEditor != nil && *in.CurrentEditor != now.CurrentEditor {
		return e, fault.Errorf(fault.Invalid, "no_effect", "current_editor can't be set: everyone who may write edits "+
			"dataset '%s', and it shows who did so last. Leave it out.", s.Properties.Name).With("field", "current_editor")
	}
	if in.Owner != nil && *in.Owner != now.Owner {
		return e, fault.Errorf(fault.Invalid, "no_effect", "owner can't be set: it shows who made dataset '%s'. "+
			"Leave it out.", s.Properties.Name).With("field", "owner")
	}
	return storage.Edit{
		Name: in.Name, Description: in.Description, Archived: in.Archived, Notes: in.Notes, Published: in.IsPublished,
	}, nil
}

// home is where a dataset is made: with an owner, who may also be sent as the project that it is made in.
type home struct {
	Owner   *string `json:"owner"`
	Project *string `json:"project"`
}

// check refuses a home that is not the one that the dataset will have.
func (in home) check(owner string) error {
	if in.Owner != nil && *in.Owner != owner {
		return noEffect("owner")
	}
	if in.Project != nil && *in.Project != owner {
		return noEffect("project")
	}
	return nil
}

// namesake reports whether a dataset is made where the name is taken: so it is, as clients expect, unless force is
// false.
func (in newDataset) namesake() bool { return in.Force == nil || *in.Force }
