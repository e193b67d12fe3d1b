package cli

import (
	"strings"
	"testing"
)

const hookAnswer = `{"id":"whk_1","url":"https://example.com/x","kinds":["commit.created"],"project_id":7,` +
	`"dataset_id":null,"enabled":true,"failures":0}`

func TestTheWebhookCommands(t *testing.T) {
	made := strings.Replace(hookAnswer, `"id"`, `"secret":"whsec_s","id"`, 1)
	off := strings.Replace(hookAnswer, `"enabled":true`, `"enabled":false`, 1)
	failing := strings.NewReplacer(`"failures":0`, `"failures":2`, `["commit.created"]`, `[]`).Replace(hookAnswer)
	for _, c := range []struct {
		line, request, answer, asked, out, err string
	}{
		{"webhook create https://example.com/x --kind commit.created --project-id 7", "POST /api/v1/webhooks",
			"201 " + made, `POST /api/v1/webhooks {"dataset":"","description":"","kinds":["commit.created"],"project_id":7,` +
				`"url":"https://example.com/x"}`,
			"webhook whk_1\nsecret whsec_s\nThe secret is not shown again.\n", ""},
		{"webhook create https://example.com/x --dataset people", "POST /api/v1/webhooks", "201 " + made,
			`POST /api/v1/webhooks {"dataset":"people","description":"","kinds":null,"url":"https://example.com/x"}`,
			"webhook whk_1\nsecret whsec_s\nThe secret is not shown again.\n", ""},
		{"webhook list", "GET /api/v1/webhooks",
			`200 {"webhooks":[` + hookAnswer + "," + off + "," + failing + `]}`,
			"GET /api/v1/webhooks", `WEBHOOK  PROJECT  DATASET  TYPES           STATE     URL
whk_1    7        all      commit.created  enabled   https://example.com/x
whk_1    7        all      commit.created  disabled  https://example.com/x
whk_1    7        all      all             failing   https://example.com/x
`, ""},
		{"webhook edit whk_1 --no-enabled -m off", "PATCH /api/v1/webhooks/whk_1", "200 " + off,
			`PATCH /api/v1/webhooks/whk_1 {"description":"off","enabled":false}`,
			"webhook whk_1 is disabled: commit.created to https://example.com/x\n", ""},
		{"webhook edit whk_1 --kind all --url https://example.com/y", "PATCH /api/v1/webhooks/whk_1", "200 " + failing,
			`PATCH /api/v1/webhooks/whk_1 {"kinds":[],"url":"https://example.com/y"}`,
			"webhook whk_1 is failing: all to https://example.com/x\n", ""},
		{"webhook edit whk_1", "PATCH /api/v1/webhooks/whk_1", "200 " + off, "", "",
			"rowback: what is to change? See rowback webhook edit --help\n"},
		{"webhook delete whk/1", "DELETE /api/v1/webhooks/whk%2F1", "204 ", "DELETE /api/v1/webhooks/whk%2F1",
			"webhook whk/1 is removed\n", ""},
		{"webhook test whk_1", "POST /api/v1/webhooks/whk_1/test", `200 {"delivered":true,"status":204,"seconds":0.1}`,
			"POST /api/v1/webhooks/whk_1/test {}", "delivered: the receiver answered 204\n", ""},
		{"webhook test whk_1", "POST /api/v1/webhooks/whk_1/test",
			`200 {"delivered":false,"status":null,"problem":"The receiver refused the connection.","seconds":0.1}`,
			"POST /api/v1/webhooks/whk_1/test {}", "", "rowback: not delivered: The receiver refused the connection.\n"},
	} {
		s, out, errors, code := rowback(t, c.line, map[string][]string{c.request: {c.answer}})
		if strings.Join(s.asked, "\n") != c.asked || out != c.out || errors != c.err || (code != 0) != (c.err != "") {
			t.Errorf("%s: %d\n%s\n%s%s", c.line, code, s.asked, out, errors)
		}
	}
}
