package quartzbio

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// queryIn is a query: of records and of facets, both of what the filters select.
type queryIn struct {
	Filters       []json.RawMessage          `json:"filters"`
	Fields        []string                   `json:"fields"`
	ExcludeFields []string                   `json:"exclude_fields"`
	Ordering      ordering                   `json:"ordering"`
	Limit         *int64                     `json:"limit"`
	Offset        int64                      `json:"offset"`
	Facets        map[string]json.RawMessage `json:"facets"`
	Dataset       string                     `json:"dataset"` // in a batch
	Debug         json.RawMessage            `json:"debug"`   // adds nothing here

	TargetFields    few[fieldIn]    `json:"target_fields"`
	AnnotatorParams json.RawMessage `json:"annotator_params"`
	Query           json.RawMessage `json:"query"`
	Entities        json.RawMessage `json:"entities"`
	GenomeBuild     json.RawMessage `json:"genome_build"`
}

// check refuses what queries do not have here.
func (in queryIn) check() error {
	if in.Limit != nil && *in.Limit < 0 || in.Offset < 0 {
		return refused("limit and offset", "must not be negative")
	}
	return nothings(map[string]json.RawMessage{
		"query": in.Query, "entities": in.Entities, "genome_build": in.GenomeBuild,
		"annotator_params": in.AnnotatorParams,
	})
}

// ordering is the fields to order by, each with - before it for the reverse. One may come without a list.
type ordering []string

// UnmarshalJSON reads one field or a list.
func (o *ordering) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = strings.Split(one, ",")
		return nil
	}
	var list []string
	if json.Unmarshal(text, &list) != nil {
		return refused("ordering", `must be a field or a list of fields, with - before those to order in reverse`)
	}
	*o = list
	return nil
}

// selected is what a query selects of a snapshot.
type selected struct {
	snap    *snapshot.Snapshot
	columns []schema.Column // user columns, _id of an unkeyed dataset, and _commit
	where   condition
	order   string
	by      []schema.Column
	withID  bool // the records have an _id, which is made of the declared key
	dropKey []schema.Column
}

// selection reads what a query selects; of which order comes last, the key decides.
func selection(snap *snapshot.Snapshot, in queryIn) (s selected, err error) {
	s = selected{snap: snap, withID: snap.Schema.Keyed()}
	if err := in.check(); err != nil {
		return s, err
	}
	if s.where, err = filter(snap, in.Filters); err != nil {
		return s, err
	}
	if err := s.choose(in.Fields, in.ExcludeFields); err != nil {
		return s, err
	}
	s.order = snap.ByKey()
	var terms []string
	for _, name := range in.Ordering {
		name, isReverse := strings.CutPrefix(strings.TrimSpace(name), "-")
		column, err := columnNamed(snap, name)
		if err != nil {
			return s, err
		}
		term := duck.Ident(column.Name) + " ASC NULLS LAST"
		if isReverse {
			term = duck.Ident(column.Name) + " DESC NULLS LAST"
		}
		terms, s.by = append(terms, term), append(s.by, column)
	}
	if len(terms) > 0 { // pages must not overlap where records are equal in what they are sorted by
		s.order = " ORDER BY " + strings.Join(terms, ", ") + strings.Replace(s.order, " ORDER BY ", ", ", 1)
	}
	s.by = append(s.by, s.where.reads...)
	return s, nil
}

// choose decides which columns are read: those that are named, but for those that are to be left out.
func (s *selected) choose(fields, exclude []string) error {
	named := func(names []string) (columns []schema.Column, hasID bool, err error) {
		for _, name := range names {
			if s.snap.Schema.Keyed() && schema.SameName(name, schema.RowColumn) {
				hasID = true
				continue
			}
			name, _, _ = strings.Cut(name, ".") // of a part, all
			column, err := columnNamed(s.snap, name)
			if err != nil {
				return nil, false, err
			}
			if !hasColumn(columns, column) {
				columns = append(columns, column)
			}
		}
		return columns, hasID, nil
	}
	s.columns = s.snap.TableColumns()
	if fields != nil {
		var err error
		if s.columns, s.withID, err = named(fields); err != nil {
			return err
		}
	}
	without, hasID, err := named(exclude)
	if err != nil {
		return err
	}
	s.withID = s.withID && !hasID
	s.columns = slices.DeleteFunc(slices.Clone(s.columns), func(c schema.Column) bool { return hasColumn(without, c) })
	if s.withID { // which is made of the key
		for _, key := range s.snap.Schema.KeyColumns() {
			if !hasColumn(s.columns, key) {
				s.columns, s.dropKey = append(s.columns, key), append(s.dropKey, key)
			}
		}
	}
	return nil
}

// hasColumn reports whether a column is one of a list.
func hasColumn(list []schema.Column, c schema.Column) bool {
	return slices.ContainsFunc(list, func(one schema.Column) bool { return one.ID == c.ID })
}

// wanted returns the records of a page, for the store.
func (s selected) wanted(limit *int64, offset int64) storage.Wanted {
	return storage.Wanted{
		Snapshot: s.snap, Columns: s.columns, Only: s.where.sql, Order: s.order, By: s.by, Limit: limit, Offset: offset,
	}
}

// readRecords reads a page of records as the client sees them: ids are text.
func (f *Face) readRecords(ctx context.Context, s selected, limit, offset int64) ([]record, error) {
	out := []record{}
	if limit == 0 || len(s.columns) == 0 {
		return out, nil
	}
	conn, q, err := f.store.OpenRecords(ctx, s.wanted(&limit, offset), nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q.Bytes = maxAnswer
	var text bytes.Buffer
	cut, err := output.Write(ctx, conn, q, intake.NDJSON, &text, "")
	if err == nil && cut == output.AtBytes {
		err = errTooMuch
	}
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(&text); d.More(); {
		var one record
		if err := d.Decode(&one); err != nil {
			return nil, err
		}
		s.finish(&one)
		out = append(out, one)
	}
	return out, nil
}

// maxAnswer is how many bytes of records or terms are in one answer, which is in memory until it is sent.
const maxAnswer = 64 << 20

// errTooMuch is the refusal of an answer that would be larger.
var errTooMuch = fault.Errorf(fault.Invalid, "result_too_large", "The answer is larger than %d MiB. Ask for fewer "+
	"records (limit), fields or terms at a time, or export the dataset.", maxAnswer>>20)

// finish makes a record what the client sees.
func (s selected) finish(one *record) {
	if s.withID {
		one.set(schema.RowColumn, quoted(idOf(s.snap.Schema, one)))
	} else if id, ok := one.values[schema.RowColumn]; ok {
		one.set(schema.RowColumn, quoted(string(id)))
	}
	for _, key := range s.dropKey {
		one.drop(key.Name)
	}
	if n, err := strconv.ParseInt(string(one.values[schema.CommitColumn]), 10, 64); err == nil {
		one.set(schema.CommitColumn, quoted(join(s.snap.Dataset.ID, n)))
	}
}

// idOf returns the _id of a record with a declared key: the key as text, or a list of it as JSON.
func idOf(s schema.Schema, one *record) string {
	var parts []string
	for _, key := range s.KeyColumns() {
		value := string(one.values[key.Name])
		var text string
		if json.Unmarshal(one.values[key.Name], &text) == nil {
			value = text
		}
		parts = append(parts, value)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	text, _ := json.Marshal(parts) // texts can always be encoded
	return string(text)
}

// countSelected returns how many records a query selects.
func (f *Face) countSelected(ctx context.Context, s selected) (n int64, err error) {
	if s.where.sql == "" {
		return s.snap.Total(), nil
	}
	conn, from, err := f.store.OpenTable(ctx, s.snap, s.where.reads)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	err = conn.Row(ctx, "SELECT count(*) FROM "+from+" WHERE "+s.where.sql, &n)
	return n, err
}

// queryView is the answer to a query.
type queryView struct {
	Dataset   string         `json:"dataset"`
	DatasetID string         `json:"dataset_id"`
	Facets    map[string]any `json:"facets,omitempty"`
	Offset    *int64         `json:"offset"` // of the next page; null: there is none
	Results   []record       `json:"results"`
	Took      int64          `json:"took"` // milliseconds
	Total     int64          `json:"total"`
}

// answerQuery answers a query on the head of a dataset.
func (f *Face) answerQuery(ctx context.Context, dataset string, in queryIn) (out queryView, err error) {
	start := time.Now()
	snap, err := f.store.Snapshot(ctx, dataset, "head")
	if err != nil {
		return out, err
	}
	s, err := selection(snap, in)
	if err != nil {
		return out, err
	}
	limit := int64(pageSize)
	if in.Limit != nil {
		limit = min(*in.Limit, maxPage)
	}
	out = queryView{Dataset: dataset, DatasetID: dataset}
	if out.Total, err = f.countSelected(ctx, s); err != nil {
		return out, err
	}
	if out.Results, err = f.readRecords(ctx, s, limit, in.Offset); err != nil {
		return out, err
	}
	if len(in.TargetFields) > 0 {
		if out.Results, err = f.annotate(ctx, out.Results, in.TargetFields, scope{source: dataset}); err != nil {
			return out, err
		}
	}
	if next := in.Offset + int64(len(out.Results)); limit > 0 && next < out.Total {
		out.Offset = &next
	}
	if len(in.Facets) > 0 {
		if out.Facets, err = f.facets(ctx, s, in.Facets); err != nil {
			return out, err
		}
	}
	out.Took = time.Since(start).Milliseconds()
	return out, nil
}

// queryDataset answers a query.
func (f *Face) queryDataset(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err != nil {
		return err
	}
	var in queryIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	out, err := f.answerQuery(c.UserContext(), s.Dataset.ID, in)
	if err != nil {
		return err
	}
	return show(c, http.StatusOK, out)
}

// maxBatch is the most queries of one request.
const maxBatch = 100

// batchQuery answers several queries, each as by itself.
func (f *Face) batchQuery(c *fiber.Ctx) error {
	var in struct {
		Queries few[queryIn] `json:"queries"`
	}
	if err := f.read(c, &in); err != nil {
		return err
	}
	if len(in.Queries) > maxBatch {
		return refused("queries", "must be "+strconv.Itoa(maxBatch)+" at most")
	}
	out := []queryView{}
	for _, one := range in.Queries {
		s, err := f.dataset(c.UserContext(), one.Dataset)
		if err != nil {
			return err
		}
		answer, err := f.answerQuery(c.UserContext(), s.Dataset.ID, one)
		if err != nil {
			return err
		}
		out = append(out, answer)
	}
	return show(c, http.StatusOK, out)
}

// lookUp shows the records with ids, which are separated by commas.
func (f *Face) lookUp(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err != nil {
		return err
	}
	ids, err := param(c, "ids")
	if err != nil {
		return err
	}
	list, err := json.Marshal(strings.Split(ids, ","))
	if err != nil {
		return err
	}
	most := int64(math.MaxInt32)
	out, err := f.answerQuery(c.UserContext(), s.Dataset.ID, queryIn{
		Filters: []json.RawMessage{json.RawMessage(`["_id__in", ` + string(list) + `]`)}, Limit: &most,
	})
	if err != nil {
		return err
	}
	return show(c, http.StatusOK, out)
}
