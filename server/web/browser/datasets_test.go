package browser

import (
	"strings"
	"testing"
)

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

// The list is sorted by the server, by size too.
func TestAPersonSortsTheDatasets(t *testing.T) {
	b := visit(t, demo(t), "/datasets?sort=bytes")
	b.see("my_dataset")
	b.click("link", "Size")
	b.at("sort=-bytes")
	b.until("the largest dataset is not the first", func() bool {
		var sizes []string
		b.eval("[...document.querySelectorAll('tbody tr td:nth-of-type(2)')].map((c) => c.innerText)", &sizes)
		return len(sizes) > 1 && strings.HasSuffix(sizes[0], "kB")
	})
	b.size(390, 844)
	b.accessible()
}

// Of a large file, the beginning is sent to see what is in it.
func TestAPreviewDoesNotSendAWholeLargeFile(t *testing.T) {
	b := visit(t, demo(t), "/new")
	b.see("New dataset")
	b.eval(`(() => {
		window.sent = []
		const send = XMLHttpRequest.prototype.send
		XMLHttpRequest.prototype.send = function (body) { sent.push(body.size); return send.call(this, body) }
		const line = "1234567,Oslo,0.5\n"
		const file = new File(["number,city,score\n", line.repeat(600_000)], "large file.csv", { type: "text/csv" })
		const data = new DataTransfer()
		data.items.add(file)
		document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }))
	})()`, nil)
	b.see("Only the beginning of the file was read, 8.0 MB")
	b.see("the file's records with 3 columns")
	var most int
	b.eval("Math.max(...sent)", &most)
	if most == 0 || most > 8_000_000 {
		t.Errorf("%d bytes were sent for the preview", most)
	}
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
