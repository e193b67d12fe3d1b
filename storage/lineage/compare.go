package lineage

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// With returns what a state was made from that this made, and then what made the next one: files, inputs, models and
// prompts add up; of parameters, code and run the last one counts.
func (l Lineage) With(next Lineage) Lineage {
	l.Sources = joined(l.Sources, next.Sources)
	l.Inputs = joined(l.Inputs, next.Inputs)
	l.Models = joined(l.Models, next.Models)
	l.Prompts = joined(l.Prompts, next.Prompts)
	l.Parameters = over(l.Parameters, next.Parameters)
	l.Extra = over(l.Extra, next.Extra)
	if next.Code != nil {
		l.Code = next.Code
	}
	if next.Run != nil {
		l.Run = next.Run
	}
	return l
}

// joined returns two lists as one, with each element once.
func joined[T any](a, b []T) []T {
	out := slices.Clone(a)
	have := map[string]bool{}
	for _, one := range a {
		have[text(one)] = true
	}
	for _, one := range b {
		if name := text(one); !have[name] {
			have[name] = true
			out = append(out, one)
		}
	}
	return out
}

// text is a value as JSON, to compare it by.
func text(v any) string {
	out, _ := json.Marshal(v) // they came as JSON
	return string(out)
}

func over(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// Differences are how two lineages differ. What is the same on both sides is left out.
type Differences struct {
	Sources    *Changes[Source]                 `json:"sources,omitempty"`
	Inputs     *Changes[Input]                  `json:"inputs,omitempty"`
	Models     *Changes[Model]                  `json:"models,omitempty"`
	Prompts    *Changes[Prompt]                 `json:"prompts,omitempty"`
	Parameters map[string]Pair[json.RawMessage] `json:"parameters,omitempty" description:"Those that differ, by name."`
	Code       *Pair[*Code]                     `json:"code,omitempty"`
	Run        *Pair[*Run]                      `json:"run,omitempty"`
}

// Changes are how two lists differ. Elements of one name that is in both lists once are the same thing, changed.
type Changes[T any] struct {
	Added   []T       `json:"added,omitempty"`
	Removed []T       `json:"removed,omitempty"`
	Changed []Pair[T] `json:"changed,omitempty"`
}

// Pair is a value on both sides of a comparison; null on one that does not have it.
type Pair[T any] struct {
	From T `json:"from"`
	To   T `json:"to"`
}

// Compare returns how two lineages differ; nil: they do not.
func Compare(from, to Lineage) *Differences {
	out := Differences{
		Sources: changes(from.Sources, to.Sources, func(s Source) string { return s.Name }),
		Inputs:  changes(from.Inputs, to.Inputs, func(i Input) string { return i.DatasetID }),
		Models:  changes(from.Models, to.Models, func(m Model) string { return m.Name }),
		Prompts: changes(from.Prompts, to.Prompts, func(p Prompt) string { return p.Name }),
	}
	for name := range over(from.Parameters, to.Parameters) {
		a, b := from.Parameters[name], to.Parameters[name]
		if string(a) != string(b) {
			if out.Parameters == nil {
				out.Parameters = map[string]Pair[json.RawMessage]{}
			}
			out.Parameters[name] = Pair[json.RawMessage]{a, b}
		}
	}
	if text(from.Code) != text(to.Code) {
		out.Code = &Pair[*Code]{from.Code, to.Code}
	}
	if text(from.Run) != text(to.Run) {
		out.Run = &Pair[*Run]{from.Run, to.Run}
	}
	if reflect.ValueOf(out).IsZero() {
		return nil
	}
	return &out
}

// changes compares two lists; nil: they have the same elements.
func changes[T any](from, to []T, name func(T) string) *Changes[T] {
	out := Changes[T]{Added: without(to, from), Removed: without(from, to)}
	for i := 0; i < len(out.Removed); i++ {
		was := out.Removed[i]
		j := only(out.Added, name, name(was))
		if name(was) == "" || j < 0 || only(out.Removed, name, name(was)) < 0 {
			continue
		}
		out.Changed = append(out.Changed, Pair[T]{was, out.Added[j]})
		out.Removed, out.Added = slices.Delete(out.Removed, i, i+1), slices.Delete(out.Added, j, j+1)
		i--
	}
	if len(out.Added)+len(out.Removed)+len(out.Changed) == 0 {
		return nil
	}
	return &out
}

// without returns the elements of a list that another does not have.
func without[T any](list, other []T) (out []T) {
	have := map[string]bool{}
	for _, one := range other {
		have[text(one)] = true
	}
	for _, one := range list {
		if !have[text(one)] {
			out = append(out, one)
		}
	}
	return out
}

// only returns the place of the one element of a list that has a name; -1: none has, or several have.
func only[T any](list []T, name func(T) string, wanted string) int {
	at := -1
	for i, one := range list {
		if name(one) == wanted {
			if at >= 0 {
				return -1
			}
			at = i
		}
	}
	return at
}
