// Package lineage is what a commit or a version was made from: files, versions of other datasets, models, prompts,
// parameters and code. It is given as the member "lineage" of the metadata and stored there, so that it is in
// commit.json and survives all that its commit survives. Names are those of the field: inputs, job and run as in
// OpenLineage, parameters and models as in MLflow, name, sha256 and encoding formats as in Croissant. The manual
// documents the form (lineage.md).
package lineage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// Member is the name of the member of metadata that has it.
const Member = "lineage"

// Lineage is what something was made from. Empty members are left out.
type Lineage struct {
	Sources    []Source                   `json:"sources,omitempty" description:"Files."`
	Inputs     []Input                    `json:"inputs,omitempty" description:"Datasets of this server, at a commit."`
	Models     []Model                    `json:"models,omitempty"`
	Prompts    []Prompt                   `json:"prompts,omitempty"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty" description:"Any JSON, by name."`
	Code       *Code                      `json:"code,omitempty"`
	Run        *Run                       `json:"run,omitempty"`
	Extra      map[string]json.RawMessage `json:"extra,omitempty" description:"Whatever has no member of its own."`
}

// Source is a file.
type Source struct {
	Name        string `json:"name" required:"true" description:"Without its folder."`
	SHA256      string `json:"sha256,omitempty" description:"64 hexadecimal digits."`
	MD5         string `json:"md5,omitempty" description:"32 hexadecimal digits."`
	Size        *int64 `json:"size,omitempty" minimum:"0" description:"Bytes."`
	MediaType   string `json:"media_type,omitempty"`
	URI         string `json:"uri,omitempty" description:"Where it came from, without credentials."`
	Description string `json:"description,omitempty"`
}

// Input is a dataset at a commit. It is stored as it was resolved when it was given.
type Input struct {
	Dataset   string `json:"dataset,omitempty" description:"Its name; or its id, when it is given."`
	Ref       string `json:"ref,omitempty" description:"What was given, unless that names another state later."`
	ProjectID int64  `json:"project_id,omitempty" description:"By default that of the dataset that is written."`
	DatasetID string `json:"dataset_id,omitempty"`
	CommitID  int64  `json:"commit_id,omitempty"`
}

// Model is a model of machine learning.
type Model struct {
	Name     string `json:"name" required:"true"`
	Version  string `json:"version,omitempty"`
	Provider string `json:"provider,omitempty"`
	SHA256   string `json:"sha256,omitempty" description:"Of its weights."`
	URI      string `json:"uri,omitempty"`
}

// Prompt is a text that a model was given: as a text, or by its name or checksum.
type Prompt struct {
	Name   string `json:"name,omitempty"`
	Role   string `json:"role,omitempty" description:"As system or user."`
	Text   string `json:"text,omitempty"`
	SHA256 string `json:"sha256,omitempty" description:"Of the text, in UTF-8."`
}

// Code is what made the records.
type Code struct {
	Repository string `json:"repository,omitempty" description:"Its URL, without credentials."`
	Commit     string `json:"commit,omitempty"`
	Path       string `json:"path,omitempty" description:"In the repository."`
	Version    string `json:"version,omitempty"`
}

// Run is the run of a job that made the records.
type Run struct {
	Job string `json:"job,omitempty"`
	ID  string `json:"id,omitempty"`
	URI string `json:"uri,omitempty"`
}

// Of returns the lineage that metadata has; nil: none, or something that is not one.
func Of(metadata []byte) *Lineage {
	var has struct {
		Lineage *Lineage `json:"lineage"`
	}
	if !strings.Contains(string(metadata), `"`+Member+`"`) || json.Unmarshal(metadata, &has) != nil {
		return nil
	}
	return has.Lineage
}

// In returns metadata with a lineage in place of the one that it has; with nil, without.
func In(metadata []byte, l *Lineage) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(metadata) > 0 {
		if err := json.Unmarshal(metadata, &all); err != nil {
			return nil, err
		}
	}
	delete(all, Member)
	if l != nil {
		text, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		all[Member] = text
	}
	return json.Marshal(all)
}

// AddSource returns metadata whose lineage has a file as a source too, unless it has one with its checksum. Of a lineage
// that can't be read the metadata stays as it is: it is refused where it is read.
func AddSource(metadata []byte, s Source) (json.RawMessage, error) {
	all, l := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	var sources []json.RawMessage
	if len(metadata) > 0 && (json.Unmarshal(metadata, &all) != nil || all == nil) {
		return nil, &Wrong{Where: "metadata", Why: "must be an object, so that it can say which file the records are from"}
	}
	if given, ok := all[Member]; ok && json.Unmarshal(given, &l) != nil {
		return metadata, nil
	}
	if given, ok := l["sources"]; ok && json.Unmarshal(given, &sources) != nil {
		return metadata, nil
	}
	for _, one := range sources {
		var has Source
		if json.Unmarshal(one, &has) == nil && strings.EqualFold(has.SHA256, s.SHA256) {
			return metadata, nil
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if l == nil {
		l = map[string]json.RawMessage{}
	}
	if l["sources"], err = json.Marshal(append(sources, text)); err != nil {
		return nil, err
	}
	if all[Member], err = json.Marshal(l); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// IsEmpty reports whether nothing is said.
func (l Lineage) IsEmpty() bool {
	return len(l.Sources)+len(l.Inputs)+len(l.Models)+len(l.Prompts)+len(l.Parameters)+len(l.Extra) == 0 &&
		l.Code == nil && l.Run == nil
}

// Kind is what of a lineage can be searched for.
type Kind string

// The kinds. Of a dataset, an input is of any commit.
const (
	Any       Kind = "lineage" // that there is one; its value is the dataset that has it
	File      Kind = "source"  // by name or URI
	Checksum  Kind = "sha256"  // of a source, a model or a prompt
	Dataset   Kind = "input"
	Commit    Kind = "input_commit" // as InputCommit writes it
	ByModel   Kind = "model"        // by name, or by name@version
	ByPrompt  Kind = "prompt"
	Parameter Kind = "parameter" // as in epochs=10
	ByCode    Kind = "code"      // by repository or commit
	ByRun     Kind = "run"       // by job or id
)

// Term is something that a lineage is found by.
type Term struct {
	Kind  Kind
	Value string
}

// InputCommit is the value of a term for a commit of a dataset.
func InputCommit(dataset string, commit int64) string {
	return dataset + "@" + strconv.FormatInt(commit, 10)
}

// Terms returns what the lineage of something in a dataset is found by, each once.
func (l Lineage) Terms(dataset string) (out []Term) {
	seen := map[Term]bool{}
	add := func(kind Kind, values ...string) {
		for _, v := range values {
			if one := (Term{kind, v}); v != "" && len(v) <= maxText && !strings.ContainsRune(v, 0) && !seen[one] {
				seen[one] = true
				out = append(out, one)
			}
		}
	}
	add(Any, dataset)
	for _, s := range l.Sources {
		add(File, s.Name, s.URI)
		add(Checksum, s.SHA256)
	}
	for _, i := range l.Inputs {
		add(Dataset, i.DatasetID)
		add(Commit, InputCommit(i.DatasetID, i.CommitID))
	}
	for _, m := range l.Models {
		add(ByModel, m.Name)
		if m.Version != "" {
			add(ByModel, m.Name+"@"+m.Version)
		}
		add(Checksum, m.SHA256)
	}
	for _, p := range l.Prompts {
		add(ByPrompt, p.Name)
		add(Checksum, p.SHA256, textSum(p.Text))
	}
	for name, value := range l.Parameters {
		add(Parameter, name, name+"="+plain(value))
	}
	if l.Code != nil {
		add(ByCode, l.Code.Repository, l.Code.Commit)
	}
	if l.Run != nil {
		add(ByRun, l.Run.Job, l.Run.ID)
	}
	return out
}

// textSum returns the SHA-256 of a text; of none, none.
func textSum(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// plain returns a value as people write it: a text without its quotes.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
