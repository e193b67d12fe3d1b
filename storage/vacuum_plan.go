package storage

import (
	"cmp"
	"context"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// A row goes if no kept state sees it: in each of those in which its file is live, a rollback file with its position is
// live too. That is found by entries and by how many positions a rollback file has in each file. Only where several
// rollback files have to be taken together are their positions read.

// worthwhile is how large a part of a file has to go, for the others to be written again: a tenth.
const worthwhile = 10

// sweeping is what vacuum removes of a family.
type sweeping struct {
	keeping *keeping
	live    map[int64]stretches
	files   []*catalog.File
	whole   map[int64]bool    // files of which no row stays
	some    map[int64]partial // data files that lose a part of their rows
	left    Left
}

// partial is how a data file loses a part of its rows.
type partial struct {
	file *catalog.File
	by   []*catalog.File // rollback files: all positions that one has go
	rows int64           // how many these are

	// Rollback files of which none alone shows that a position goes, but several together may. What they show is read.
	together []*catalog.File
	more     []int64
}

// Left is what no kept state sees either, but stays: so little of files that these are not written again for it.
type Left struct {
	Files int   `json:"files"`
	Rows  int64 `json:"rows"`
}

// sweep finds what goes, but for what has to be read.
func sweep(k *keeping, family string) (*sweeping, error) {
	s := &sweeping{keeping: k, whole: map[int64]bool{}, some: map[int64]partial{}}
	datasets, err := k.tx.FamilyDatasets(family)
	if err != nil {
		return nil, err
	}
	if s.live, err = k.liveness(datasets); err != nil {
		return nil, err
	}
	if s.files, err = k.tx.FamilyFiles(family); err != nil {
		return nil, err
	}
	displacers := map[int64][]*catalog.File{}
	for _, f := range s.files {
		if len(s.live[f.ID]) == 0 {
			s.whole[f.ID] = true
			continue
		}
		for target := range f.Targets {
			displacers[target] = append(displacers[target], f)
		}
	}
	for _, f := range s.files {
		if f.Kind == schema.Data && !s.whole[f.ID] {
			s.addPart(f, displacers[f.ID])
		}
	}
	return s, nil
}

// addPart finds which rows of a data file go that some kept state has.
func (s *sweeping) addPart(f *catalog.File, displacers []*catalog.File) {
	live := s.live[f.ID]
	p := partial{file: f}
	var rest []stretches
	for _, r := range displacers {
		switch {
		case s.live[r.ID].covers(live):
			p.by = append(p.by, r)
			p.rows += r.Targets[f.ID] // no position is displaced twice in a state
		case s.live[r.ID].meets(live):
			p.together = append(p.together, r)
			rest = append(rest, s.live[r.ID])
		}
	}
	if !joined(rest...).covers(live) {
		p.together = nil
	}
	if p.rows == f.Rows && f.Rows > 0 {
		s.whole[f.ID] = true
	} else if p.rows > 0 || len(p.together) > 0 {
		s.some[f.ID] = p
	}
}

// readTogether reads the positions that several rollback files show to go only together.
func (s *sweeping) readTogether(ctx context.Context, files *Files) error {
	for id, p := range s.some {
		if len(p.together) == 0 {
			continue
		}
		// Whether a row goes is not for what may be damaged to say.
		err := files.readWhole(ctx, p.together)
		if fault.KindOf(err) == fault.Corrupt {
			continue
		}
		if err != nil {
			return err
		}
		by := map[int64]stretches{} // by position
		err = positionsIn(ctx, files, p.together, id, func(rollback, pos int64) {
			by[pos] = append(by[pos], s.live[rollback]...)
		})
		if err != nil {
			return err
		}
		for pos, live := range by {
			if joined(live).covers(s.live[id]) {
				p.more = append(p.more, pos)
			}
		}
		p.rows += int64(len(p.more))
		s.some[id] = p
		if p.rows == p.file.Rows {
			s.whole[id] = true
		}
	}
	return nil
}

// choose leaves files alone of which little goes.
func (s *sweeping) choose(isDamaged func(*catalog.File) bool) {
	for id, p := range s.some {
		switch {
		case s.whole[id] || p.rows == 0:
			delete(s.some, id)
		case p.rows*worthwhile < p.file.Rows || isDamaged(p.file) || slices.ContainsFunc(p.by, isDamaged):
			s.left.Files, s.left.Rows = s.left.Files+1, s.left.Rows+p.rows
			delete(s.some, id)
		}
	}
}

// rowsGoing returns the rows that go of the files that lose a part, by file, ascending.
func (s *sweeping) rowsGoing(ctx context.Context, files *Files) (map[int64][]int64, error) {
	out := map[int64][]int64{}
	for id, p := range s.some {
		rows := slices.Clone(p.more)
		err := positionsIn(ctx, files, p.by, id, func(_, pos int64) { rows = append(rows, pos) })
		if err != nil {
			return nil, err
		}
		slices.Sort(rows)
		out[id] = slices.Compact(rows)
	}
	return out, nil
}

// narrow leaves of the rows that go those that were to go before as well.
func (s *sweeping) narrow(rows, before map[int64][]int64) map[int64][]int64 {
	for id, list := range rows {
		p := s.some[id]
		list = slices.DeleteFunc(list, func(row int64) bool {
			_, was := slices.BinarySearch(before[id], row)
			return !was
		})
		if len(list) == 0 {
			s.left.Files, s.left.Rows = s.left.Files+1, s.left.Rows+p.rows
			delete(s.some, id)
			delete(rows, id)
			continue
		}
		p.rows = int64(len(list))
		rows[id], s.some[id] = list, p
	}
	return rows
}

// positionsIn reads the positions that rollback files have in a data file.
func positionsIn(
	ctx context.Context, files *Files, rollbacks []*catalog.File, target int64, found func(rollback, pos int64),
) error {
	if len(rollbacks) == 0 {
		return nil
	}
	conn, err := files.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, group := range snapshot.BySchema(rollbacks) {
		query := snapshot.New(snapshot.State{}, files.pathOf).Positions(group, target)
		err := conn.Rows(ctx, query, func(scan duck.Scan) error {
			var rollback, pos int64
			err := scan(&rollback, &pos)
			found(rollback, pos)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Vacuumed is what vacuum did to a fork family, or would do.
type Vacuumed struct {
	Total    int      `json:"commits_total"` // whose states become unavailable
	Commits  []int64  `json:"commits"`       // the first of them
	Datasets []string `json:"datasets"`      // deleted ones that can't be brought back any more
	Rows     int64    `json:"rows"`          // of data files
	Files    int      `json:"files"`         // that go as a whole
	Written  int      `json:"files_written"` // that lose a part of their rows
	Bytes    int64    `json:"bytes"`         // before it is done, an estimate
	Left     Left     `json:"left"`
}

// shownCommits is how many commits are named of those whose states become unavailable.
const shownCommits = 1000

// told is what goes, in numbers.
func (s *sweeping) told() (v Vacuumed) {
	v.Commits, v.Datasets, v.Left = []int64{}, []string{}, s.left
	for _, ids := range s.keeping.gone {
		v.Commits = append(v.Commits, ids...)
	}
	slices.Sort(v.Commits)
	v.Commits = slices.Compact(v.Commits)
	v.Total = len(v.Commits)
	v.Commits = v.Commits[:min(v.Total, shownCommits)]
	for id := range s.keeping.expired {
		v.Datasets = append(v.Datasets, id)
	}
	slices.Sort(v.Datasets)
	for _, f := range s.files {
		s.tell(f, &v)
	}
	return v
}

// tell adds what goes of one file.
func (s *sweeping) tell(f *catalog.File, v *Vacuumed) {
	p, isPartial := s.some[f.ID]
	going := p.rows
	for target, rows := range f.Targets {
		if q, loses := s.some[target]; s.whole[target] {
			going += rows
		} else if loses && slices.Contains(q.by, f) {
			going += rows
		}
	}
	switch {
	case s.whole[f.ID] || going >= f.Rows && f.Rows > 0:
		v.Files, v.Bytes = v.Files+1, v.Bytes+f.Bytes
		going = f.Rows
	case going > 0 || isPartial:
		v.Written, v.Bytes = v.Written+1, v.Bytes+f.Bytes*going/f.Rows
	}
	if f.Kind == schema.Data {
		v.Rows += going
	}
}

// Holder is another dataset of the family that keeps states which a policy would let go.
type Holder struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Commits int    `json:"commits"` // of which it keeps the states
}

// holders returns which others keep states that a dataset's own policy lets go: commits that it made itself.
func (k *keeping) holders(dataset string) ([]Holder, error) {
	out := []Holder{}
	i := slices.IndexFunc(k.members, func(m member) bool { return m.ID == dataset })
	if i < 0 || !k.members[i].policy.IsLimited() {
		return out, nil
	}
	own, err := k.tx.Unvacuumed(dataset, 0)
	if err != nil {
		return nil, err
	}
	free := slices.DeleteFunc(own, func(id int64) bool { return k.members[i].keeps(dataset, id) })
	for _, m := range k.members {
		h := Holder{ID: m.ID, Name: m.Name}
		for _, id := range free {
			if m.ID != dataset && m.keeps(dataset, id) {
				h.Commits++
			}
		}
		if h.Commits > 0 {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b Holder) int { return cmp.Compare(b.Commits, a.Commits) })
	return out, nil
}
