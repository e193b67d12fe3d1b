package host

import (
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"
)

func TestAPreferenceIsFoundByItsName(t *testing.T) {
	for header, want := range map[string]bool{
		"":                                    false,
		"respond-async":                       true,
		"Respond-Async":                       true,
		" respond-async\t":                    true,
		"return=minimal, respond-async":       true,
		"respond-async, wait=10":              true,
		"respond-async; foo=bar":              true,
		"respond-async;":                      true,
		"respond-async=":                      true,
		`respond-async=""`:                    true,
		"respond-async = ":                    true,
		"respond-async=no":                    false,
		"no-respond-async":                    false,
		"respond-asynchronously":              false,
		"x-respond-async-later":               false,
		"return=respond-async":                false,
		"handling=lenient; respond-async":     false,
		`note="later, respond-async"`:         false,
		`note="a \", respond-async"`:          false,
		`note="a \\", respond-async`:          true,
		`note="; x", respond-async; a="b, c"`: true,
		`note="a \" , respond-async, "`:       false,
		"respond-async=no, respond-async":     false,
		"respond-async, respond-async=no":     true,
		`note="never closed, respond-async`:   false,
		", ,respond-async":                    true,
		"wait=10 respond-async":               false,
		"respond-async wait=10":               false,
	} {
		if got := Prefers(header, "respond-async"); got != want {
			t.Errorf("%s: %t, want %t", header, got, want)
		}
	}
}

func TestAHeaderThatIsSentSeveralTimesIsOneList(t *testing.T) {
	for _, c := range []struct {
		sent []string
		want string
	}{
		{nil, ""},
		{[]string{"wait=10"}, "wait=10"},
		{[]string{"wait=10", "respond-async"}, "wait=10, respond-async"},
	} {
		app := New(Options{}).App(posted(func(ctx *fiber.Ctx) error {
			if got := Header(ctx, "Prefer"); got != c.want {
				t.Errorf("%q: %q", c.sent, got)
			}
			return nil
		}))
		request := httptest.NewRequest("POST", "/", nil)
		for _, line := range c.sent {
			request.Header.Add("Prefer", line)
		}
		if _, err := app.Test(request, -1); err != nil {
			t.Fatal(err)
		}
	}
}
