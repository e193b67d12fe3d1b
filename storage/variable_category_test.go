package storage_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
)

func TestCategoriesWithoutIDsGetThem(t *testing.T) {
	id := func(n int64) *int64 { return &n }
	before := []schema.Category{{ID: 7, Name: "old"}, {ID: 2, Name: "two"}}
	for want, given := range map[string][]storage.GivenCategory{
		"a=8 b=9":          {{Name: "a"}, {Name: "b"}},
		"a=9 b=8 c=0":      {{Name: "a"}, {Name: "b", ID: id(8)}, {Name: "c", ID: id(0)}},
		"old=7 new=8":      {{Name: "old"}, {Name: "new"}},
		"old=8 taken=7":    {{Name: "old"}, {Name: "taken", ID: id(7)}},
		"No Data=-1 two=2": {{Name: "No Data", ID: id(-1)}, {Name: "two"}},
	} {
		var got []string
		for _, c := range storage.Numbered(given, before) {
			got = append(got, fmt.Sprintf("%s=%d", c.Name, c.ID))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	if storage.Numbered(nil, before) != nil {
		t.Error("none become some")
	}
}
