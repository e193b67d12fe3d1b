package storage

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// keeping is which states of a fork family are kept. The state after a commit is the same in every dataset that has the
// commit, so it is kept if one of these keeps it: by its policy, as its head, or because a fork starts with it. A
// deleted dataset keeps nothing any more after a grace period.
type keeping struct {
	tx      catalog.Tx
	now     time.Time
	grace   time.Duration // 0: deleted datasets are kept
	members []member
	whole   map[string]int64     // by dataset: up to which of its own commits some member keeps everything
	kept    map[int64]bool       // commits that are kept beyond that
	gone    map[string][]int64   // commits of which no member keeps the state any more, by the dataset that made them
	expired map[string]time.Time // deleted datasets that can't be brought back from now on, with when they were deleted
}

// member is a dataset of the family.
type member struct {
	catalog.Dataset
	policy  *catalog.Retention // nil: everything is kept
	lineage []catalog.Range
	kept    map[int64]bool // commits whose states it keeps, if it has a policy
}

// keep finds which states of a family are kept.
func keep(tx catalog.Tx, family string, now time.Time, grace time.Duration) (*keeping, error) {
	k := &keeping{
		tx: tx, now: now, grace: grace, whole: map[string]int64{}, kept: map[int64]bool{}, gone: map[string][]int64{},
		expired: map[string]time.Time{},
	}
	datasets, err := tx.FamilyDatasets(family)
	if err != nil {
		return nil, err
	}
	for _, d := range datasets {
		if err := k.add(d); err != nil {
			return nil, err
		}
	}
	return k, k.findGone(datasets)
}

// add adds what one dataset keeps, unless it is gone itself.
func (k *keeping) add(d catalog.Dataset) (err error) {
	if !d.VacuumedAt.IsZero() {
		return nil
	}
	if !d.DeletedAt.IsZero() && k.grace > 0 && k.now.Sub(d.DeletedAt) >= k.grace {
		k.expired[d.ID] = d.DeletedAt
		return nil
	}
	m := member{Dataset: d}
	if m.lineage, err = k.tx.Lineage(d.ID); err != nil {
		return err
	}
	properties, err := propertiesOf(k.tx, d)
	if err != nil {
		return err
	}
	k.kept[d.Head], k.kept[d.ForkCommit] = true, true
	if m.policy = properties.Retention; !m.policy.IsLimited() {
		for _, r := range m.lineage {
			k.whole[r.Ancestor] = max(k.whole[r.Ancestor], r.Until)
		}
		// A fork of an older program has copies of what it inherited.
		if d.IsFork() && len(m.lineage) == 1 {
			m.kept, err = k.ownIDs(d)
		}
	} else {
		m.kept, err = k.keptBy(m)
	}
	for id := range m.kept {
		k.kept[id] = true
	}
	k.members = append(k.members, m)
	return err
}

// propertiesOf reads the properties that a dataset has at its head.
func propertiesOf(tx catalog.Tx, d catalog.Dataset) (catalog.Properties, error) {
	id := d.PropertiesID
	if d.Head != 0 {
		c, err := tx.Commit(d.ID, d.Head)
		if err != nil {
			return catalog.Properties{}, err
		}
		id = c.PropertiesID
	}
	return tx.Properties(id)
}

func (k *keeping) ownIDs(d catalog.Dataset) (map[int64]bool, error) {
	ids, err := k.tx.CommitIDs(d.ID)
	out := make(map[int64]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

// keptBy returns the commits whose states a member's policy keeps.
func (k *keeping) keptBy(m member) (map[int64]bool, error) {
	out := map[int64]bool{m.Head: true}
	if err := k.keepNamed(m, out); err != nil {
		return nil, err
	}
	return out, k.keepChanges(m, out)
}

// keepNamed adds what versions, savepoints and tags name.
func (k *keeping) keepNamed(m member, out map[int64]bool) error {
	if m.policy.Versions {
		list, err := k.tx.Versions(m.ID)
		if err != nil {
			return err
		}
		for _, v := range list {
			out[v.CommitID] = true
		}
	}
	if m.policy.Savepoints {
		list, err := k.tx.Savepoints(m.ID)
		if err != nil {
			return err
		}
		for _, p := range list {
			out[p.CommitID] = true
		}
	}
	if m.policy.Tags {
		list, err := k.tx.Tags(m.ID)
		if err != nil {
			return err
		}
		for _, t := range list {
			out[t.CommitID] = true
		}
	}
	return nil
}

// stepsPage is how many commits are read at once.
const stepsPage = 1000

// keepChanges adds the states before and after the last changes. What a merge played is a part of it.
func (k *keeping) keepChanges(m member, out map[int64]bool) error {
	var left int64
	since := time.Time{}
	if m.policy.Commits != nil {
		left = *m.policy.Commits
	}
	hasDays := m.policy.Days != nil
	if hasDays {
		since = k.now.Add(-time.Duration(*m.policy.Days) * 24 * time.Hour)
	}
	merges := map[int64]bool{} // those that are kept, with what they played
	for before := int64(math.MaxInt64); ; {
		page, err := k.tx.Steps(m.ID, before, stepsPage)
		if err != nil {
			return err
		}
		for _, step := range page {
			recent := left > 0 || hasDays && !step.CreatedAt.Before(since)
			switch {
			case step.Merge != 0:
				recent = merges[step.Merge]
			case !recent:
				return nil
			default:
				left--
				merges[step.ID] = true
			}
			if recent {
				out[step.ID], out[step.Previous] = true, true
			}
			before = step.ID
		}
		if len(page) < stepsPage {
			return nil
		}
	}
}

// findGone finds the commits of which no member keeps the state any more.
func (k *keeping) findGone(datasets []catalog.Dataset) error {
	for _, d := range datasets {
		whole := k.whole[d.ID]
		if whole == catalog.Forever {
			continue
		}
		ids, err := k.tx.Unvacuumed(d.ID, whole)
		if err != nil {
			return err
		}
		if ids = slices.DeleteFunc(ids, func(id int64) bool { return k.kept[id] }); len(ids) > 0 {
			k.gone[d.ID] = ids
		}
	}
	return nil
}

// isEmpty reports whether nothing goes: every state is kept, or gone already.
func (k *keeping) isEmpty() bool { return len(k.gone)+len(k.expired) == 0 }

// keptOf returns the commits that a dataset made itself and whose states stay, in order.
func (k *keeping) keptOf(dataset string) ([]int64, error) {
	ids, err := k.tx.Unvacuumed(dataset, 0)
	return withoutSorted(ids, k.gone[dataset]), err
}

// keeps reports whether a member keeps the state after a commit that another dataset made.
func (m member) keeps(dataset string, commit int64) bool {
	if m.ForkCommit == commit || m.Head == commit || m.kept[commit] {
		return true
	}
	return !m.policy.IsLimited() && slices.ContainsFunc(m.lineage, func(r catalog.Range) bool {
		return r.Ancestor == dataset && r.After < commit && commit <= r.Until
	})
}

// withoutSorted returns the numbers of one list that another does not have; both ascend.
func withoutSorted(list, other []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(list), func(n int64) bool {
		i := sort.Search(len(other), func(i int) bool { return other[i] >= n })
		return i < len(other) && other[i] == n
	})
}
