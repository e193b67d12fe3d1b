package crunch

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// one is a face with one handler.
type one func(c *fiber.Ctx) error

func (f one) Mount(app *fiber.App) { app.All("/*", fiber.Handler(f)) }

// handled passes one request to a function.
func handled(t *testing.T, target, body string, handle func(*Face, *fiber.Ctx)) {
	t.Helper()
	h := host.New(host.Options{})
	app := h.App(one(func(c *fiber.Ctx) error {
		handle(&Face{host: h}, c)
		return nil
	}))
	if _, err := app.Test(httptest.NewRequest("POST", target, strings.NewReader(body)), -1); err != nil {
		t.Fatal(err)
	}
}

// sent is the fields of a body.
type sent struct {
	Name   string   `json:"name"`
	Count  int      `json:"count"`
	Share  float64  `json:"share"`
	On     bool     `json:"on"`
	List   []string `json:"list"`
	Nested struct {
		Deep string `json:"deep"`
	} `json:"nested"`
	Archived *bool `json:"archived"`
}

func TestABodyIsReadWithAndWithoutItsEntity(t *testing.T) {
	for _, text := range []string{
		`{"name":"a"}`, `{"body":{"name":"a"}}`, `{"element":"shoji:entity","body":{"name":"a"}}`,
		`{"name":"a","body":{}}`, `{"name":"a","body":null}`, ` {"name":"a","unknown":1} `,
	} {
		handled(t, "/", text, func(f *Face, c *fiber.Ctx) {
			var in sent
			if err := f.readBody(c, &in); err != nil || in.Name != "a" {
				t.Errorf("%s: %+v, %v", text, in, err)
			}
		})
	}
	for _, text := range []string{"", " \n"} {
		handled(t, "/", text, func(f *Face, c *fiber.Ctx) {
			in := sent{Name: "before"}
			if err := f.readBody(c, &in); err != nil || in.Name != "before" {
				t.Errorf("%q: %+v, %v", text, in, err)
			}
		})
	}
}

func TestABodysFieldOfAnotherTypeIsRefusedByName(t *testing.T) {
	for text, want := range map[string][2]string{
		`{"name":1}`:              {"name", "must be a string, not number"},
		`{"count":"x"}`:           {"count", "must be an integer, not string"},
		`{"count":1.5}`:           {"count", "must be an integer, not number"},
		`{"share":true}`:          {"share", "must be a number, not bool"},
		`{"on":"yes"}`:            {"on", "must be true or false, not string"},
		`{"list":"a"}`:            {"list", "must be a list, not string"},
		`{"nested":[]}`:           {"nested", "must be an object, not array"},
		`{"nested":{"deep":1}}`:   {"nested.deep", "must be a string, not number"},
		`{"body":{"name":[]}}`:    {"name", "must be a string, not array"},
		`[1]`:                     {"the body", "must be a JSON object, not array"},
		`{"body":"a","name":"b"}`: {"body", "must be a JSON object, not string"},
	} {
		handled(t, "/", text, func(f *Face, c *fiber.Ctx) {
			var in sent
			refusedField(t, text, f.readBody(c, &in), want[0], want[1])
		})
	}
}

func TestABodyThatIsNotJSONIsMalformed(t *testing.T) {
	for _, text := range []string{`{`, `{"name":"a"} x`, "\x00", `{"nested":` + strings.Repeat("[", 100_000)} {
		handled(t, "/", text, func(f *Face, c *fiber.Ctx) {
			var in sent
			if err := f.readBody(c, &in); storage.Explain(err).Kind != fault.Malformed {
				t.Errorf("%.40q: %v", text, err)
			}
		})
	}
}

func TestABodyLargerThanItsLimitIsRefused(t *testing.T) {
	for size, refused := range map[int]bool{100: false, 101: true} {
		text := `{"name":"` + strings.Repeat("x", size-11) + `"}`
		handled(t, "/", text, func(f *Face, c *fiber.Ctx) {
			var in sent
			if err := f.readUpTo(c, 100, &in); (err != nil) != refused {
				t.Errorf("%d bytes: %v", len(text), err)
			}
		})
	}
}

func TestACountIsAWholeNumberThatIsNotNegative(t *testing.T) {
	for text, want := range map[string]int64{
		"": 7, "?n=": 7, "?n=0": 0, "?n=12": 12, "?n=9223372036854775807": 1<<63 - 1,
	} {
		handled(t, "/"+text, "", func(_ *Face, c *fiber.Ctx) {
			if got, err := queryInt(c, "n", 7); err != nil || got != want {
				t.Errorf("%s: %d, %v", text, got, err)
			}
		})
	}
	for _, text := range []string{"-1", "1.5", "x", "9223372036854775808"} {
		handled(t, "/?n="+text, "", func(_ *Face, c *fiber.Ctx) {
			_, err := queryInt(c, "n", 7)
			refusedField(t, text, err, "n", "0 or greater")
		})
	}
}

// A time means all moments that it may stand for: a day means all of it.
func TestATimeHasAFirstAndALastMoment(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for text, want := range map[string][2]string{
		"2026-01-31":                    {"2026-01-31T00:00:00Z", "2026-01-31T23:59:59.999999Z"},
		"2026-01-31T10:00:00":           {"2026-01-31T10:00:00Z", "2026-01-31T10:00:00.999999Z"},
		"2026-01-31T10:00:00Z":          {"2026-01-31T10:00:00Z", "2026-01-31T10:00:00.999999Z"},
		"2026-01-31T10:00:00.25Z":       {"2026-01-31T10:00:00.25Z", "2026-01-31T10:00:00.25Z"},
		"2026-01-31T10:00:00+01:00":     {"2026-01-31T09:00:00Z", "2026-01-31T09:00:00.999999Z"},
		"2026-01-31T10:00:00%2B01:00":   {"2026-01-31T09:00:00Z", "2026-01-31T09:00:00.999999Z"},
		"2026-01-31T10:00:00.5%2B01:00": {"2026-01-31T09:00:00.5Z", "2026-01-31T09:00:00.5Z"},
	} {
		handled(t, "/?at="+text, "", func(_ *Face, c *fiber.Ctx) {
			first, last, err := queryTime(c, "at")
			if err != nil || !first.Equal(at(want[0])) || !last.Equal(at(want[1])) {
				t.Errorf("%s: %s to %s, %v", text, first, last, err)
			}
		})
	}
	for _, text := range []string{"yesterday", "2026-13-01", "2026-01-31T25:00:00", "1769853600"} {
		handled(t, "/?at="+text, "", func(_ *Face, c *fiber.Ctx) {
			_, _, err := queryTime(c, "at")
			refusedField(t, text, err, "at", "must be a time")
		})
	}
	handled(t, "/", "", func(_ *Face, c *fiber.Ctx) {
		if first, last, err := queryTime(c, "at"); err != nil || !first.IsZero() || !last.IsZero() {
			t.Errorf("no time: %s to %s, %v", first, last, err)
		}
	})
}

func TestAPageIsAllRecordsUnlessItIsSmaller(t *testing.T) {
	for query, want := range map[string]page{
		"": {maxCells, 0}, "?limit=10": {10, 0}, "?offset=5": {maxCells, 5}, "?limit=0&offset=1": {0, 1},
	} {
		handled(t, "/"+query, "", func(_ *Face, c *fiber.Ctx) {
			if got, err := pageOf(c); err != nil || got != want {
				t.Errorf("%s: %+v, %v", query, got, err)
			}
		})
	}
}

func TestActionsAreFilteredAsAsked(t *testing.T) {
	handled(t, "/?user=eva&sort=-user&key=Dataset.append&since=2026-01-01&until=2026-01-02", "",
		func(_ *Face, c *fiber.Ctx) {
			got, err := actionFilter(c)
			day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			if err != nil || got.User != "eva" || got.Sort != "-user" || len(got.Keys) != 1 || !got.Since.Equal(day) ||
				!got.Until.Equal(day.Add(48*time.Hour-time.Microsecond)) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	handled(t, "/?datetime=2026-01-01", "", func(_ *Face, c *fiber.Ctx) {
		if got, err := actionFilter(c); err != nil || got.Until.Sub(got.Since) != 24*time.Hour-time.Microsecond {
			t.Errorf("a day: %+v, %v", got, err)
		}
	})
	handled(t, "/?sort=hash", "", func(_ *Face, c *fiber.Ctx) {
		_, err := actionFilter(c)
		refusedField(t, "sort=hash", err, "sort", "must be datetime")
	})
}
