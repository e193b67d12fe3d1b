package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// hostile is text that would do something if it were anything but text.
var hostile = map[string]string{
	"markup":  `<img src=x onerror="window.__hit=1"><script>window.__hit=1</script>`,
	"link":    `javascript:window.__hit=1`,
	"formula": `{{constructor.constructor('window.__hit=1')()}}`,
	"turned":  "abc\u202edcba\u2066",
	"control": "a\u0000b\u001b[31mc\nd\u0007",
	"hebrew":  "שלום עולם",
	"long":    strings.Repeat("w", 5000),
}

// harmless fails the test if hostile text did something, or is outside of its place.
func (b *tab) harmless() {
	b.t.Helper()
	var wrong []string
	b.eval(`(() => {
		const wrong = []
		if (window.__hit) wrong.push('a script ran')
		if (document.querySelector('img[src="x"], a[href^="javascript:"]')) wrong.push('text became an element')
		if (document.querySelector('main script')) wrong.push('text became a script')
		for (const cell of document.querySelectorAll('main .grid td:not([aria-hidden]), main .grid th')) {
			if (getComputedStyle(cell).overflow !== 'hidden' && cell.scrollWidth > cell.clientWidth + 1) {
				wrong.push('outside of its cell: ' + cell.innerText.slice(0, 60))
			}
		}
		return wrong
	})()`, &wrong)
	for _, w := range wrong {
		b.t.Errorf("%s: %s", b.url(), w)
	}
	b.narrowEnough()
}

// hostileDataset makes a dataset of hostile names and values, and returns its id and its name.
func hostileDataset(t *testing.T, s *server) (id, name string) {
	t.Helper()
	record := map[string]any{"id": 1}
	for column, value := range hostile {
		record[column] = value
	}
	record[hostile["markup"]] = hostile["markup"]
	record["\u202eטבלה"] = map[string]any{"<b>": []string{hostile["markup"]}}
	text, err := json.Marshal([]any{record})
	if err != nil {
		t.Fatal(err)
	}
	name = `<img src=x onerror="window.__hit=1"> שלום`
	body, err := json.Marshal(map[string]any{
		"name": name, "key": []string{"id"}, "description": hostile["markup"] + hostile["turned"],
		"metadata": map[string]string{hostile["markup"]: hostile["markup"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	s.ask(t, "POST", "/api/v1/datasets", "application/json", string(body), &made)
	t.Cleanup(func() { s.ask(t, "DELETE", "/api/v1/datasets/"+made.ID, "", "", nil) })
	s.commit(t, made.ID, "append", string(text))
	return made.ID, name
}

func TestHostileTextStaysText(t *testing.T) {
	s := demo(t)
	id, name := hostileDataset(t, s)
	b := visit(t, s, "/")
	b.see(name)
	b.harmless()
	for _, page := range []string{"", "/history", "/compare?from=head&to=head", "/trend", "/proposals", "/settings"} {
		b.goTo("/datasets/" + id + page)
		b.see(name)
		b.harmless()
	}
	for _, section := range []string{"rules", "upkeep", "audit"} {
		b.goTo("/admin/" + section)
		b.until("the dataset is not listed", func() bool { return strings.Contains(b.text("main"), "<img") })
		b.harmless()
	}
	for _, width := range []int64{1280, 360} {
		b.size(width, 900)
		b.goTo(sqlPage(fmt.Sprintf(`SELECT * FROM "%s"`, id), ""))
		b.see("1 record in")
		b.harmless()
		b.until("the direction is not shown", func() bool {
			b.eval("document.querySelector('.grid').scrollBy(300, 0)", nil)
			return b.sees("⟨U+202E⟩")
		})
		b.harmless()
	}
	b.click("summary", name)
	b.until("the columns do not come", func() bool { return b.has("button", "control") })
	b.harmless()
}

func TestLargeValuesAreShownPieceByPiece(t *testing.T) {
	statement := `SELECT repeat('<b>x', 250000) AS large, NULL AS "none", '' AS "blank", [1, NULL] AS list FROM range(3)`
	b := visit(t, demo(t), sqlPage(statement, ""))
	b.see("3 records in")
	b.see("null")
	b.see("empty")
	b.see("[1, null]")
	var size int
	b.eval("document.body.innerText.length", &size)
	if size > 5000 {
		t.Errorf("the page has %d characters", size)
	}
	b.click("button", "Show the whole value of large")
	b.see("1,000,000 characters")
	b.accessible()
	b.click("button", "Show more")
	b.see("880,000 are left")
	b.click("button", "Close")
	b.gone("880,000 are left")
}

func TestTwoThousandColumnsStayUsable(t *testing.T) {
	s := demo(t)
	var record strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&record, `,"column_%d":%d`, i, i)
	}
	id := s.create(t, `"key":["id"]`, `[{"id":1`+record.String()+`},{"id":2`+record.String()+`}]`)
	t.Cleanup(func() { s.ask(t, "DELETE", "/api/v1/datasets/"+id, "", "", nil) })
	for _, page := range []string{sqlPage(`SELECT * FROM "`+id+`"`, ""), "/datasets/" + id} {
		b := visit(t, s, page)
		b.see("column_3")
		var shown int
		b.eval("document.querySelectorAll('main th').length", &shown)
		if shown > 100 {
			t.Errorf("%s: %d headings were made for what is seen", page, shown)
		}
		b.until("the last column does not appear", func() bool {
			b.eval("document.querySelector('main .grid')?.scrollTo(1e7, 0)", nil)
			return b.sees("column_1999")
		})
		b.narrowEnough()
	}
}
