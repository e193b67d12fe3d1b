package browser

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// sqlPage is the address of a statement, with further parameters such as view=chart.
func sqlPage(statement, more string) string {
	return "/sql?sql=" + url.QueryEscape(statement) + "&" + more
}

// write writes a statement in place of what is in the editor, and runs it.
func (b *tab) write(statement string) {
	b.t.Helper()
	b.focus("SQL statement")
	b.run(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(kb.Delete))
	b.press(statement)
	b.press(kb.Escape) // completion would take the next key
	b.run(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

// marked returns what the editor marks as wrong.
func (b *tab) marked() string {
	b.t.Helper()
	var text string
	b.eval(`document.querySelector('.editor')?.shadowRoot.querySelector('.cm-wrong')?.textContent ?? ''`, &text)
	return text
}

func TestStatementsAreRunAndCorrected(t *testing.T) {
	b := visit(t, demo(t), "/sql")
	b.see("No result yet")
	b.accessible()
	b.write("SELECT idd FROM employees")
	b.see("Line 1, column 8")
	b.until("the wrong column is not marked", func() bool { return b.marked() == "idd" })
	b.write("SELECT id, city FROM employees ORDER BY id")
	b.see("9 records in")
	b.see("Lagos")
	b.gone("Line 1, column 8")
	if mark := b.marked(); mark != "" {
		t.Errorf("%q is still marked", mark)
	}
	b.at("sql=SELECT+id%2C+city")
	b.accessible()
	b.reload()
	b.see("9 records in")
	b.back()
	b.see("Line 1, column 8")
	b.size(360, 740)
	b.goTo(sqlPage("SELECT * FROM employees", ""))
	b.see("9 records in")
	b.accessible()

	b.click("link", "History")
	b.see("SELECT id, city FROM employees ORDER BY id")
	b.click("button", "Clear")
	b.see("No statements yet")
}

func TestNamesAreCompleted(t *testing.T) {
	b := visit(t, demo(t), "/sql")
	b.see("my_dataset") // the tables have been read
	option := func(name string) {
		t.Helper()
		b.until("there is no completion "+name, func() bool { return b.has("option", name) })
	}
	b.focus("SQL statement")
	b.press("SELECT * FROM my_d")
	option("my_dataset")
	b.press(kb.Escape + "ataset WHERE qual")
	option("quality_score")
	b.press(kb.Escape)
	b.press(` UNION FROM "my_dataset@`)
	option("1.0.1")
}

func TestAResultIsDrawn(t *testing.T) {
	statement := `SELECT category, count(*) AS n FROM "my_dataset@1.0.1" GROUP BY ALL`
	b := visit(t, demo(t), sqlPage(statement, "view=chart"))
	b.see("5 points: n from")
	var drawn bool
	b.eval(`(() => {
		const c = document.querySelector('.uplot canvas')
		return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)
	})()`, &drawn)
	if !drawn {
		t.Error("the chart is empty")
	}
	b.choose("As", "Points")
	b.at("kind=points")
	b.accessible()
	two := `SELECT id, 1/3.0::DOUBLE AS third, quality_score FROM "my_dataset@1.0.1" ORDER BY id LIMIT 50`
	b.goTo(sqlPage(two, "view=chart&x=id&y=third"))
	b.see("third from 0.3333333333333333 to 0.3333333333333333")
	b.choose("And", "quality_score")
	b.see("; quality_score from")
	b.click("button", "Leave out third")
	b.at("y=quality_score")
	b.goTo(sqlPage("SELECT name FROM employees", "view=chart"))
	b.see("No column of numbers")
}

func TestAResultIsCutAndDownloadedWhole(t *testing.T) {
	b := visit(t, demo(t), sqlPage("SELECT range AS n FROM range(20000)", ""))
	b.see("Only the first 10,000 records are shown")
	dir := t.TempDir()
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.click("link", "CSV")
	b.until("the file does not come", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "result.csv"))
		return strings.Count(string(text), "\n") == 20001
	})
	for _, format := range []string{"Parquet", "Arrow", "NDJSON", "JSON"} {
		var status int
		b.eval(fmt.Sprintf(`fetch([...document.querySelectorAll('a[download]')].find((a) => a.innerText === %q).href)
			.then((r) => r.status)`, format), &status)
		if status != 200 {
			t.Errorf("%s: %d", format, status)
		}
	}
}

func TestAStatementIsCancelled(t *testing.T) {
	b := visit(t, demo(t), sqlPage("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b", ""))
	b.see("Running for")
	b.click("button", "Cancel")
	b.see("Cancelled.")
	b.write("SELECT 40 + 2 AS answer")
	b.see("1 record in")
}

// What a page offers for a terminal is run there.
func TestProgramsRunWhatTheyShow(t *testing.T) {
	statement := `SELECT 'it''s' AS "a\b", count(*) AS n FROM "employees@3"`
	b := visit(t, demo(t), sqlPage(statement, "view=programs"))
	shown := func(tool string) string {
		t.Helper()
		b.click("radio", tool)
		b.until("no program for "+tool, func() bool { return b.has("any", "Program for "+tool) })
		return b.text("pre")
	}
	check := func(out []byte, err error) {
		t.Helper()
		if err != nil || !strings.Contains(string(out), `a\b`) || !strings.Contains(string(out), "8") {
			t.Errorf("%v: %s", err, out)
		}
	}
	check(exec.Command("bash", "-c", shown("curl")).CombinedOutput())

	// The gate names a Python that has the libraries.
	python := os.Getenv("ROWBACK_PYTHON")
	if python == "" {
		t.Log("the programs in Python are not run: $ROWBACK_PYTHON names none")
		return
	}
	for _, tool := range []string{"pandas", "polars", "DuckDB"} {
		check(exec.Command(python, "-c", shown(tool)).CombinedOutput())
	}
}
