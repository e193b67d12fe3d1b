package cli

import (
	"slices"
	"testing"
)

func TestPlacesOfACopy(t *testing.T) {
	const hosts = "postgres://a:1,b:2/db?x=y"
	for text, want := range map[string][]string{
		"data":                                {"data", "", ""},
		"/srv/rowback," + hosts:               {"/srv/rowback", hosts, ""},
		hosts + ",s3://b/p":                   {"", hosts, "s3://b/p"},
		"s3://b/p," + hosts + ",/srv/rowback": {"/srv/rowback", hosts, "s3://b/p"},
		"a,b":                                 {"a,b", "", ""},
		"":                                    nil,
		"/a,/b":                               nil,
		"http://x":                            nil,
		"s3://b/p,s3://b/q":                   nil,
	} {
		p, err := new(copyCmd).place(text)
		got := []string{p.Dir, p.Catalog, ""}
		if p.Objects != nil {
			got[2] = p.Objects.URL
		}
		if (err != nil) != (want == nil) || want != nil && !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
