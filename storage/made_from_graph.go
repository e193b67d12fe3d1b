package storage

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/lineage"
)

// LineageNode is a dataset at a commit.
type LineageNode struct {
	DatasetID string
	Dataset   string // its name
	ProjectID int64
	Commit    int64
	Version   string // the highest active one that names the commit; empty: none
	IsGone    bool   // the dataset was deleted, or belongs to another store
}

// LineageEdge says that a state was made from another.
type LineageEdge struct {
	From, To int   // of the nodes: To was made from From
	Commit   int64 // that says so
}

// LineageGraph is what a state was made from and what was made from it, over several steps, as far as the client of a
// request may know.
type LineageGraph struct {
	Nodes []LineageNode // the first is the state that was asked for
	Edges []LineageEdge
	IsCut bool // there is more: further steps, or more than mostNodes
}

// mostNodes is how many nodes a graph has at most, and how many commits each is asked for.
const mostNodes = 500

// LineageQuery asks for a graph.
type LineageQuery struct {
	Dataset, Ref string // Ref empty: what any state of the dataset led to, and what the head was made from
	Up, Down     bool   // what it was made from, and what was made from it
	Depth        int    // steps
}

// graphing is a graph while it is made.
type graphing struct {
	LineageGraph
	tx  catalog.Tx
	ctx context.Context
	h   *History

	byName map[string]int // of the nodes, as lineage.InputCommit writes them
}

// LineageGraph returns what the state at a ref was made from, and what was made from it.
func (h *History) LineageGraph(ctx context.Context, q LineageQuery) (out LineageGraph, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, q.Dataset)
		if err != nil {
			return err
		}
		commit, err := locate(tx, d, q.Ref, h.now)
		if err != nil {
			return err
		}
		g := &graphing{tx: tx, ctx: ctx, h: h, byName: map[string]int{}}
		if _, _, err := g.node(lineage.Input{DatasetID: d.ID, CommitID: commit}); err != nil {
			return err
		}
		if q.Up {
			err = g.walk(q.Depth, g.up)
		}
		if q.Down && err == nil {
			err = g.walk(q.Depth, func(n int) ([]int, error) {
				if n == 0 && q.Ref == "" {
					return g.down(n, 0)
				}
				return g.down(n, g.Nodes[n].Commit)
			})
		}
		out = g.LineageGraph
		return err
	})
	return out, err
}

// walk takes steps from the first node, each time from the nodes that the step before found.
func (g *graphing) walk(depth int, step func(int) ([]int, error)) error {
	seen, now := map[int]bool{0: true}, []int{0}
	for i := 0; len(now) > 0; i++ {
		var next []int
		for _, n := range now {
			before := len(g.Nodes)
			found, err := step(n)
			if err != nil {
				return err
			}
			if i == depth { // only looked at whether there is more
				if len(g.Nodes) > before {
					g.forget(before)
					g.IsCut = true
					return nil
				}
				continue
			}
			for _, one := range found {
				if !seen[one] {
					seen[one] = true
					next = append(next, one)
				}
			}
		}
		now = next
	}
	return nil
}

// forget takes back the nodes from one on, with their edges.
func (g *graphing) forget(from int) {
	for name, n := range g.byName {
		if n >= from {
			delete(g.byName, name)
		}
	}
	g.Nodes = g.Nodes[:from]
	kept := g.Edges[:0]
	for _, e := range g.Edges {
		if e.From < from && e.To < from {
			kept = append(kept, e)
		}
	}
	g.Edges = kept
}

// node returns the node of a dataset at a commit. ok is false if the client is not to know of it, or there are too many.
func (g *graphing) node(in lineage.Input) (n int, ok bool, err error) {
	name := lineage.InputCommit(in.DatasetID, in.CommitID)
	if n, ok := g.byName[name]; ok {
		return n, true, nil
	}
	node := LineageNode{
		DatasetID: in.DatasetID, Dataset: in.Dataset, ProjectID: in.ProjectID, Commit: in.CommitID, IsGone: true,
	}
	d, err := g.tx.Dataset(in.DatasetID)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return 0, false, err
	}
	if err == nil {
		if permitted(g.ctx, d, d.ID) != nil {
			return 0, false, nil
		}
		node.Dataset, node.ProjectID, node.IsGone = d.Name, d.ProjectID, !d.DeletedAt.IsZero()
		v, err := g.tx.VersionNaming(d.ID, in.CommitID)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return 0, false, err
		}
		if err == nil {
			node.Version = VersionNumber(v)
		}
	}
	if len(g.Nodes) >= mostNodes {
		g.IsCut = true
		return 0, false, nil
	}
	g.byName[name] = len(g.Nodes)
	g.Nodes = append(g.Nodes, node)
	return len(g.Nodes) - 1, true, nil
}

// edge adds an edge, once.
func (g *graphing) edge(from, to int, commit int64) {
	for _, e := range g.Edges {
		if e.From == from && e.To == to {
			return
		}
	}
	g.Edges = append(g.Edges, LineageEdge{from, to, commit})
}

// up adds what a state was made from.
func (g *graphing) up(n int) (found []int, err error) {
	of := g.Nodes[n]
	d, err := g.tx.Dataset(of.DatasetID)
	if err != nil || of.IsGone {
		return nil, isAbsent(err)
	}
	all, isComplete, err := sayings(g.ctx, g.tx, d, of.Commit)
	if err != nil {
		return nil, err
	}
	g.IsCut = g.IsCut || !isComplete
	for _, one := range all {
		for _, in := range one.lineage.Inputs {
			m, ok, err := g.node(in)
			if err != nil {
				return nil, err
			}
			if ok && m != n {
				g.edge(m, n, one.commit)
				found = append(found, m)
			}
		}
	}
	return found, nil
}

// down adds what was made from a dataset at a commit, or at a later one, which has that commit too.
func (g *graphing) down(n int, from int64) (found []int, err error) {
	of := g.Nodes[n]
	search := MadeFromSearch{}
	all, err := g.tx.MadeFrom([]lineage.Term{{Kind: lineage.Dataset, Value: of.DatasetID}}, nil, mostNodes)
	if err != nil {
		return nil, err
	}
	g.IsCut = g.IsCut || len(all) == mostNodes
	for _, m := range all {
		one, ok, err := g.h.made(g.ctx, g.tx, search, m)
		if err != nil {
			return nil, err
		}
		if !ok || one.Commit.RollbackCommitID != 0 || !one.isFrom(of.DatasetID, from) {
			continue
		}
		to, ok, err := g.node(lineage.Input{DatasetID: m.Dataset, CommitID: m.Commit})
		if err != nil {
			return nil, err
		}
		if ok && to != n {
			g.edge(n, to, m.Commit)
			found = append(found, to)
		}
	}
	return found, nil
}

// isFrom reports whether something was made from a dataset at a commit or later.
func (m Made) isFrom(dataset string, commit int64) bool {
	for _, in := range m.Lineage.Inputs {
		if in.DatasetID == dataset && in.CommitID >= commit {
			return true
		}
	}
	return false
}

var errNoTerms = fault.Errorf(fault.Invalid, "missing_condition", "Say what to search for: one of source, sha256, "+
	"model, input, prompt, parameter, code and run.")

// CheckSearch refuses a search without a condition, and one for a checksum that nothing can have.
func (f MadeFromSearch) CheckSearch() error {
	if len(f.Terms) == 0 && f.Input.Dataset == "" {
		return errNoTerms
	}
	for _, t := range f.Terms {
		if t.Kind == lineage.Checksum && !lineage.IsSHA256(t.Value) {
			return fault.Errorf(fault.Invalid, "invalid_field", "sha256: must be 64 hexadecimal digits").
				With("field", "sha256")
		}
	}
	return nil
}
