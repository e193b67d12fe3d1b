package api

import "github.com/rowback/rowback/storage/catalog"

// retention is which states of a dataset vacuum keeps, as requests and answers have it.
type retention struct {
	Commits    *int64 `json:"commits,omitempty" minimum:"0" nullable:"false" description:"${retention.commits}"`
	Days       *int64 `json:"days,omitempty" minimum:"0" nullable:"false" description:"${retention.days}"`
	Versions   *bool  `json:"versions,omitempty" default:"true" nullable:"false" description:"What versions name."`
	Savepoints *bool  `json:"savepoints,omitempty" default:"true" nullable:"false" description:"What savepoints name."`
	Tags       *bool  `json:"tags,omitempty" default:"true" nullable:"false" description:"What tags name."`
}

// policy returns the policy that a request asks for; nil if it says nothing of it.
func (r *retention) policy() *catalog.Retention {
	if r == nil {
		return nil
	}
	is := func(b *bool) bool { return b == nil || *b }
	return &catalog.Retention{
		Commits: r.Commits, Days: r.Days, Versions: is(r.Versions), Savepoints: is(r.Savepoints), Tags: is(r.Tags),
	}
}

// viewRetention returns a policy as clients see it; nil: everything is kept.
func viewRetention(p *catalog.Retention) *retention {
	if p == nil {
		return nil
	}
	return &retention{p.Commits, p.Days, &p.Versions, &p.Savepoints, &p.Tags}
}
