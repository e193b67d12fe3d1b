package cli

import (
	"net/http"
	"net/url"
)

// projectCmd manages projects.
type projectCmd struct {
	List   projectListCmd   `cmd:"" default:"withargs" help:"List the projects in which you have a role (the default)."`
	Create projectCreateCmd `cmd:"" help:"Add a project, or name one that has only its number."`
	Rename projectRenameCmd `cmd:"" help:"Give a project another name."`
	Quota  projectQuotaCmd  `cmd:"" help:"Show or set what a project may store."`
	Delete projectDeleteCmd `cmd:"" help:"Remove a project without datasets."`
}

// projectAnswer is a project as the command line shows it.
type projectAnswer struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Datasets    int    `json:"datasets"`
	Role        string `json:"role"`
}

// show says how other commands name the project.
func (p projectAnswer) show(c console) error {
	return c.answer(p, func() { c.printf("project %s: --project-id %d\n", p.Name, p.ID) })
}

// projectsPath is the path of projects, or of one.
func projectsPath(parts ...string) string {
	path := "/api/v1/projects"
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}

// projectListCmd lists projects.
type projectListCmd struct {
	remote
	formatFlag
}

// projectPage is a page of projects.
type projectPage struct {
	Projects   []projectAnswer `json:"projects"`
	NextCursor *string         `json:"next_cursor"`
}

// Run lists projects, of all pages.
func (cmd *projectListCmd) Run(c console) error {
	all, err := allPages(cmd.remote, projectsPath(), url.Values{}, func(page projectPage) ([]projectAnswer, *string) {
		return page.Projects, page.NextCursor
	})
	if err != nil {
		return err
	}
	return cmd.print(c, all, "ID\tPROJECT\tDATASETS\tROLE\tDESCRIPTION", func(row func(...any)) {
		for _, p := range all {
			row(p.ID, p.Name, p.Datasets, p.Role, p.Description)
		}
	})
}

// projectCreateCmd adds a project.
type projectCreateCmd struct {
	remote
	Name        string `arg:"" help:"The project's name."`
	ID          int64  `help:"The number of a project that has datasets already; by default a new one." placeholder:"N"`
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"What it is for."`
}

// Run adds a project.
func (cmd *projectCreateCmd) Run(c console) error {
	body := map[string]any{"name": cmd.Name, "description": cmd.Description}
	if cmd.ID != 0 {
		body["id"] = cmd.ID
	}
	var p projectAnswer
	if err := cmd.post(projectsPath(), nil, body, &p); err != nil {
		return err
	}
	return p.show(c)
}

// projectRenameCmd renames a project.
type projectRenameCmd struct {
	remote
	Project string `arg:"" help:"Its name or number."`
	Name    string `arg:"" help:"Its new name."`
}

// Run renames a project.
func (cmd *projectRenameCmd) Run(c console) error {
	var p projectAnswer
	err := cmd.call(http.MethodPatch, projectsPath(cmd.Project), nil, map[string]any{"name": cmd.Name}, &p)
	if err != nil {
		return err
	}
	return p.show(c)
}

// projectDeleteCmd removes a project.
type projectDeleteCmd struct {
	remote
	Project string `arg:"" help:"Its name or number."`
}

// Run removes a project.
func (cmd *projectDeleteCmd) Run(c console) error {
	if err := cmd.call(http.MethodDelete, projectsPath(cmd.Project), nil, nil, nil); err != nil {
		return err
	}
	return c.removed("project", cmd.Project)
}
