package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// retentionCmd sets or shows which states of a dataset vacuum keeps.
type retentionCmd struct {
	datasetFlags
	Commits    *int64 `help:"Keep the last changes, each with the states before and after it." placeholder:"N"`
	Days       *int64 `help:"Keep the changes of the last days, each with the states before and after it." placeholder:"N"`
	Versions   bool   `help:"Keep what versions name." default:"true" negatable:""`
	Savepoints bool   `help:"Keep what savepoints name." default:"true" negatable:""`
	Tags       bool   `help:"Keep what tags name." default:"true" negatable:""`
	Everything bool   `help:"Keep everything."`
}

// retentionAnswer is a policy as the command line shows it.
type retentionAnswer struct {
	Commits    *int64 `json:"commits,omitempty"`
	Days       *int64 `json:"days,omitempty"`
	Versions   bool   `json:"versions"`
	Savepoints bool   `json:"savepoints"`
	Tags       bool   `json:"tags"`
}

// Run sets the policy, if the command says what it is to be, and shows it.
func (cmd *retentionCmd) Run(c console) error {
	var answer struct {
		Retention *retentionAnswer `json:"retention"`
	}
	var err error
	switch {
	case cmd.Everything:
		err = cmd.set(struct{}{}, &answer)
	case cmd.Commits != nil || cmd.Days != nil:
		err = cmd.set(retentionAnswer{cmd.Commits, cmd.Days, cmd.Versions, cmd.Savepoints, cmd.Tags}, &answer)
	default:
		err = cmd.get(cmd.path(), cmd.query(), &answer)
	}
	if err != nil {
		return err
	}
	return c.answer(answer, func() { c.println("keeps", answer.Retention) })
}

// set sets the policy.
func (cmd *retentionCmd) set(policy, out any) error {
	text, err := json.Marshal(map[string]any{"retention": policy})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPatch, cmd.url(cmd.path(), cmd.query()), bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return cmd.json(req, out)
}

// String says it in words.
func (a *retentionAnswer) String() string {
	if a == nil {
		return "everything"
	}
	keeps := []string{"the head"}
	if a.Commits != nil {
		keeps = append(keeps, "the last "+countOf(*a.Commits, "commit"))
	}
	if a.Days != nil {
		keeps = append(keeps, "those of the last "+countOf(*a.Days, "day"))
	}
	for i, kept := range []bool{a.Versions, a.Savepoints, a.Tags} {
		if kept {
			keeps = append(keeps, []string{"versions", "savepoints", "tags"}[i])
		}
	}
	return strings.Join(keeps, ", ")
}
