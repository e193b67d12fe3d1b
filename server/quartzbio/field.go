package quartzbio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// dataTypes are the types of fields, and those of columns that hold them. Of auto, the first records bring it.
var dataTypes = map[string]string{
	"auto": schema.Varchar, "string": schema.Varchar, "text": schema.Varchar, "blob": schema.Varchar,
	"boolean": schema.Boolean, "date": schema.Timestamp, "double": schema.Double, "float": schema.Float,
	"integer": schema.Integer, "long": schema.Bigint, "object": schema.JSON,
}

// typeNames are what messages call them.
const typeNames = "auto, blob, boolean, date, double, float, integer, long, object, string or text"

// dataType returns the type of a field that a column of a type is, and whether it has lists.
func dataType(t schema.Type) (name string, isList bool) {
	switch t.Name {
	case schema.List:
		name, _ = dataType(*t.Elem)
		return name, true
	case schema.Boolean:
		return "boolean", false
	case "TINYINT", "SMALLINT", schema.Integer, "UTINYINT", "USMALLINT":
		return "integer", false
	case schema.Bigint, "UINTEGER", schema.Ubigint, "HUGEINT", "UHUGEINT":
		return "long", false
	case schema.Float:
		return "float", false
	case schema.Double, schema.Decimal:
		return "double", false
	case schema.Date, schema.Timestamp, schema.TimestampNS, schema.TimestampTZ, "TIMESTAMP_S", "TIMESTAMP_MS":
		return "date", false
	case schema.Struct, schema.Map, schema.JSON:
		return "object", false
	}
	return "string", false
}

// fieldIn is a field as the client describes it: in a request of its own, of a dataset, or in target_fields.
type fieldIn struct {
	DatasetID   string  `json:"dataset_id"`
	Name        string  `json:"name"`
	Title       *string `json:"title"`
	Description *string `json:"description"`
	DataType    string  `json:"data_type"`
	IsList      *bool   `json:"is_list"`
	Expression  *string `json:"expression"`
	// Of target_fields: only used by other fields' expressions, and what is computed before it.
	IsTransient bool     `json:"is_transient"`
	DependsOn   []string `json:"depends_on"`

	// Without effect here: how a field is shown, and what its values are in other words.
	Ordering    json.RawMessage `json:"ordering"`
	IsHidden    json.RawMessage `json:"is_hidden"`
	EntityType  json.RawMessage `json:"entity_type"`
	URLTemplate json.RawMessage `json:"url_template"`

	fieldShown
}

// fieldShown is what the client sends back of a field that it was shown; it changes nothing.
type fieldShown struct {
	ID         json.RawMessage `json:"id"`
	ClassName  json.RawMessage `json:"class_name"`
	CreatedAt  json.RawMessage `json:"created_at"`
	UpdatedAt  json.RawMessage `json:"updated_at"`
	FacetsURL  json.RawMessage `json:"facets_url"`
	IsReadOnly json.RawMessage `json:"is_read_only"`
	IsValid    json.RawMessage `json:"is_valid"`
	URL        json.RawMessage `json:"url"`
	VaultID    json.RawMessage `json:"vault_id"`
}

// isListed reports whether the field has lists.
func (in fieldIn) isListed() bool { return in.IsList != nil && *in.IsList }

// columnType returns the type of the column that holds a field.
func (in fieldIn) columnType() (string, error) {
	name := in.DataType
	if name == "" {
		name = "auto"
	}
	of, ok := dataTypes[name]
	if !ok {
		return "", oneOf("data_type", in.DataType, typeNames)
	}
	if in.isListed() {
		return of + "[]", nil
	}
	return of, nil
}

// notKept is why a field has no expression.
const notKept = "of a field is not kept. Give it in target_fields of an import or a migration"

// wanted returns the column that a field is to become; ok is false where the first records determine it.
func (in fieldIn) wanted() (out storage.NewVariable, ok bool, err error) {
	if in.Name == "" {
		return out, false, required("name")
	}
	if in.Expression != nil && *in.Expression != "" {
		return out, false, refused("expression", notKept)
	}
	if out.Type, err = in.columnType(); err != nil {
		return out, false, err
	}
	out.Name = in.Name
	if in.Title != nil && *in.Title != in.Name {
		out.Title = *in.Title
	}
	if in.Description != nil {
		out.Description = *in.Description
	}
	return out, in.DataType != "auto" && in.DataType != "", nil
}

// wantedFields returns the columns that fields are to become.
func wantedFields(fields []fieldIn) (out []storage.NewVariable, err error) {
	for _, in := range fields {
		column, ok, err := in.wanted()
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, column)
		}
	}
	return out, nil
}

// fieldView is a field as the client sees it.
type fieldView struct {
	ClassName   string   `json:"class_name"`
	CreatedAt   string   `json:"created_at"`
	DependsOn   []string `json:"depends_on"`
	DataType    string   `json:"data_type"`
	DatasetID   string   `json:"dataset_id"`
	Description string   `json:"description"`
	EntityType  *string  `json:"entity_type"`
	Expression  *string  `json:"expression"`
	FacetsURL   string   `json:"facets_url"`
	ID          string   `json:"id"`
	IsHidden    bool     `json:"is_hidden"`
	IsList      *bool    `json:"is_list"`
	IsReadOnly  bool     `json:"is_read_only"`
	IsValid     bool     `json:"is_valid"`
	Name        string   `json:"name"`
	Ordering    int      `json:"ordering"`
	Title       string   `json:"title"`
	UpdatedAt   string   `json:"updated_at"`
	URL         string   `json:"url"`
	URLTemplate *string  `json:"url_template"`
	VaultID     int64    `json:"vault_id"`
}

// viewField returns a column as the client sees it.
func viewField(c *fiber.Ctx, s snapshot.State, column schema.Column, v vault) fieldView {
	name, isList := dataType(column.Type)
	id := join(s.Dataset.ID, int64(column.ID))
	at := host.Site(c) + root + "/dataset_fields/" + id
	out := fieldView{
		ClassName: "DatasetField", CreatedAt: moment(s.Dataset.CreatedAt), DependsOn: []string{}, DataType: name,
		DatasetID: s.Dataset.ID, Description: column.Description, FacetsURL: at + "/facets", ID: id,
		IsReadOnly: column.Derived(), IsValid: true, Name: column.Name, Title: column.Label(),
		UpdatedAt: moment(changedAt(s)), URL: at, VaultID: v.id,
	}
	if isList {
		out.IsList = &isList
	}
	for i, one := range s.Schema.Columns {
		if one.ID == column.ID {
			out.Ordering = i
		}
	}
	return out
}

// listFields lists the fields of a dataset.
func (f *Face) listFields(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err == nil {
		err = checkQuery(c, "name", "dataset_id", "data_type", "ordering")
	}
	if err != nil {
		return err
	}
	v, _, err := f.datasetVault(c, s)
	if err != nil {
		return err
	}
	var wanted []schema.Column
	for _, column := range s.Schema.Columns {
		is, _ := dataType(column.Type)
		if c.Query("name", column.Name) == column.Name && c.Query("data_type", is) == is {
			wanted = append(wanted, column)
		}
	}
	return showList(c, wanted, func(column schema.Column) (fieldView, error) { return viewField(c, s, column, v), nil })
}

// getTemplate shows the fields of a dataset as what another can be made with.
func (f *Face) getTemplate(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err != nil {
		return err
	}
	v, p, err := f.datasetVault(c, s)
	if err != nil {
		return err
	}
	fields := []fieldView{}
	for _, column := range s.Schema.Columns {
		fields = append(fields, viewField(c, s, column, v))
	}
	none := map[string]any{}
	return show(c, http.StatusOK, map[string]any{
		"class_name": "DatasetTemplate", "id": s.Dataset.ID, "name": strings.TrimPrefix(p, "/"),
		"description": s.Properties.Description, "template_type": "dataset", "fields": fields, "reader_params": none,
		"entity_params": none, "annotator_params": none, "validation_params": none, "tags": []string{}, "is_public": false,
	})
}

// fieldParam finds the field that a request names, and its dataset.
func (f *Face) fieldParam(c *fiber.Ctx) (s snapshot.State, column schema.Column, err error) {
	id, err := param(c, "field")
	if err != nil {
		return s, column, err
	}
	dataset, n, ok := split(id)
	if s, err = f.dataset(c.UserContext(), dataset); err != nil {
		return s, column, err
	}
	column, found := s.Schema.ByID(int(n))
	if !ok || !found {
		return s, column, notFound("field", id)
	}
	return s, column, nil
}

// showField answers with a field as it is now.
func (f *Face) showField(c *fiber.Ctx, status int, dataset string, field int) error {
	s, err := f.dataset(c.UserContext(), dataset)
	if err != nil {
		return err
	}
	v, _, err := f.datasetVault(c, s)
	if err != nil {
		return err
	}
	column, _ := s.Schema.ByID(field)
	return show(c, status, viewField(c, s, column, v))
}

// getField shows one field.
func (f *Face) getField(c *fiber.Ctx) error {
	s, column, err := f.fieldParam(c)
	if err != nil {
		return err
	}
	return f.showField(c, http.StatusOK, s.Dataset.ID, column.ID)
}

// createField adds a field, as a commit.
func (f *Face) createField(c *fiber.Ctx) error {
	var in fieldIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	s, err := f.dataset(c.UserContext(), in.DatasetID)
	if err != nil {
		return err
	}
	wanted, _, err := in.wanted()
	if err != nil {
		return err
	}
	if err := f.addField(c, s.Dataset.ID, wanted); err != nil {
		return err
	}
	if s, err = f.dataset(c.UserContext(), s.Dataset.ID); err != nil {
		return err
	}
	made, _ := s.Schema.ByName(wanted.Name)
	return f.showField(c, http.StatusCreated, s.Dataset.ID, made.ID)
}

// addField adds a column, as a commit.
func (f *Face) addField(c *fiber.Ctx, dataset string, wanted storage.NewVariable) error {
	_, err := change(f, c, func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		k, _, err := f.store.CreateVariable(ctx, dataset, wanted, r)
		return k, err
	})
	return err
}

// editField describes a field anew, as a commit. Its name and type stay.
func (f *Face) editField(c *fiber.Ctx) error {
	s, column, err := f.fieldParam(c)
	if err != nil {
		return err
	}
	var in fieldIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	is, isList := dataType(column.Type)
	switch {
	case in.Name != "" && in.Name != column.Name:
		return refused("name", "of a field stays: migrate to a dataset that has the other one")
	case in.DataType != "" && in.DataType != is, in.IsList != nil && *in.IsList != isList:
		return refused("data_type", fmt.Sprintf("of a field stays: it is %s", is))
	case in.Expression != nil && *in.Expression != "":
		return refused("expression", notKept)
	}
	e := storage.VariableEdit{Title: in.Title, Description: in.Description}
	if _, err := change(f, c, func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		k, _, err := f.store.EditVariable(ctx, s.Dataset.ID, column.ID, e, r)
		return k, err
	}); err != nil {
		return err
	}
	return f.showField(c, http.StatusOK, s.Dataset.ID, column.ID)
}

// deleteField drops a field, as a commit, which can be rolled back.
func (f *Face) deleteField(c *fiber.Ctx) error {
	s, column, err := f.fieldParam(c)
	if err != nil {
		return err
	}
	v, _, err := f.datasetVault(c, s)
	if err == nil {
		err = f.readNothing(c)
	}
	if err != nil {
		return err
	}
	if _, err := change(f, c, func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		return f.store.DropVariable(ctx, s.Dataset.ID, column.ID, r)
	}); err != nil {
		return err
	}
	return show(c, http.StatusOK, viewField(c, s, column, v))
}

// columnNamed finds a column by the name that a client gives, or one of the server's own: _id and _commit.
func columnNamed(s *snapshot.Snapshot, name string) (schema.Column, error) {
	for _, column := range s.TableColumns() {
		if schema.SameName(column.Name, name) {
			return column, nil
		}
	}
	return schema.Column{}, fault.Errorf(fault.Invalid, "unknown_field", "There is no field %s in dataset '%s'.",
		strconv.Quote(fault.Clip(name)), s.Properties.Name).With("field", name)
}
