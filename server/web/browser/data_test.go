package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestAPersonReadsRecords(t *testing.T) {
	s := demo(t)
	id := s.create(t, `"key":["id"]`, `[{"id":1,"city":"Oslo","n":3},{"id":2,"city":"Rome","n":9},{"id":3,"city":null,"n":5}]`)
	second := s.commit(t, id, "upsert", `[{"id":2,"city":"Nara"}]`)
	b := visit(t, s, "/datasets/"+id)
	b.see("3 records, 3 columns")
	b.see("Nara")
	b.accessible()

	b.click("button", "n")
	b.at("sort=-n")
	b.until("the records are not sorted", func() bool {
		text := b.text("tbody")
		_, after, found := strings.Cut(text, "Nara")
		return found && strings.Contains(after, "Oslo")
	})

	b.choose("Column", "city")
	b.choose("Condition", "is")
	b.fill("Value", "Nara")
	b.press(kb.Enter)
	b.see("1 record selected")
	b.gone("Oslo")
	b.fill("Filter as SQL", "nonsense >")
	b.press(kb.Enter)
	b.see("The SQL can't be parsed")
	b.click("button", "Clear")
	b.see("Oslo")

	b.click("button", "Statistics of city")
	b.see("Without a value")
	b.see("33.3 %")
	b.accessible()
	b.escape()
	b.gone("Without a value")

	b.click("button", "2")
	b.see("History of the record 2")
	b.see("Rome")
	b.see(fmt.Sprint("commit ", second))
	b.accessible()
	b.escape()

	b.fill("At", fmt.Sprint(second-1))
	b.press(kb.Enter)
	b.see("Rome")
	b.at(fmt.Sprint("ref=", second-1))
	b.back()
	b.see("Nara")

	b.click("link", fmt.Sprint(second))
	b.at(fmt.Sprintf("/datasets/%s/commits/%d", id, second))
}

// What a record says stays text, in its cell, however wide or long it is.
func TestRecordsStayInTheirCells(t *testing.T) {
	s := demo(t)
	columns := make([]string, 2000)
	for i := range columns {
		columns[i] = fmt.Sprintf(`"c%d":%d`, i, i)
	}
	wide := s.create(t, `"key":["c0"]`, "[{"+strings.Join(columns, ",")+"}]")
	b := visit(t, s, "/datasets/"+wide)
	b.see("1 record, 2,000 columns")
	b.until("the records do not appear", func() bool { return b.has("button", "Statistics of c3") })
	var cells int
	b.eval("document.querySelectorAll('td, th').length", &cells)
	if cells > 300 {
		t.Errorf("%d cells are made for 2,000 columns", cells)
	}
	b.eval("document.querySelector('[role=region]').scrollLeft = 1e9", nil)
	b.until("the last column does not appear", func() bool { return b.has("button", "Statistics of c1999") })
	b.narrowEnough()
	// The key stays in sight, wherever one has scrolled to, also where there is little room.
	for _, width := range []int64{1280, 390} {
		b.size(width, 844)
		var isSeen bool
		b.eval(`(() => {
			const key = document.querySelector('td.key').getBoundingClientRect()
			const grid = document.querySelector('[role=region]').getBoundingClientRect()
			return key.left >= grid.left && key.right <= grid.right && key.width < grid.width / 2
		})()`, &isSeen)
		if !isSeen {
			t.Errorf("at a width of %d, the key is out of sight", width)
		}
	}
	b.size(1280, 900)

	evil := `<img src=x onerror=document.title='run'><script>document.title='run'</script>`
	text := s.create(t, `"key":["id"]`, fmt.Sprintf(`[{"id":1,"a":%q,"b":"x\u202ey\u0000z","c":%q}]`, evil,
		strings.Repeat("long ", 200_000)))
	b.goTo("/datasets/" + text)
	b.see("<img src=x")
	b.see("…")
	b.size(360, 740)
	b.accessible()
	var title string
	b.eval("document.title", &title)
	if title == "run" {
		t.Error("a value was executed")
	}
}

// Whatever a page of a dataset asks for after someone deleted it, the page says so, and leads back to the others.
func TestADatasetIsDeletedWhileBeingViewed(t *testing.T) {
	s := demo(t)
	id := s.create(t, `"key":["id"]`, `[{"id":1,"city":"Oslo"}]`)
	last := s.commit(t, id, "upsert", `[{"id":1,"city":"Rome"}]`)
	of := "/datasets/" + id
	b := visit(t, s, "/")
	for _, step := range []struct {
		page, kind, name string
		act              func()
	}{
		{of, "button", "city", nil},
		{of, "link", "History", nil},
		{of, "link", "Compare", nil},
		{of, "link", "Trend", nil},
		{of, "link", "Proposals", nil},
		{of + "/settings", "button", "Save", func() { b.fill("Description", "x") }},
		{of + "/settings", "button", "Make the version", nil},
		{fmt.Sprintf("%s/commits/%d/rollback", of, last), "button", "Roll back commit", nil},
		{of + "/restore?ref=head~1", "button", "Restore", nil},
		{of + "/compare?from=head~1&to=head", "button", "Comment", func() { b.fill("Your comment", "x") }},
	} {
		b.goTo(step.page)
		b.settled()
		if step.act != nil {
			step.act()
		}
		s.ask(t, "DELETE", "/api/v1/datasets/"+id, "", "", nil)
		b.click(step.kind, step.name)
		b.see("Not found")
		b.until("nothing says that it was deleted", func() bool {
			return b.sees("was deleted") || b.sees("may have been deleted") // a version is made by the dataset's name
		})
		s.ask(t, "POST", "/api/v1/datasets/"+id+"/undelete", "application/json", "{}", nil)
	}
	b.click("link", "Datasets")
	b.see("my_dataset")
}
