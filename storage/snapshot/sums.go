package snapshot

import (
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// What a state measures, its quality and its categories, are sums over its files. They are added up by blocks, so that
// a state costs the blocks that no state before it had, and comes out the same whatever is kept.

// measuredColumns are the ids of the quality column and of the category column; 0: none.
type measuredColumns struct{ quality, category int }

// blockSum is what the statistics of the files of a block add up to. Rollback files are taken off.
type blockSum struct {
	quality    score
	categories map[string]int64
	scores     map[string]*score
	others     bool // a data file may have scores that are no shares

	// Ids of the schemas of files: of all, and of those that lack what their state may need of them.
	schemas, uncounted, unsummed, unscored map[string]bool
	// The schemas of rollback files and of files that they displace rows of, where the two differ.
	displaced map[[2]string]bool
}

// score is a number of values and their sum.
type score struct {
	count int64
	sum   kahan
}

func (t *score) add(sign, count int64, sum float64) {
	t.count += sign * count
	t.sum.add(float64(sign) * sum)
}

func (t *score) plus(other *score) {
	t.count += other.count
	t.sum.add(other.sum.sum)
	t.sum.add(other.sum.lost)
}

func newBlockSum() *blockSum {
	return &blockSum{
		categories: map[string]int64{}, scores: map[string]*score{}, displaced: map[[2]string]bool{},
		schemas: map[string]bool{}, uncounted: map[string]bool{}, unsummed: map[string]bool{}, unscored: map[string]bool{},
	}
}

// add adds the statistics of a file.
func (t *blockSum) add(f *catalog.File, of measuredColumns) {
	sign := SignOf(f)
	t.schemas[f.SchemaID] = true
	quality, ok := f.Stats[of.quality]
	t.quality.add(sign, quality.Count, quality.Sum)
	if !ok {
		t.unsummed[f.SchemaID] = true
	}
	t.others = t.others || f.Kind == schema.Data && !isShare(quality)
	category, ok := f.Stats[of.category]
	if !ok || category.TooMany {
		t.uncounted[f.SchemaID] = true
	}
	if category.ScoresOf != of.quality {
		t.unscored[f.SchemaID] = true
	}
	for name, n := range category.Categories {
		t.categories[name] += sign * n
	}
	for name, one := range category.Scores {
		t.score(name).add(sign, one.Count, one.Sum)
	}
}

func (t *blockSum) score(name string) *score {
	if t.scores[name] == nil {
		t.scores[name] = &score{}
	}
	return t.scores[name]
}

// plus adds another sum.
func (t *blockSum) plus(other *blockSum) {
	t.quality.plus(&other.quality)
	t.others = t.others || other.others
	for name, n := range other.categories {
		t.categories[name] += n
	}
	for name, one := range other.scores {
		t.score(name).plus(one)
	}
	maps.Copy(t.schemas, other.schemas)
	maps.Copy(t.uncounted, other.uncounted)
	maps.Copy(t.unsummed, other.unsummed)
	maps.Copy(t.unscored, other.unscored)
	maps.Copy(t.displaced, other.displaced)
}

// sumOf adds up a block.
func (s *Snapshot) sumOf(b *block, of measuredColumns) *blockSum {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sums[of] != nil {
		return b.sums[of]
	}
	sum := newBlockSum()
	for _, f := range b.files {
		sum.add(f, of)
		for _, target := range s.targetsOf(f) {
			if target.SchemaID != f.SchemaID {
				sum.displaced[[2]string{target.SchemaID, f.SchemaID}] = true
			}
		}
	}
	b.sums[of] = sum
	s.known.heavier(b, 50+12*(len(sum.categories)+len(sum.scores)))
	return sum
}

// sums adds up the statistics of the snapshot's files.
func (s *Snapshot) sums() *blockSum {
	var of measuredColumns
	if c, ok := s.QualityColumn(); ok {
		of.quality = c.ID
	}
	if c, ok := s.CategoryColumn(); ok {
		of.category = c.ID
	}
	total := newBlockSum()
	for _, b := range slices.Concat(s.blocks(s.Data, false), s.blocks(s.Rollbacks, true)) {
		total.plus(s.sumOf(b, of))
	}
	return total
}

// holds reports whether the rollback files have the values of a column as the state sees them in the rows that they
// displace: only then may their sums be taken off.
func (t *blockSum) holds(s *Snapshot, c schema.Column) bool {
	part := s.Narrow([]schema.Column{c})
	for pair := range t.displaced {
		if !part.seesAlike(s.Schemas[pair[0]], s.Schemas[pair[1]]) {
			return false
		}
	}
	return true
}

// has reports whether a file with one of some schemas has a column.
func (s *Snapshot) has(schemas map[string]bool, id int) bool {
	for name := range schemas {
		if _, ok := s.Schemas[name].ByID(id); ok {
			return true
		}
	}
	return false
}

// summed reports whether every file that has the quality column has its sum.
func (s *Snapshot) summed(t *blockSum, c schema.Column) bool {
	return !s.has(t.unsummed, c.ID) && t.holds(s, c)
}

// counted reports whether every file that has the category column has counts of its values in the column's current
// type: the text of a category depends on the type.
func (s *Snapshot) counted(t *blockSum, c schema.Column) bool {
	if s.has(t.uncounted, c.ID) || !t.holds(s, c) {
		return false
	}
	for name := range t.schemas {
		own, has := s.Schemas[name].ByID(c.ID)
		if has && own.Type.Name != schema.Null && !own.Type.Equal(c.Type) {
			return false
		}
	}
	return true
}

// scored reports whether every file that has both columns was measured for both.
func (s *Snapshot) scored(t *blockSum, category, quality int) bool {
	for name := range t.unscored {
		_, hasCategory := s.Schemas[name].ByID(category)
		_, hasQuality := s.Schemas[name].ByID(quality)
		if hasCategory && hasQuality {
			return false
		}
	}
	return true
}
