package browser

import "testing"

func TestAPersonSearchesTheDatasets(t *testing.T) {
	b := visit(t, demo(t), "/")
	b.see("my_dataset")
	b.accessible()
	b.fill("Search", "penguin season")
	b.gone("my_dataset")
	b.see("penguins")
	b.at("q=penguin")
	b.reload()
	b.see("penguins")
	if b.sees("my_dataset") {
		t.Error("the search is not kept by the address")
	}
	b.size(360, 740)
	b.goTo("/")
	b.see("my_dataset")
	b.accessible()
}

func TestAPersonMakesADatasetOfAFile(t *testing.T) {
	b := visit(t, demo(t), "/")
	b.see("New dataset")
	name := "dropped"
	b.drop("#drop", name+".csv", "text/csv", "id;score;kind\n1;0.5;a\n1;0.7;b\n3;;a\n")
	b.at("/new")
	b.see("Records have the same key (id)") // the suggestion does not fit the file
	b.click("checkbox", "Key: id")
	b.see("Add 3 records with 3 columns")
	b.see("which the server assigns")
	b.accessible()
	b.click("button", "Create and commit")
	b.see(name + " is created with 3 records.")
	b.at("/datasets/")

	b.goTo("/new")
	b.drop("#drop", name+".csv", "text/csv", "id\n1\n")
	b.see("already") // the name is taken
	b.fill("Name", "not "+name)
	b.see("Add 1 record with 1 column")
	b.drop("#drop", "bad.ndjson", "", "{\"a\":")
	b.see("This did not work")
	var disabled bool
	b.eval("document.querySelector('button[type=submit]').disabled", &disabled)
	if !disabled {
		t.Error("a file that can't be read can be committed")
	}
}

func TestAReaderIsNotOfferedANewDataset(t *testing.T) {
	s := closed(t)
	b := visit(t, s, "/")
	b.logIn(s.user(t, "reader", "*"))
	b.see("my_dataset")
	if b.sees("New dataset") {
		t.Error("a reader is offered to make a dataset")
	}
}
