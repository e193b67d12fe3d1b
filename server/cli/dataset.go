package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/server/terminal"
)

// datasetCmd manages datasets.
type datasetCmd struct {
	List     datasetListCmd     `cmd:"" default:"withargs" help:"List datasets (the default)."`
	Create   datasetCreateCmd   `cmd:"" help:"Create an empty dataset."`
	Show     datasetShowCmd     `cmd:"" help:"Show what a dataset is, and its columns."`
	Edit     datasetEditCmd     `cmd:"" help:"Change a dataset's description and what is declared of it."`
	Rename   datasetRenameCmd   `cmd:"" help:"Give a dataset another name."`
	Delete   datasetDeleteCmd   `cmd:"" help:"Delete a dataset. Until vacuum removes it, undelete brings it back."`
	Undelete datasetUndeleteCmd `cmd:"" help:"Bring a deleted dataset back."`
}

const datasetsPath = "/api/v1/datasets"

// datasetAnswer is a dataset as the command line shows it.
type datasetAnswer struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	ProjectID      int64          `json:"project_id"`
	Key            []string       `json:"key"`
	Description    string         `json:"description"`
	Metadata       map[string]any `json:"metadata"`
	QualityColumn  *string        `json:"quality_column"`
	CategoryColumn *string        `json:"category_column"`
	Required       []string       `json:"required"`
	Archived       bool           `json:"archived"`
	Granularity    string         `json:"merge_granularity"`
	Head           int64          `json:"head"`
	Records        int64          `json:"records_total"`
	Bytes          uint64         `json:"bytes"`
	CreatedAt      string         `json:"created_at"`
	ModifiedAt     string         `json:"modified_at"`
	DeletedAt      *string        `json:"deleted_at"`
	UpstreamID     *string        `json:"upstream_id"`
	ForkCommit     *int64         `json:"fork_commit"`
	Warnings       []string       `json:"warnings,omitempty"`
	Versions       int64          `json:"versions,omitempty"` // in lists
	LatestVersion  *string        `json:"latest_version,omitempty"`
}

// datasetPage is a page of datasets.
type datasetPage struct {
	Datasets   []datasetAnswer `json:"datasets"`
	NextCursor *string         `json:"next_cursor"`
}

// datasetListCmd lists datasets.
type datasetListCmd struct {
	remote
	formatFlag
	ProjectID *projectRef `help:"${only_project}" aliases:"project" placeholder:"NAME"`
	Deleted   bool        `help:"List deleted datasets instead of the others."`
	Text      string      `help:"Only those with these words in their name or description." placeholder:"WORDS"`
	Sort      string      `help:"${dataset_sort}" enum:",name,-name,records,-records,changed,-changed,bytes,-bytes" default:"" placeholder:"ORDER"`
}

// Run lists datasets, of all pages.
func (cmd *datasetListCmd) Run(c console) error {
	query := url.Values{"limit": {"1000"}}
	if cmd.ProjectID != nil {
		query.Set("project_id", fmt.Sprint(*cmd.ProjectID))
	}
	if cmd.Deleted {
		query.Set("deleted", "true")
	}
	for name, value := range map[string]string{"text": cmd.Text, "sort": cmd.Sort} {
		if value != "" {
			query.Set(name, value)
		}
	}
	all, err := allPages(cmd.remote, datasetsPath, query, func(page datasetPage) ([]datasetAnswer, *string) {
		return page.Datasets, page.NextCursor
	})
	if err != nil {
		return err
	}
	if cmd.Deleted {
		return cmd.print(c, all, "ID\tDATASET\tRECORDS\tDELETED\tDESCRIPTION", func(row func(...any)) {
			for _, d := range all {
				row(terminal.ID(d.ID), d.Name, terminal.Count(d.Records), terminal.Moment(orNever(d.DeletedAt)), d.Description)
			}
		})
	}
	header := "DATASET\tPROJECT\tRECORDS\tSIZE\tVERSION\tHEAD\tCHANGED\tDESCRIPTION"
	return cmd.print(c, all, header, func(row func(...any)) {
		for _, d := range all {
			version := "none"
			if d.LatestVersion != nil {
				version = *d.LatestVersion
			}
			row(d.Name, d.ProjectID, terminal.Count(d.Records), humanize.Bytes(d.Bytes), version, d.Head,
				terminal.Moment(d.ModifiedAt), d.Description)
		}
	})
}

// declaredFlags say what is declared of a dataset.
type declaredFlags struct {
	Description    *string  `help:"What it is." placeholder:"TEXT"`
	Metadata       string   `help:"More about it, as a JSON object." placeholder:"JSON"`
	QualityColumn  *string  `help:"The column with the quality score of each record." placeholder:"COLUMN"`
	CategoryColumn *string  `help:"The column with the category of each record." placeholder:"COLUMN"`
	Require        []string `help:"Columns that have a value in every record." placeholder:"COLUMN"`
	Granularity    string   `name:"merge-granularity" help:"What conflicts in merges: row or column." enum:",row,column" default:"" placeholder:"row|column"`
}

// body returns what the flags say as the fields of a request.
func (f declaredFlags) body() (map[string]any, error) {
	body := map[string]any{}
	for name, value := range map[string]*string{
		"description": f.Description, "quality_column": f.QualityColumn, "category_column": f.CategoryColumn,
	} {
		if value != nil {
			body[name] = *value
		}
	}
	if f.Metadata != "" {
		if !json.Valid([]byte(f.Metadata)) {
			return nil, exitError{exitUsage, fmt.Errorf("--metadata %s is not JSON", f.Metadata)}
		}
		body["metadata"] = json.RawMessage(f.Metadata)
	}
	if len(f.Require) > 0 {
		body["required"] = f.Require
	}
	if f.Granularity != "" {
		body["merge_granularity"] = f.Granularity
	}
	return body, nil
}

// datasetCreateCmd creates a dataset.
type datasetCreateCmd struct {
	remote
	Name      string     `arg:"" help:"The dataset's name."`
	ProjectID projectRef `help:"Its project: name or number." default:"1" aliases:"project" placeholder:"NAME"`
	Key       []string   `help:"The key columns. Without any, the server numbers the records." placeholder:"COLUMN"`
	declaredFlags
}

// Run creates a dataset.
func (cmd *datasetCreateCmd) Run(c console) error {
	body, err := cmd.body()
	if err != nil {
		return err
	}
	body["name"], body["project_id"], body["key"] = cmd.Name, cmd.ProjectID, append([]string{}, cmd.Key...)
	var made datasetAnswer
	if err := cmd.post(datasetsPath, nil, body, &made); err != nil {
		return err
	}
	return c.answer(made, func() { c.printf("dataset %s is created; its id is %s\n", made.Name, made.ID) })
}

// oneDataset names a dataset as what a command is about.
type oneDataset struct {
	remote
	Dataset   string     `arg:"" help:"Name or id of the dataset."`
	ProjectID projectRef `help:"${of_project}" default:"1" aliases:"project" placeholder:"NAME"`
}

// flags returns the dataset as other commands name it.
func (o oneDataset) flags() datasetFlags { return datasetFlags(o) }

// datasetShowCmd shows a dataset.
type datasetShowCmd struct {
	oneDataset
	Ref string `help:"The state whose columns are shown: ${refs}." default:"head"`
}

// schemaAnswer is the columns of a state.
type schemaAnswer struct {
	Commit  int64 `json:"commit"`
	Columns []struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
		Type string `json:"type"`
		Key  bool   `json:"key"`
	} `json:"columns"`
}

// Run shows a dataset.
func (cmd *datasetShowCmd) Run(c console) error {
	var answer struct {
		datasetAnswer
		schemaAnswer
	}
	one := cmd.flags()
	if err := cmd.get(one.path(), one.query(), &answer.datasetAnswer); err != nil {
		return err
	}
	query := one.query()
	query.Set("ref", cmd.Ref)
	if err := cmd.get(one.path("schema"), query, &answer.schemaAnswer); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(answer)
	}
	return c.paged(func(c console) error {
		answer.facts(c)
		c.println()
		t := c.screen.NewTable("COLUMN", "TYPE", "KEY")
		for _, k := range answer.Columns {
			t.Row(k.Name, k.Type, yes(k.Key))
		}
		return t.Print(c.out)
	})
}

// yes marks what is so.
func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// facts prints what is known of a dataset, one fact a line.
func (d datasetAnswer) facts(c console) {
	c.printf("%s\n", c.styled(terminal.Bold, d.Name))
	c.fact("id", d.ID)
	c.fact("description", d.Description)
	c.fact("project", fmt.Sprint(d.ProjectID))
	c.fact("key", strings.Join(d.Key, ", "))
	c.fact("records", comma(d.Records))
	c.fact("head", fmt.Sprint("commit ", d.Head))
	c.fact("created", terminal.Moment(d.CreatedAt))
	c.fact("changed", terminal.Moment(d.ModifiedAt))
	c.fact("quality", orNone(d.QualityColumn))
	c.fact("category", orNone(d.CategoryColumn))
	c.fact("required", strings.Join(d.Required, ", "))
	if d.ForkCommit != nil {
		c.fact("fork", fmt.Sprintf("of %s at commit %d", orNone(d.UpstreamID), *d.ForkCommit))
	}
	for _, name := range sorted(d.Metadata) {
		text, _ := json.Marshal(d.Metadata[name])
		c.fact("metadata", name+": "+string(text))
	}
	for _, w := range d.Warnings {
		c.fact("warning", w)
	}
}

// orNone returns a text, or nothing.
func orNone(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// datasetEditCmd changes what is declared of a dataset.
type datasetEditCmd struct {
	oneDataset
	declaredFlags
	Archived *bool  `help:"Whether it is archived." negatable:""`
	Message  string `short:"m" help:"What the change is for."`
}

// Run edits a dataset.
func (cmd *datasetEditCmd) Run(c console) error {
	body, err := cmd.body()
	if err != nil {
		return err
	}
	if cmd.Archived != nil {
		body["archived"] = *cmd.Archived
	}
	if len(body) == 0 {
		return exitError{exitUsage, errors.New("what is to change? See rowback dataset edit --help")}
	}
	return cmd.edit(c, body, cmd.Message)
}

// edit sends changes of a dataset, and says what it is called now.
func (o oneDataset) edit(c console, body map[string]any, message string) error {
	one := o.flags()
	query := one.query()
	if message != "" {
		query.Set("message", message)
	}
	var now datasetAnswer
	if err := o.call(http.MethodPatch, one.path(), query, body, &now); err != nil {
		return err
	}
	return c.answer(now, func() { c.printf("dataset %s: head is commit %d\n", now.Name, now.Head) })
}

// datasetRenameCmd renames a dataset.
type datasetRenameCmd struct {
	oneDataset
	Name    string `arg:"" help:"Its new name."`
	Message string `short:"m" help:"What the change is for."`
}

// Run renames a dataset.
func (cmd *datasetRenameCmd) Run(c console) error {
	return cmd.edit(c, map[string]any{"name": cmd.Name}, cmd.Message)
}

// datasetDeleteCmd deletes a dataset.
type datasetDeleteCmd struct{ oneDataset }

// Run deletes a dataset, by its id, which brings it back.
func (cmd *datasetDeleteCmd) Run(c console) error {
	one := cmd.flags()
	var gone datasetAnswer
	if err := cmd.get(one.path(), one.query(), &gone); err != nil {
		return err
	}
	if err := cmd.call(http.MethodDelete, datasetsPath+"/"+url.PathEscape(gone.ID), nil, nil, nil); err != nil {
		return err
	}
	return c.answer(gone, func() {
		c.printf("dataset %s is deleted. To bring it back: rowback dataset undelete %s\n", gone.Name, gone.ID)
	})
}

// datasetUndeleteCmd brings a deleted dataset back.
type datasetUndeleteCmd struct {
	remote
	Dataset   string      `arg:"" help:"Name or id of the dataset, as dataset list --deleted shows it."`
	ProjectID *projectRef `help:"${only_project}" aliases:"project" placeholder:"NAME"`
}

// Run brings a dataset back. Several deleted ones may have had one name.
func (cmd *datasetUndeleteCmd) Run(c console) error {
	id, err := cmd.find()
	if err != nil {
		return err
	}
	var back datasetAnswer
	if err := cmd.post(datasetsPath+"/"+url.PathEscape(id)+"/undelete", nil, struct{}{}, &back); err != nil {
		return err
	}
	return c.answer(back, func() {
		c.printf("dataset %s is back: %s, head is commit %d\n", back.Name, countOf(back.Records, "record"), back.Head)
	})
}

// find returns the id of the deleted dataset. What no deleted one is called is taken to be an id.
func (cmd *datasetUndeleteCmd) find() (id string, err error) {
	all, err := deletedDatasets(cmd.remote, cmd.ProjectID)
	if err != nil {
		return "", err
	}
	var named []string
	for _, d := range all {
		if d.Name == cmd.Dataset {
			named = append(named, d.ID)
		}
	}
	switch len(named) {
	case 0:
		return cmd.Dataset, nil
	case 1:
		return named[0], nil
	}
	return "", exitError{exitConflict, fmt.Errorf("%d deleted datasets were called %s. Name one by its id: %s",
		len(named), cmd.Dataset, strings.Join(named, ", "))}
}

// deletedDatasets lists the datasets that were deleted, of one project or of all.
func deletedDatasets(r remote, project *projectRef) ([]datasetAnswer, error) {
	query := url.Values{"limit": {"1000"}, "deleted": {"true"}}
	if project != nil {
		query.Set("project_id", fmt.Sprint(*project))
	}
	return allPages(r, datasetsPath, query, func(page datasetPage) ([]datasetAnswer, *string) {
		return page.Datasets, page.NextCursor
	})
}
