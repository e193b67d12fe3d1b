package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// made is what a commit's metadata says of the import or the migration that made it.
type made struct {
	Job   string `json:"quartzbio_job,omitempty"`
	Kind  string `json:"quartzbio_kind,omitempty"`
	Title string `json:"title,omitempty"`
}

// models are the kinds of work that make commits, as the client finds their classes.
var models = map[string]string{importKind: "datasets.DatasetImport", migrationKind: "datasets.DatasetMigration"}

// changedField is a field that a commit added.
type changedField struct {
	Name  string `json:"name"`
	IsNew bool   `json:"is_new"`
}

// commitView is a commit as the client sees it.
type commitView struct {
	ClassName           string         `json:"class_name"`
	CreatedAt           string         `json:"created_at"`
	Dataset             datasetView    `json:"dataset"`
	Description         *string        `json:"description"`
	ErrorMessage        *string        `json:"error_message"`
	Fields              []changedField `json:"fields"`
	GenomeBuild         *string        `json:"genome_build"`
	ID                  string         `json:"id"`
	MD5                 *string        `json:"md5"`
	Metadata            map[string]any `json:"metadata"`
	Mode                string         `json:"mode"`
	ParentCommitID      *string        `json:"parent_commit_id"`
	ParentCommitJobID   *string        `json:"parent_commit_job_id"`
	ParentJobID         *string        `json:"parent_job_id"`
	ParentJobModel      *string        `json:"parent_job_model"`
	RecordsModified     int64          `json:"records_modified"`
	RecordsTotal        int64          `json:"records_total"`
	RollbackCommitID    *string        `json:"rollback_commit_id"`
	RollbackCommitJobID *string        `json:"rollback_commit_job_id"`
	Size                *int64         `json:"size"`
	Status              string         `json:"status"`
	Tags                []string       `json:"tags"`
	TaskID              *string        `json:"task_id"`
	Timestamps          [][3]string    `json:"timestamps"`
	Title               string         `json:"title"`
	UpdatedAt           string         `json:"updated_at"`
	URL                 string         `json:"url"`
	User                userView       `json:"user"`
	VaultID             int64          `json:"vault_id"`
}

// viewCommit returns a commit of a dataset, which the client was shown already, as it sees it. What a commit changed
// are records that it added, replaced and removed together.
func viewCommit(c *fiber.Ctx, d datasetView, k catalog.Commit) commitView {
	id := join(d.ID, k.ID)
	changed := k.Added + k.Modified + k.Removed
	out := commitView{
		ClassName: "DatasetCommit", CreatedAt: moment(k.CreatedAt), Dataset: d, Description: text(k.Message),
		Fields: []changedField{}, ID: id, Metadata: map[string]any{}, Mode: string(k.Mode), RecordsModified: changed,
		RecordsTotal: changed, Status: "completed", Tags: []string{}, UpdatedAt: moment(k.CreatedAt),
		Timestamps: [][3]string{{"running", "completed", moment(k.CreatedAt)}},
		URL:        host.Site(c) + root + "/dataset_commits/" + id, User: viewUser(k.User), VaultID: d.VaultID,
	}
	if k.ParentCommitID > 0 {
		out.ParentCommitID = text(join(d.ID, k.ParentCommitID))
	}
	if k.RollbackCommitID > 0 {
		out.RollbackCommitID = text(join(d.ID, k.RollbackCommitID))
	}
	if k.Effects != nil {
		for _, change := range k.Effects.SchemaChanges {
			if change.Change == "added" {
				out.Fields = append(out.Fields, changedField{change.Column, true})
			}
		}
	}
	_ = json.Unmarshal(k.Metadata, &out.Metadata) // of other faces, whatever it is
	var by made
	if json.Unmarshal(k.Metadata, &by) == nil && by.Job != "" {
		out.ParentJobID, out.ParentJobModel, out.TaskID = &by.Job, text(models[by.Kind]), &by.Job
	}
	out.Title = cmp.Or(by.Title, k.Message, titles[k.Mode], string(k.Mode))
	return out
}

// titles are what commits are called that say nothing of themselves.
var titles = map[catalog.Mode]string{
	catalog.Append: "Append", catalog.Overwrite: "Overwrite", catalog.Upsert: "Upsert", catalog.Delete: "Delete",
	catalog.Rollback: "Rollback",
}

// listCommits lists the commits of a dataset, the newest first.
func (f *Face) listCommits(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err == nil {
		err = checkQuery(c, "mode", "status", "ordering")
	}
	if err != nil {
		return err
	}
	filter := storage.CommitFilter{Before: math.MaxInt64, Limit: math.MaxInt32}
	if mode := c.Query("mode"); mode != "" {
		filter.Modes = []catalog.Mode{catalog.Mode(mode)}
	}
	all, err := f.store.FindCommits(c.UserContext(), s.Dataset.ID, filter)
	if err != nil {
		return err
	}
	if c.Query("status", "completed") != "completed" { // what failed left no commit
		all = nil
	}
	d, err := f.viewDataset(c, s)
	if err != nil {
		return err
	}
	return showList(c, all, func(k catalog.Commit) (commitView, error) { return viewCommit(c, d, k), nil })
}

// commitParam finds the commit that a request names, and its dataset.
func (f *Face) commitParam(c *fiber.Ctx) (s snapshot.State, k catalog.Commit, err error) {
	id, err := param(c, "commit")
	if err != nil {
		return s, k, err
	}
	dataset, n, ok := split(id)
	if s, err = f.dataset(c.UserContext(), dataset); err != nil {
		return s, k, err
	}
	if !ok {
		return s, k, notFound("commit", id)
	}
	k, err = f.store.CommitByID(c.UserContext(), dataset, n)
	return s, k, err
}

// getCommit shows one commit.
func (f *Face) getCommit(c *fiber.Ctx) error {
	s, k, err := f.commitParam(c)
	if err != nil {
		return err
	}
	d, err := f.viewDataset(c, s)
	if err != nil {
		return err
	}
	return show(c, http.StatusOK, viewCommit(c, d, k))
}

// rollbackView says whether a commit can be rolled back.
type rollbackView struct {
	IsBlocked       bool         `json:"is_blocked"`
	Detail          string       `json:"detail"`
	BlockingCommits []commitView `json:"blocking_commits"`
}

// canRollback says whether a commit can be rolled back, and what blocks it, in the order in which to undo it.
func (f *Face) canRollback(ctx context.Context, c *fiber.Ctx, d datasetView, k catalog.Commit) (rollbackView, error) {
	answer, err := f.store.CanRollback(ctx, k.DatasetID, k.ID, storage.Stack)
	out := rollbackView{IsBlocked: answer.Blocked, Detail: answer.Detail, BlockingCommits: []commitView{}}
	for _, blocker := range answer.Blockers {
		out.BlockingCommits = append(out.BlockingCommits, viewCommit(c, d, blocker.Commit))
	}
	return out, err
}

// askRollback shows whether a commit can be rolled back. It changes nothing.
func (f *Face) askRollback(c *fiber.Ctx) error {
	s, k, err := f.commitParam(c)
	if err != nil {
		return err
	}
	d, err := f.viewDataset(c, s)
	if err != nil {
		return err
	}
	out, err := f.canRollback(c.UserContext(), c, d, k)
	if err != nil {
		return err
	}
	return show(c, http.StatusOK, out)
}

// rollBack rolls a commit back with a new one. Where later commits block that, the answer is 400 with these.
func (f *Face) rollBack(c *fiber.Ctx) error {
	s, k, err := f.commitParam(c)
	if err != nil {
		return err
	}
	if err := f.readNothing(c); err != nil {
		return err
	}
	ctx := c.UserContext()
	d, err := f.viewDataset(c, s)
	if err != nil {
		return err
	}
	done, err := change(f, c, func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		return f.store.Rollback(ctx, k.DatasetID, k.ID, storage.Stack, r)
	})
	if fault.KindOf(err) == fault.Blocked {
		told, asked := f.canRollback(ctx, c, d, k)
		if asked != nil {
			return asked
		}
		return &blockedError{err, told.BlockingCommits}
	}
	if err != nil {
		return err
	}
	return show(c, http.StatusCreated, viewCommit(c, d, done))
}
