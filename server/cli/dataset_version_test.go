package cli

import (
	"strings"
	"testing"
)

// The commands of seed 000 say what its document says.
func TestVersionsAreListedComparedAndNamed(t *testing.T) {
	for _, c := range []struct {
		line, request, answer, asked, printed string
	}{
		{"list-versions --all", "GET " + versionsPath,
			`200 {"versions":[{"version":"1.0.0","total_entries":3,"is_active":false,"created_at":"then"}],"total":1}`,
			"GET " + versionsPath + "?active_only=false&dataset_name=x&project_id=2",
			"VERSION  ENTRIES  ACTIVE  CREATED  DESCRIPTION\n1.0.0    3        false   then     \n"},
		{"list-versions --digests", "GET " + versionsPath,
			`200 {"versions":[{"version":"1.0.0","total_entries":3,"is_active":true,"digest":"v1:7"}],"total":1}`,
			"GET " + versionsPath + "?active_only=true&dataset_name=x&digests=true&project_id=2",
			"VERSION  ENTRIES  ACTIVE  CREATED  DESCRIPTION  DIGEST\n1.0.0    3        true                          v1:7\n"},
		{"compare-versions --version1 1.0.0 --version2 1.0.1", "POST " + versionsPath + "/compare",
			`200 {"comparison":{"entries_added":1},"summary":"One more."}`,
			"POST " + versionsPath + `/compare {"dataset_name":"x","project_id":2,"version1":"1.0.0","version2":"1.0.1"}`,
			"One more.\nFROM 1.0.0            TO 1.0.1\nentries added         1\n"},
		{"rollback --target-version 1.0.0", "POST " + versionsPath + "/rollback", `200 {"message":"Done."}`,
			"POST " + versionsPath + `/rollback {"dataset_name":"x","project_id":2,"target_version":"1.0.0"}`, "Done.\n"},
		{"increment-version --version-type auto --force", "POST " + versionsPath + "/increment",
			`200 {"message":"Version incremented to 1.0.1"}`,
			"POST " + versionsPath + `/increment {"dataset_name":"x","description":"","force":true,"project_id":2,` +
				`"ref":"head","version_type":"auto"}`, "Version incremented to 1.0.1\n"},
	} {
		s, out, failed, code := rowback(t, "dataset-version "+c.line+" --project-id 2 --dataset-name x",
			map[string][]string{c.request: {c.answer}})
		if code != 0 || len(s.asked) != 1 || s.asked[0] != c.asked || !strings.HasPrefix(out, c.printed) {
			t.Errorf("%s: %d, %s; asked %q, printed\n%s", c.line, code, failed, s.asked, out)
		}
	}
}
