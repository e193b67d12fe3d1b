package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/snapshot"
)

// gateRoutes returns the routes about the gates of a dataset.
func (a *API) gateRoutes() []route {
	return []route{
		{
			method: "GET", path: one + "/gates", id: "listGates", tag: "datasets", role: access.Reader,
			summary: "Gates: checks that commits, merges and versions must pass",
			in:      datasetIn{}, status: 200, out: gateList{}, problems: finds, handler: onDataset(a, a.listGates),
		},
		{
			method: "PUT", path: one + "/gates", id: "setGates", tag: "datasets", role: access.Maintainer,
			summary: "Replace all gates, as a commit",
			in:      setGatesIn{}, status: 200, out: gateList{}, problems: writes, handler: onDataset(a, a.setGates),
		},
		{
			method: "DELETE", path: one + "/gates", id: "deleteGates", tag: "datasets", role: access.Maintainer,
			summary: "Remove all gates, as a commit",
			in:      deleteGatesIn{}, status: 204, problems: writes, handler: onDataset(a, a.deleteGates),
		},
		{
			method: "POST", path: one + "/gates/report", id: "reportGates", tag: "datasets", role: access.Reader,
			summary: "Check a whole state against the gates; it changes nothing",
			in:      reportGatesIn{}, status: 200, out: gateReport{}, problems: writes, handler: onDataset(a, a.reportGates),
		},
		{
			method: "GET", path: one + "/gates/{gate}", id: "getGate", tag: "datasets", role: access.Reader,
			summary: "One gate",
			in:      oneGateIn{}, status: 200, out: gateView{}, problems: finds, handler: onDataset(a, a.getGate),
		},
		{
			method: "PUT", path: one + "/gates/{gate}", id: "setGate", tag: "datasets", role: access.Maintainer,
			summary: "Add or replace a gate, as a commit",
			in:      setGateIn{}, status: 200, out: gateView{}, problems: writes, handler: onDataset(a, a.setGate),
		},
		{
			method: "DELETE", path: one + "/gates/{gate}", id: "deleteGate", tag: "datasets", role: access.Maintainer,
			summary: "Remove a gate, as a commit",
			in:      deleteGateIn{}, status: 204, problems: writes, handler: onDataset(a, a.deleteGate),
		},
	}
}

// gateRule is a gate without its name, as requests and answers have it.
type gateRule struct {
	Kind    catalog.GateKind    `json:"kind" required:"true" enum:"not_null,unique,accepted_values,range,minimum_quality,no_category_lost,row_count,condition,query" description:"${gate.kind}"`
	When    []catalog.GateEvent `json:"when,omitempty" nullable:"false" description:"${gate.when}"`
	Action  catalog.GateAction  `json:"action,omitempty" default:"refuse" enum:"refuse,warn" description:"${gate.action}"`
	Columns []string            `json:"columns,omitempty" nullable:"false" description:"${gate.columns}"`
	Values  []json.RawMessage   `json:"values,omitempty" nullable:"false" description:"${gate.values}"`
	Minimum json.RawMessage     `json:"minimum,omitempty" nullable:"false" description:"${gate.minimum}"`
	Maximum json.RawMessage     `json:"maximum,omitempty" nullable:"false" description:"${gate.maximum}"`
	Of      string              `json:"of,omitempty" enum:"mean,record" description:"${gate.of}"`

	Condition string `json:"condition,omitempty" description:"${gate.condition}"`
	Query     string `json:"query,omitempty" description:"${gate.query}"`
}

// gateView is a gate.
type gateView struct {
	Name string `json:"name" required:"true" minLength:"1" maxLength:"100"`
	gateRule
}

// gate returns the gate that a request describes.
func (r gateRule) gate(name string) catalog.Gate {
	return catalog.Gate{
		Name: name, Kind: r.Kind, When: r.When, Action: r.Action, Columns: r.Columns, Values: r.Values,
		Minimum: r.Minimum, Maximum: r.Maximum, Of: r.Of, Condition: r.Condition, Query: r.Query,
	}
}

// viewGate returns a gate as clients see it.
func viewGate(g catalog.Gate) gateView {
	return gateView{g.Name, gateRule{
		Kind: g.Kind, When: g.When, Action: g.Action, Columns: g.Columns, Values: g.Values,
		Minimum: g.Minimum, Maximum: g.Maximum, Of: g.Of, Condition: g.Condition, Query: g.Query,
	}}
}

// gateList is all gates of a dataset, in the order in which they are evaluated.
type gateList struct {
	Gates []gateView `json:"gates"`
}

// viewGates returns the gates of a state.
func viewGates(s snapshot.State) gateList { return gateList{views(storage.Gates(s), viewGate)} }

// listGates lists the gates of a dataset.
func (a *API) listGates(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	s, err := a.store.State(c.UserContext(), d.ID, "head")
	if err != nil {
		return err
	}
	return ok(c, viewGates(s))
}

// setGatesIn is the request to replace all gates of a dataset.
type setGatesIn struct {
	datasetIn
	headIn
	Message string     `query:"message" json:"-"`
	Gates   []gateView `json:"gates" required:"true" nullable:"false"`
}

// setGates replaces all gates of a dataset, as a commit.
func (a *API) setGates(c *fiber.Ctx, d catalog.Dataset, in setGatesIn) error {
	list := make([]catalog.Gate, len(in.Gates))
	for i, g := range in.Gates {
		list[i] = g.gate(g.Name)
	}
	return a.changeGates(c, d, in.headIn, in.Message, tellGates,
		func([]catalog.Gate) ([]catalog.Gate, error) { return list, nil })
}

// changeGates changes the gates of a dataset, as a commit.
func (a *API) changeGates(
	c *fiber.Ctx, d catalog.Dataset, in headIn, message string, tell func(snapshot.State) (calls.Answer, error),
	change func([]catalog.Gate) ([]catalog.Gate, error),
) error {
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Setting gates", tell: tell,
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			r.Message = message
			return a.store.SetGates(ctx, d.ID, change, r)
		},
	})
}

// tellGates makes the answer of a change of all gates.
func tellGates(s snapshot.State) (calls.Answer, error) { return say(http.StatusOK, "", viewGates(s)) }

// oneGateIn identifies a gate.
type oneGateIn struct {
	datasetIn
	Gate string `path:"gate" required:"true" json:"-"`
}

// getGate describes one gate.
func (a *API) getGate(c *fiber.Ctx, d catalog.Dataset, in oneGateIn) error {
	s, err := a.store.State(c.UserContext(), d.ID, "head")
	if err != nil {
		return err
	}
	list := storage.Gates(s)
	i := slices.IndexFunc(list, isNamed(in.Gate))
	if i < 0 {
		return storage.GateNotFound(s.Properties.Name, in.Gate)
	}
	return ok(c, viewGate(list[i]))
}

// isNamed returns what finds a gate by its name.
func isNamed(name string) func(catalog.Gate) bool {
	return func(g catalog.Gate) bool { return g.Name == name }
}

// setGateIn is the request to add or replace one gate.
type setGateIn struct {
	oneGateIn
	headIn
	Message string `query:"message" json:"-"`
	gateRule
}

// setGate adds a gate, or replaces the one of that name, as a commit.
func (a *API) setGate(c *fiber.Ctx, d catalog.Dataset, in setGateIn) error {
	tell := func(s snapshot.State) (calls.Answer, error) {
		list := storage.Gates(s)
		return say(http.StatusOK, "", viewGate(list[slices.IndexFunc(list, isNamed(in.Gate))]))
	}
	return a.changeGates(c, d, in.headIn, in.Message, tell, func(list []catalog.Gate) ([]catalog.Gate, error) {
		i := slices.IndexFunc(list, isNamed(in.Gate))
		if i < 0 {
			return append(list, in.gate(in.Gate)), nil
		}
		list[i] = in.gate(in.Gate)
		return list, nil
	})
}

// deleteGatesIn is the request to remove all gates of a dataset.
type deleteGatesIn struct {
	datasetIn
	headIn
}

// deleteGates removes all gates of a dataset, as a commit.
func (a *API) deleteGates(c *fiber.Ctx, d catalog.Dataset, in deleteGatesIn) error {
	return remove(a, c, in.header(), "Removing gates", func(ctx context.Context, r storage.Request) error {
		_, err := a.store.SetGates(ctx, d.ID, func([]catalog.Gate) ([]catalog.Gate, error) { return nil, nil }, r)
		return err
	})
}

// deleteGateIn is the request to remove a gate.
type deleteGateIn struct {
	oneGateIn
	headIn
}

// deleteGate removes a gate, as a commit.
func (a *API) deleteGate(c *fiber.Ctx, d catalog.Dataset, in deleteGateIn) error {
	return remove(a, c, in.header(), "Removing the gate", func(ctx context.Context, r storage.Request) error {
		_, err := a.store.SetGates(ctx, d.ID, func(list []catalog.Gate) ([]catalog.Gate, error) {
			if !slices.ContainsFunc(list, isNamed(in.Gate)) {
				return nil, storage.GateNotFound(d.Name, in.Gate)
			}
			return slices.DeleteFunc(list, isNamed(in.Gate)), nil
		}, r)
		return err
	})
}

// reportGatesIn is the request for a report of gates. It is a POST that changes nothing; it takes an Idempotency-Key
// because every POST does.
type reportGatesIn struct {
	datasetIn
	IdempotencyKey string   `header:"Idempotency-Key" json:"-"`
	Ref            string   `json:"ref" default:"head" description:"The state that is checked, as a whole: ${refs}."`
	From           string   `json:"from" description:"${gate.from}"`
	Gates          []string `json:"gates" nullable:"false" description:"Names; without any, all gates."`
}

// gateReport is what gates say of a state.
type gateReport struct {
	Passed  bool            `json:"passed" description:"Every gate passes."`
	Results []gating.Result `json:"results"`
}

// reportGates evaluates gates over the whole of a state.
func (a *API) reportGates(c *fiber.Ctx, d catalog.Dataset, in reportGatesIn) error {
	return run(a, write[[]gating.Result]{
		c: c, header: headerIn{IdempotencyKey: in.IdempotencyKey}, about: "Reporting gates",
		tell: func(results []gating.Result) (calls.Answer, error) {
			fails := func(r gating.Result) bool { return r.Outcome != gating.Passed }
			return say(http.StatusOK, "", gateReport{!slices.ContainsFunc(results, fails), results})
		},
		do: func(ctx context.Context, _ storage.Request) ([]gating.Result, error) {
			return a.store.ReportGates(ctx, d.ID, storage.GateReport{Ref: in.Ref, From: in.From, Gates: in.Gates})
		},
	})
}
