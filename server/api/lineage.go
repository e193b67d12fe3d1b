package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/lineage"
	"github.com/rowback/rowback/storage/snapshot"
)

// sourceIn names the file that the body of a request is.
type sourceIn struct {
	Source string `query:"source" maxLength:"1000" description:"${commit.source}" json:"-"`
}

// lineageOf returns the metadata of a commit, with the file that was sent as a source if the request names it.
func (in sourceIn) lineageOf(metadata json.RawMessage, media string, sent host.Sent) (json.RawMessage, error) {
	if in.Source == "" {
		return metadata, nil
	}
	out, err := lineage.AddSource(metadata,
		lineage.Source{Name: in.Source, SHA256: sent.SHA256, Size: &sent.Bytes, MediaType: media})
	var w *lineage.Wrong
	if errors.As(err, &w) {
		return nil, invalid(w.Where, w.Why)
	}
	return out, err
}

// mediaOf returns the media type of a format, without what its Content-Type says beside.
func mediaOf(f intake.Format) string {
	media, _, _ := strings.Cut(cmp.Or(mediaTypes[f], workbookType), ";")
	return media
}

// lineageView is what a state was made from.
type lineageView struct {
	DatasetID  string          `json:"dataset_id"`
	Commit     int64           `json:"commit"`
	Lineage    lineage.Lineage `json:"lineage"`
	Commits    []int64         `json:"commits" description:"Those that say so, newest first."`
	Versions   []string        `json:"versions" description:"Those that say so, newest first."`
	IsComplete bool            `json:"is_complete" description:"${lineage.is_complete}"`
}

// getLineage returns what the state at a ref was made from.
func (a *API) getLineage(c *fiber.Ctx) error {
	var in refIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	ctx := c.UserContext()
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return err
	}
	made, err := a.store.MadeFrom(ctx, d.ID, in.ref())
	if err != nil {
		return err
	}
	return ok(c, lineageView{
		DatasetID: d.ID, Commit: made.Commit, Lineage: made.Lineage, Commits: append([]int64{}, made.Commits...),
		Versions: append([]string{}, made.Versions...), IsComplete: made.IsComplete,
	})
}

// lineageDifferences returns how what two states were made from differs; nil: it does not.
func (a *API) lineageDifferences(ctx context.Context, from, to *snapshot.Snapshot) (*lineage.Differences, error) {
	var sides [2]storage.MadeFrom
	for i, side := range []*snapshot.Snapshot{from, to} {
		var err error
		if sides[i], err = a.store.MadeFromAt(ctx, side.Dataset, side.Commit.ID); err != nil {
			return nil, err
		}
	}
	return lineage.Compare(sides[0].Lineage, sides[1].Lineage), nil
}

// lineageGraphIn asks for a graph.
type lineageGraphIn struct {
	datasetIn
	Ref       string `query:"ref" description:"${lineage.ref}" json:"-"`
	Direction string `query:"direction" default:"both" enum:"upstream,downstream,both" description:"${lineage.direction}" json:"-"`
	Depth     *int   `query:"depth" default:"3" minimum:"1" maximum:"10" description:"Steps." json:"-"`
}

// lineageNode is a dataset at a commit.
type lineageNode struct {
	DatasetID string `json:"dataset_id"`
	Dataset   string `json:"dataset"`
	ProjectID int64  `json:"project_id"`
	Commit    int64  `json:"commit"`
	Version   string `json:"version,omitempty" description:"The highest active one that names the commit."`
	IsGone    bool   `json:"is_gone,omitempty" description:"The dataset was deleted, or belongs to another server."`
}

// lineageEdge says that one node was made from another.
type lineageEdge struct {
	From   int   `json:"from" description:"Its place in nodes: to was made from it."`
	To     int   `json:"to"`
	Commit int64 `json:"commit" description:"That says so."`
}

// lineageGraph is datasets, and which were made from which.
type lineageGraph struct {
	Nodes []lineageNode `json:"nodes" description:"The first is the state that was asked for."`
	Edges []lineageEdge `json:"edges"`
	IsCut bool          `json:"is_cut" description:"There are more steps, or more than 500 nodes."`
}

// getLineageGraph returns the datasets that a state was made from, and those made from it.
func (a *API) getLineageGraph(c *fiber.Ctx) error {
	var in lineageGraphIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	q := storage.LineageQuery{Ref: in.Ref, Depth: 3, Up: in.Direction != "downstream", Down: in.Direction != "upstream"}
	if in.Depth != nil {
		q.Depth = *in.Depth
	}
	switch {
	case q.Depth < 1 || q.Depth > 10:
		return invalid("depth", "must be from 1 to 10")
	case in.Direction != "" && in.Direction != "both" && q.Up && q.Down:
		return invalid("direction", "must be upstream, downstream or both")
	}
	ctx := c.UserContext()
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return err
	}
	q.Dataset = d.ID
	g, err := a.store.LineageGraph(ctx, q)
	if err != nil {
		return err
	}
	return ok(c, lineageGraph{
		Nodes: views(g.Nodes, func(n storage.LineageNode) lineageNode { return lineageNode(n) }),
		Edges: views(g.Edges, func(e storage.LineageEdge) lineageEdge { return lineageEdge(e) }),
		IsCut: g.IsCut,
	})
}

// findLineageIn searches by what commits and versions were made from. All conditions must hold.
type findLineageIn struct {
	pageIn
	Source    string `query:"source" description:"The name or the URI of a file." json:"-"`
	SHA256    string `query:"sha256" description:"${lineage.sha256}" json:"-"`
	Input     string `query:"input" description:"${lineage.input}" json:"-"`
	Model     string `query:"model" description:"A name, or a name and a version as in resnet@50." json:"-"`
	Prompt    string `query:"prompt" description:"A name." json:"-"`
	Parameter string `query:"parameter" description:"${lineage.parameter}" json:"-"`
	Code      string `query:"code" description:"A repository, or a commit of one." json:"-"`
	Run       string `query:"run" description:"A job, or the id of a run." json:"-"`
	ProjectID int64  `query:"project_id" description:"Only in this project, which the input's name is of too." json:"-"`
}

// search returns what the request selects.
func (in findLineageIn) search() storage.MadeFromSearch {
	f := storage.MadeFromSearch{Project: in.ProjectID}
	for _, t := range []lineage.Term{
		{Kind: lineage.Checksum, Value: strings.ToLower(in.SHA256)}, {Kind: lineage.File, Value: in.Source},
		{Kind: lineage.ByRun, Value: in.Run}, {Kind: lineage.ByCode, Value: in.Code},
		{Kind: lineage.Parameter, Value: in.Parameter}, {Kind: lineage.ByPrompt, Value: in.Prompt},
		{Kind: lineage.ByModel, Value: in.Model},
	} {
		if t.Value != "" {
			f.Terms = append(f.Terms, t)
		}
	}
	if in.Input != "" {
		f.Input = lineage.Named(in.Input)
	}
	return f
}

// foundLineage is a page of what was found.
type foundLineage struct {
	Found      []madeView `json:"found"`
	NextCursor *string    `json:"next_cursor"`
}

// madeView is a commit, or a version that names it, with what it was made from.
type madeView struct {
	DatasetID string          `json:"dataset_id"`
	Dataset   string          `json:"dataset"`
	ProjectID int64           `json:"project_id"`
	Commit    int64           `json:"commit"`
	Version   string          `json:"version,omitempty" description:"The version that says so; absent: the commit itself."`
	Status    string          `json:"status" description:"Of the commit: completed or rolled_back."`
	User      string          `json:"user"`
	CreatedAt time.Time       `json:"created_at"`
	Message   string          `json:"message" description:"Of the commit, or the version's description."`
	Lineage   lineage.Lineage `json:"lineage"`
}

// viewMade returns what was found as clients see it.
func viewMade(m storage.Made) madeView {
	out := madeView{
		DatasetID: m.Dataset.ID, Dataset: m.Dataset.Name, ProjectID: m.Dataset.ProjectID, Commit: m.Commit.ID,
		Status: viewCommit(m.Commit).Status, User: m.Commit.User, CreatedAt: m.Commit.CreatedAt, Message: m.Commit.Message,
		Lineage: m.Lineage,
	}
	if v := m.Version; v != nil {
		out.Version, out.User, out.CreatedAt, out.Message = storage.VersionNumber(*v), v.User, v.CreatedAt, v.Description
	}
	return out
}

// findLineage lists what was made from what a request names, in all datasets that the caller may read.
func (a *API) findLineage(c *fiber.Ctx) error {
	var in findLineageIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	f := in.search()
	if err := f.CheckSearch(); err != nil {
		return err
	}
	var err error
	if f.Limit, err = in.limit(); err != nil {
		return err
	}
	after, err := in.after()
	if err != nil {
		return err
	}
	if after != "" {
		f.After = &catalog.Made{}
		if json.Unmarshal([]byte(after), f.After) != nil {
			return invalid("cursor", "is not a cursor that this list returned")
		}
	}
	found, last, err := a.store.FindMadeFrom(c.UserContext(), f)
	if err != nil {
		return err
	}
	out := foundLineage{Found: views(found, viewMade)}
	if last != nil {
		place, err := json.Marshal(last)
		if err != nil {
			return err
		}
		out.NextCursor = cursor(string(place))
	}
	return ok(c, out)
}
