package crunch

import (
	"encoding/json"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

func TestABodyThatAsksForAnEffectThatARequestDoesNotHaveIsRefused(t *testing.T) {
	for text, refused := range map[string]string{
		`{"force":true}`:                  "force",
		`{"notes":"remember"}`:            "notes",
		`{"start_date":"2026-01-01"}`:     "start_date",
		`{"streaming":"streaming"}`:       "streaming",
		`{"dry_run":1}`:                   "dry_run",
		`{"discarded":true,"name":"a"}`:   "discarded",
		`{"archived":true}`:               "", // the request has it
		`{"force":false}`:                 "",
		`{"force":null,"notes":""}`:       "",
		`{"notes":[],"end_date":{}}`:      "",
		`{"streaming":"no"}`:              "",
		`{"notes": "" }`:                  "",
		`{"unknown":true,"name":"a"}`:     "",
		`{"nested":{"deep":"a"},"a":"b"}`: "",
		`[]`:                              "", // refused by whoever reads it
	} {
		err := checkEffects(json.RawMessage(text), &sent{})
		if refused == "" && err != nil {
			t.Errorf("%s: %v", text, err)
		} else if refused != "" {
			refusedField(t, text, err, refused, "has no effect here")
		}
	}
}

func TestAMapHasNoEffects(t *testing.T) {
	if err := checkEffects(json.RawMessage(`{"archived":true}`), &map[string]any{}); err == nil {
		t.Error("archived was accepted by a request without fields")
	}
}

func TestADatasetIsEditedInWhatCanBeChanged(t *testing.T) {
	text, yes, editor := "text", true, "http://x/api/users/eva/"
	now := datasetBody{CurrentEditor: editor}
	in := datasetEdit{
		Name: &text, Description: &text, IsPublished: &yes, Archived: &yes, Notes: &text, CurrentEditor: &editor,
	}
	want := storage.Edit{Name: &text, Description: &text, Published: &yes, Archived: &yes, Notes: &text}
	got, err := in.wanted(snapshot.State{}, now)
	if err != nil || got.Name != want.Name || got.Description != want.Description || got.Published != want.Published ||
		got.Archived != want.Archived || got.Notes != want.Notes {
		t.Errorf("%+v, %v", got, err)
	}
	other := "http://x/api/users/ben/"
	_, err = datasetEdit{CurrentEditor: &other}.wanted(snapshot.State{}, now)
	if e := storage.Explain(err); err == nil || e.Kind != fault.Invalid || e.Code != "no_effect" ||
		e.Fields["field"] != "current_editor" {
		t.Errorf("another editor: %v", err)
	}
}

func TestANameMayBeTakenUnlessForceIsFalse(t *testing.T) {
	yes, no := true, false
	for force, want := range map[*bool]bool{nil: true, &yes: true, &no: false} {
		if got := (newDataset{Force: force}).namesake(); got != want {
			t.Errorf("force %v: %t", force, got)
		}
	}
}
