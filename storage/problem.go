package storage

import "fmt"

// Problem is something in the store that is not as it must be. Detail is half a sentence, without a full stop.
type Problem struct {
	Dataset string `json:"dataset"`
	Commit  int64  `json:"commit,omitempty"`
	Detail  string `json:"detail"`
}

// String is the problem on one line.
func (p Problem) String() string {
	if p.Dataset == "" {
		return p.Detail
	}
	return fmt.Sprintf("dataset %s commit %d: %s", p.Dataset, p.Commit, p.Detail)
}
