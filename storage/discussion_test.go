package storage_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// What people say about a comparison is found whichever side comes first, and by a start without the catalog. Erasing a
// record takes its key out.
func TestAComparisonIsDiscussedAndThatIsKept(t *testing.T) {
	p := newProposing(t)
	ctx := t.Context()
	old, err := p.Snapshot(ctx, p.d, "head")
	if err != nil {
		t.Fatal(err)
	}
	now := p.JSON(p.d, catalog.Upsert, `[{"id":1,"x":"other"}]`)
	of := catalog.Compared{DatasetID: p.d, FromCommit: now.ID, ToDatasetID: p.d, ToCommit: old.Commit.ID}
	said := storage.NewComment{Text: "Is this one right?", Key: map[string]json.RawMessage{"id": json.RawMessage("1")}}
	first, err := p.Discuss(ctx, of, said, by("ada"))
	if err != nil || first.ID != 1 || first.User != "ada" {
		t.Fatalf("%+v %v", first, err)
	}
	of.FromCommit, of.ToCommit = of.ToCommit, of.FromCommit
	if second, err := p.Discuss(ctx, of, storage.NewComment{Text: "Yes."}, by("bob")); err != nil || second.ID != 2 {
		t.Fatalf("%+v %v", second, err)
	}
	across := catalog.Compared{DatasetID: p.d, FromCommit: now.ID, ToDatasetID: p.f, ToCommit: old.Commit.ID}
	if _, err := p.Discuss(ctx, across, storage.NewComment{Text: "Which?"}, by("bob")); err != nil {
		t.Fatal(err)
	}
	_, err = p.Discuss(ctx, of, storage.NewComment{Text: " "}, by("bob"))
	p.refused(err, "invalid_field")
	_, err = p.Discuss(ctx, of, storage.NewComment{Text: "?", Key: map[string]json.RawMessage{"nokey": nil}}, by("bob"))
	p.refused(err, "invalid_record_key")

	texts := func(of catalog.Compared) (all []string) {
		d, err := p.Discussion(ctx, of)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range d.Entries {
			key, _ := json.Marshal(e.Key)
			all = append(all, e.User+": "+e.Text+" "+string(key))
		}
		return all
	}
	third, err := p.Discuss(ctx, of, said, by("bob"))
	if err != nil {
		t.Fatal(err)
	}
	better := "Yes, it is."
	if e, err := p.CorrectRemark(ctx, of, 2, &better, by("bob")); err != nil || e.Text != better || e.EditedAt.IsZero() {
		t.Errorf("%+v %v", e, err)
	}
	if e, err := p.CorrectRemark(ctx, of, third.ID, nil, by("bob")); err != nil || e.Text != "" || e.Key != nil {
		t.Errorf("%+v %v", e, err)
	}
	_, err = p.CorrectRemark(ctx, of, third.ID, &better, by("bob"))
	p.refused(err, "comment_not_found")
	empty := " "
	_, err = p.CorrectRemark(ctx, of, 1, &empty, by("ada"))
	p.refused(err, "invalid_field")
	want := "ada: Is this one right? {\"id\":1}\nbob: Yes, it is. null\nbob:  null"
	if got := strings.Join(texts(of), "\n"); got != want {
		t.Errorf("%s", got)
	}
	list, err := p.Discussions(ctx, p.d)
	if err != nil || len(list) != 2 || list[1].To == nil || list[0].To != nil || list[0].Comments != 2 {
		t.Errorf("%+v %v", list, err)
	}
	p.Sound()
	before := p.ledger()
	p.Close()
	storagetest.WithCatalog(t, p.Dir, nil)
	p.bench = reopen(t, p.Dir, storage.Options{})
	if after := p.ledger(); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if got := strings.Join(texts(of), "\n"); got != want {
		t.Errorf("%s", got)
	}
	if _, err := p.Removals.Erase(ctx, p.d, storage.Erasure{Keys: []json.RawMessage{json.RawMessage("1")}}, by("ada")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(texts(of), "\n"); strings.Contains(got, `"id"`) {
		t.Errorf("it was erased: %s", got)
	}
}
