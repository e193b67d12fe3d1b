package browser

import "testing"

func TestTheSettingsOfADatasetAreChanged(t *testing.T) {
	s := demo(t)
	dataset := s.create(t, `"key":["id"],"metadata":{"source":"a","drop":1}`, `[{"id":1,"city":"Rome"},{"id":2,"city":null}]`)
	b := visit(t, s, "/datasets/"+dataset+"/settings")
	b.fill("Description", "Where people live")
	b.fill("Metadata", `{"source": "b"`)
	b.see("JSON")
	b.fill("Metadata", `{"source": "b", "n": 3}`)
	b.click("button", "Save")
	b.see("Saved, as a commit.")
	var about struct {
		Description string
		Metadata    map[string]any
	}
	s.ask(t, "GET", "/api/v1/datasets/"+dataset, "", "", &about)
	if about.Description != "Where people live" || about.Metadata["source"] != "b" || len(about.Metadata) != 2 {
		t.Errorf("%+v", about)
	}

	b.click("button", "Add a gate")
	b.fill("Gate’s name", "placed")
	b.fill("Columns", "nothing")
	b.click("button", "Set the gate")
	b.see("nothing")
	b.fill("Columns", "city")
	b.click("button", "Set the gate")
	b.see("The gate placed is set")
	b.click("button", "Check the newest state")
	b.see("failed")

	b.click("button", "Add a variable")
	b.fill("Variable’s name", "grade")
	b.fill("Type", "INTEGER")
	b.click("button", "Add the variable")
	b.see("The variable grade is added")
	b.accessible()
	b.size(390, 844)
	b.narrowEnough()
	b.size(1280, 900)

	b.click("button", "Delete the dataset…")
	b.fill("Its name", t.Name())
	if !b.disabled("Delete it") {
		t.Error("another name deletes it")
	}
	b.fill("Its name", b.text("dialog strong"))
	b.click("button", "Delete it")
	b.see("is deleted.")
	b.click("button", "Undelete")
	b.see("is back.")
	s.ask(t, "GET", "/api/v1/datasets/"+dataset, "", "", nil)
}

// A reader sees the settings and changes nothing.
func TestAReaderIsNotOfferedToChangeSettings(t *testing.T) {
	s := closed(t)
	dataset := s.create(t, "", `[{"city":"Rome"}]`)
	b := visit(t, s, "/datasets/"+dataset+"/settings")
	b.logIn(s.user(t, "reader", "*"))
	b.see("takes the role maintainer")
	b.see("city")
	for _, action := range []string{"Save", "Set the retention", "Add a gate", "Add a variable", "Delete the dataset…"} {
		if b.has("button", action) {
			t.Errorf("a reader is offered %q", action)
		}
	}
}

// disabled reports whether the button with a name can't be pressed.
func (b *tab) disabled(name string) bool {
	b.t.Helper()
	var at *spot
	b.call("spot", &at, "button", name)
	return at != nil && at.Why == "disabled"
}

func TestStatesAreNamedAndForked(t *testing.T) {
	s := demo(t)
	id := s.create(t, `"key":["id"]`, `[{"id":1,"n":3}]`)
	b := visit(t, s, "/datasets/"+id+"/settings")
	b.choose("Name the head with a", "tag")
	b.fill("Tag", "kept")
	b.click("button", "Make the tag")
	b.see("The tag is made.")
	b.click("button", "Remove the tag kept")
	b.see("The tag kept is removed.")
	b.choose("Name the head with a", "version")
	b.choose("Next number", "major")
	b.click("button", "Make the version")
	b.see("The version is made.")
	b.fill("Name of the fork", t.Name())
	b.click("button", "Fork")
	b.see(t.Name() + " is forked from")
	b.see("fork of its upstream")
}
