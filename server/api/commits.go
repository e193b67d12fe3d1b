package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// recordsIn is the request to commit the records in the body. The parameters are in the URL because the body is the
// records.
type recordsIn struct {
	datasetIn
	headerIn
	optionsIn
	sourceIn
	Mode     string `query:"mode" required:"true" enum:"append,overwrite,upsert,replace,delete" json:"-"`
	Message  string `query:"message" json:"-"`
	Metadata string `query:"metadata" description:"${commit.metadata}" json:"-"`
	Schema   string `query:"schema" enum:"strict" description:"strict: refuse records with other columns than the dataset has." json:"-"`
	OnError  string `query:"on_error" default:"refuse" enum:"refuse,collect" description:"${commit.on_error}" json:"-"`
	Type     string `header:"Content-Type" json:"-"`
	Packed   string `header:"Content-Encoding" enum:"gzip,zstd" json:"-"`
}

// commitIn is the request to commit the records in the body, or to delete those that a condition selects.
type commitIn struct {
	recordsIn
	Where string `query:"where" description:"mode=delete: a SQL condition, instead of a body." json:"-"`
}

// createCommit commits records. The body is staged before the dataset is locked, so a slow upload delays no one.
func (a *API) createCommit(c *fiber.Ctx) error {
	var in commitIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	return a.commitRecords(c, in)
}

// commitRecords commits the records in the body of a request.
func (a *API) commitRecords(c *fiber.Ctx, in commitIn) error {
	change, err := in.change()
	if err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	w := write[catalog.Commit]{c: c, header: in.header(), about: "Committing records", tell: tellCommit, leaves: true}
	metadata, err := a.stageRecords(c, in, &change.Upload, &w)
	if err != nil {
		return err
	}
	if change.Referenced, err = a.referenced(&change.Upload, in); err != nil {
		w.after()
		return err
	}
	w.do = func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		r.Message, r.Metadata = in.Message, metadata
		change.Request = r
		return a.store.Commit(ctx, d.ID, change)
	}
	if in.OnError == collect && change.Referenced != nil {
		w.after()
		return invalid("on_error", "collect is for records in the body, and this one names files")
	}
	if in.OnError == collect {
		a.collecting(&w, d.ID, change, in.Message, metadata)
	}
	return run(a, w)
}

// change returns what the parameters ask for, without the records.
func (in commitIn) change() (out storage.Change, err error) {
	out = storage.Change{Mode: catalog.Mode(in.Mode), Where: in.Where, Strict: in.Schema == "strict"}
	switch out.Mode {
	case catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Replace, catalog.Delete:
	default:
		return out, invalid("mode", "must be append, overwrite, upsert, replace or delete")
	}
	if in.Schema != "" && in.Schema != "strict" {
		return out, invalid("schema", "must be strict, or left out")
	}
	if in.OnError != "" && in.OnError != "refuse" && in.OnError != collect {
		return out, invalid("on_error", "must be refuse or collect")
	}
	if in.OnError == collect && (in.Where != "" || out.Mode == catalog.Delete) {
		return out, invalid("on_error", "collect is for records that are added or changed, and mode=delete removes some")
	}
	if in.Metadata != "" && !json.Valid([]byte(in.Metadata)) {
		return out, invalid("metadata", "must be JSON")
	}
	return out, storage.CheckDepth([]byte(in.Metadata))
}

// stageRecords stages the records in the body, and tells the write their fingerprint and how to remove them. A delete
// by a condition has no records. It returns the commit's metadata, which names the file that they came in.
func (a *API) stageRecords(
	c *fiber.Ctx, in commitIn, to *intake.Upload, w *write[catalog.Commit],
) (metadata json.RawMessage, err error) {
	if in.Metadata != "" {
		metadata = json.RawMessage(in.Metadata)
	}
	if in.Where != "" {
		w.fingerprint = "no body"
		return metadata, cmp.Or(checkCondition(c, in), in.apply(&intake.Upload{}))
	}
	upload, sent, err := a.stage(c)
	if err != nil {
		return nil, err
	}
	metadata, err = in.lineageOf(metadata, mediaOf(upload.Format), sent)
	if err = cmp.Or(err, in.apply(&upload.Upload)); err != nil {
		upload.Remove()
		return nil, err
	}
	*to, w.fingerprint, w.after = upload.Upload, sent.SHA256, upload.Remove
	return metadata, nil
}

// checkCondition refuses a condition in another mode than delete, and one that comes with a body: both would say which
// records to delete, and neither is ignored.
func checkCondition(c *fiber.Ctx, in commitIn) error {
	if in.Mode != string(catalog.Delete) {
		return invalid("where", "is only for mode=delete")
	}
	if in.Source != "" {
		return invalid("source", "names the file that is the body, and a condition comes without one")
	}
	has, err := host.HasBody(c)
	if has || err != nil {
		return cmp.Or(err, invalid("where", "selects the records to delete, and so does the body; send one of them"))
	}
	return nil
}

// listCommitsIn selects a page of commits. Commits that merges played are not among them: they are in the merge, and
// among the actions.
type listCommitsIn struct {
	datasetIn
	pageIn
	Mode  []string `query:"mode" collectionFormat:"csv" description:"Only these modes, comma-separated." json:"-"`
	User  string   `query:"user" json:"-"`
	Text  string   `query:"text" description:"Only commits whose message has this, ignoring case." json:"-"`
	Since string   `query:"since" format:"date-time" description:"Only commits from this time on." json:"-"`
	Until string   `query:"until" format:"date-time" description:"Only commits up to this time." json:"-"`
}

// filter returns what the request selects.
func (in listCommitsIn) filter() (f storage.CommitFilter, err error) {
	f = storage.CommitFilter{User: in.User, Text: in.Text}
	for _, name := range in.Mode {
		m := catalog.Mode(name)
		if !slices.Contains(catalog.Modes, m) {
			return f, invalid("mode", fmt.Sprintf("unknown mode %q; the modes are %s", fault.Clip(name),
				strings.Join(views(catalog.Modes, func(m catalog.Mode) string { return string(m) }), ", ")))
		}
		f.Modes = append(f.Modes, m)
	}
	if f.Since, err = moment("since", in.Since); err != nil {
		return f, err
	}
	f.Until, err = moment("until", in.Until)
	return f, err
}

// commitList is a page of commits.
type commitList struct {
	Commits    []commitView `json:"commits"`
	NextCursor *string      `json:"next_cursor"`
}

// listCommits lists commits, newest first. The cursor is a commit id, so new commits do not shift the pages.
func (a *API) listCommits(c *fiber.Ctx, d catalog.Dataset, in listCommitsIn) error {
	limit, err := in.limit()
	if err != nil {
		return err
	}
	filter, err := in.filter()
	if err != nil {
		return err
	}
	if filter.Before, err = in.afterCommit(math.MaxInt64); err != nil {
		return err
	}
	// One more than the page has shows whether there is a next page, without counting.
	filter.Limit = limit + 1
	commits, err := a.store.FindCommits(c.UserContext(), d.ID, filter)
	if err != nil {
		return err
	}
	out := commitList{Commits: []commitView{}}
	for i, k := range commits {
		if i == limit {
			out.NextCursor = cursor(fmt.Sprint(commits[i-1].ID))
			break
		}
		out.Commits = append(out.Commits, viewCommit(k))
	}
	if err := addDigests(c.UserContext(), a, out.Commits, digestOfCommit); err != nil {
		return err
	}
	return ok(c, out)
}

// oneCommitIn identifies a commit.
type oneCommitIn struct {
	datasetIn
	ID int64 `path:"id" required:"true" json:"-"`
}

// commit finds the commit that a request names.
func (a *API) commit(ctx context.Context, in oneCommitIn) (catalog.Commit, error) {
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return catalog.Commit{}, err
	}
	return a.store.CommitByID(ctx, d.ID, in.ID)
}

// getCommit returns one commit; of a merge, also the actions that it played.
func (a *API) getCommit(c *fiber.Ctx, k catalog.Commit, _ oneCommitIn) error {
	out, err := a.detail(c.UserContext(), k)
	if err != nil {
		return err
	}
	return ok(c, out)
}

// commitDetail is a commit with the actions that it played.
type commitDetail struct {
	commitView
	Played []actionView `json:"played,omitzero" description:"Of a merge: what it played, oldest first."`
}

// detail returns a commit; of a merge, with the actions that it played.
func (a *API) detail(ctx context.Context, k catalog.Commit) (commitDetail, error) {
	one := []commitView{viewCommit(k)}
	err := addDigests(ctx, a, one, digestOfCommit)
	out := commitDetail{commitView: one[0]}
	if err != nil || k.Mode != catalog.Merge {
		return out, err
	}
	played, err := a.store.Played(ctx, k.DatasetID, k.ID)
	out.Played = viewActions(played)
	return out, err
}

// askRollbackIn asks whether a commit can be rolled back under a policy.
type askRollbackIn struct {
	oneCommitIn
	Policy string `query:"policy" default:"stack" enum:"stack,records" json:"-"`
}

// blockerView is a later commit that blocks a rollback.
type blockerView struct {
	commitView
	OverlappingRecords int64 `json:"overlapping_records" description:"Records that both commits touched."`
}

// rollbackView reports whether a commit can be rolled back.
type rollbackView struct {
	IsBlocked       bool          `json:"is_blocked"`
	Detail          string        `json:"detail"`
	Policy          string        `json:"policy"`
	BlockingCommits []blockerView `json:"blocking_commits"`
}

// viewRollback returns whether a commit can be rolled back, and what blocks it, in the order in which to undo it.
func viewRollback(r storage.Rollbackable) rollbackView {
	v := rollbackView{IsBlocked: r.Blocked, Detail: r.Detail, Policy: string(r.Policy)}
	v.BlockingCommits = viewBlockers(r.Blockers)
	return v
}

// viewBlockers returns blocking commits as clients see them, in the answer to a question and in the error of a
// rollback.
func viewBlockers(list []storage.Blocker) []blockerView {
	return views(list, func(b storage.Blocker) blockerView { return blockerView{viewCommit(b.Commit), b.Overlapping} })
}

// askRollback reports whether a commit can be rolled back, and what blocks it. It changes nothing.
func (a *API) askRollback(c *fiber.Ctx, k catalog.Commit, in askRollbackIn) error {
	ctx := c.UserContext()
	answer, err := a.store.CanRollback(ctx, k.DatasetID, k.ID, policy(in.Policy))
	if err != nil {
		return err
	}
	return ok(c, viewRollback(answer))
}

// policy returns the named policy; stack by default. storage refuses unknown ones.
func policy(text string) storage.Policy {
	if text == "" {
		return storage.Stack
	}
	return storage.Policy(text)
}

// rollbackIn is the request to roll a commit back. Its body is optional: an empty POST rolls back under the policy
// stack.
type rollbackIn struct {
	oneCommitIn
	headerIn
	Policy  string `json:"policy" default:"stack" enum:"stack,records"`
	Cascade bool   `json:"cascade" description:"Undo what blocks it too, all as one commit."`
	Message string `json:"message"`
}

// createRollback rolls a commit back: 201 with the new commit, or 409 with the commits that block it.
func (a *API) createRollback(c *fiber.Ctx, k catalog.Commit, in rollbackIn) error {
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: fmt.Sprintf("Rolling back commit %d", k.ID), tell: tellCommit,
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			r.Message = in.Message
			if in.Cascade {
				return a.store.Cascade(ctx, k.DatasetID, k.ID, policy(in.Policy), r)
			}
			return a.store.Rollback(ctx, k.DatasetID, k.ID, policy(in.Policy), r)
		},
	})
}

// restoreIn is the request to restore a dataset to a ref.
type restoreIn struct {
	datasetIn
	headerIn
	Ref     string `json:"ref" required:"true" description:"${refs}."`
	Message string `json:"message"`
}

// createRestore restores a dataset to a whole earlier state, as one commit, which can be rolled back.
func (a *API) createRestore(c *fiber.Ctx, d catalog.Dataset, in restoreIn) error {
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: "Restoring " + in.Ref, tell: tellCommit,
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			r.Message = in.Message
			return a.store.Restore(ctx, d.ID, in.Ref, r)
		},
	})
}

// commitFileIn asks for a file of a commit.
type commitFileIn struct {
	oneCommitIn
	partIn
}

// commitFile returns a handler that sends one of the files that a commit wrote. The file is sent as it is stored, with
// the server's own columns (_commit; _file and _pos of a rollback file), for tools that work on the format
// (storage/README.md).
func (a *API) commitFile(kind schema.Kind) fiber.Handler {
	return onCommit(a, func(c *fiber.Ctx, k catalog.Commit, _ commitFileIn) error {
		f, err := a.store.CommitFile(c.UserContext(), k, kind)
		if err != nil {
			return err
		}
		// A part is verified less often than a whole: a reader of Parquet sends dozens of range requests for one file.
		stored, err := a.store.OpenFile(c.UserContext(), f, asksForPart(c))
		if err != nil {
			return err
		}
		return a.sendFile(c, stored, "application/vnd.apache.parquet", fmt.Sprintf("commit-%d-%s.parquet", k.ID, kind),
			k.CreatedAt)
	})
}

// progressIn identifies a job. Its id is in the Location of the answer 202.
type progressIn struct {
	ID string `path:"id" required:"true" json:"-"`
}

// getProgress returns the state of work that was answered with 202. It answers 200 for failed work too.
func (a *API) getProgress(c *fiber.Ctx) error {
	var in progressIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	j, err := a.store.Requests.Job(c.UserContext(), in.ID)
	if err != nil {
		return err
	}
	return ok(c, progressView(j))
}
