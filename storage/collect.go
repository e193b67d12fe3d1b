package storage

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/intake"
)

// A commit may collect the records that it would be refused for, and commit the others. First the records are held
// against the types of the dataset's columns, which collecting never widens. Then the commit is tried: a refusal that
// names records, by their numbers or their keys, takes these out, and it is tried again. So the rules are those of every
// commit, and what is tried and refused leaves no trace.

// Collected are the records that a commit was made without.
type Collected struct {
	Count int64             // of all
	First []json.RawMessage // the first of them, each with its number and its errors
	ID    string            // under which all of them are kept; empty: they are not
}

// How many records are shown, how many may be left out of one commit, and how often it is tried.
const (
	ShownRejected = 20
	mostRejected  = 100_000
	mostTries     = 100
)

// ErrAllRejected is the refusal of a commit none of whose records can be committed.
var ErrAllRejected = fault.New(fault.Invalid, "all_records_rejected")

// errTooManyRejected is the refusal of a commit that would leave out more records than are kept.
var errTooManyRejected = fault.Errorf(fault.Invalid, "too_many_rejected",
	"More than %d records can't be committed. The records may be of another dataset, or another delimiter; send fewer "+
		"to see what is wrong.", mostRejected)

// Keeper keeps the file of all records that a commit is about to be made without, and returns its id. It takes the file
// over. What it kept before, for an earlier try, it removes.
type Keeper func(ctx context.Context, u intake.Upload) (id string, err error)

// CommitCollecting is Commit without the records that it would be refused for. They are told in out before the commit
// is recorded.
func (s *Store) CommitCollecting(
	ctx context.Context, dataset string, c Change, keep Keeper, out *Collected,
) (made catalog.Commit, err error) {
	if c.Mode == catalog.Delete {
		return made, fault.Errorf(fault.Invalid, "invalid_field", "on_error: collect is for records that are added or changed, "+
			"and mode=delete removes some.").With("field", "on_error")
	}
	x := &sifting{Store: s, original: c.Upload, dataset: dataset, why: map[int64][]string{}}
	defer x.end()
	c.collects = true
	if err := x.sift(ctx); err != nil {
		return made, err
	}
	for range mostTries {
		if c.Upload, err = x.rest(ctx); err != nil {
			return made, err
		}
		if *out, err = x.told(ctx, keep, c.Preview != nil); err != nil {
			return made, err
		}
		if made, err = s.Commit(ctx, dataset, c); err == nil {
			return made, nil
		}
		found, failed := x.takeOut(ctx, err)
		if failed != nil {
			return made, failed
		}
		if !found {
			return made, err
		}
	}
	return made, err
}

// sifting is an upload while the records that can't be committed are found.
type sifting struct {
	*Store
	dataset  string
	original intake.Upload
	why      map[int64][]string // what is wrong with records, by their numbers from 0
	out      []int64            // their numbers, ascending
	kept     string             // path of the file of the others; empty: all are committed
	now      intake.Upload      // the others
}

// end removes what was written.
func (x *sifting) end() {
	if x.kept != "" {
		x.blobs.RemoveScratch(x.kept)
	}
}

// reject notes what is wrong with a record.
func (x *sifting) reject(number int64, why string) error {
	if at, has := slices.BinarySearch(x.out, number); !has {
		x.out = slices.Insert(x.out, at, number)
	}
	x.why[number] = append(x.why[number], why)
	if len(x.out) > mostRejected {
		return errTooManyRejected
	}
	return nil
}

// numberOf returns the number in the upload that a record has, by the one that it has among the others.
func (x *sifting) numberOf(rest int64) int64 {
	for _, n := range x.out {
		if n > rest {
			break
		}
		rest++
	}
	return rest
}

// takeOut notes the records that a refusal names. found is false if it names none.
func (x *sifting) takeOut(ctx context.Context, refusal error) (found bool, err error) {
	var e *fault.Error
	if !errors.As(refusal, &e) {
		return false, nil
	}
	numbers, keys := named(e)
	before := len(x.out)
	why := e.Code + ": " + plainReason(e)
	// Together, as each number is one among those that are left now.
	for i, n := range numbers {
		numbers[i] = x.numberOf(n)
	}
	if len(keys) > 0 {
		more, err := x.numbersOf(ctx, keys, e.Code == "key_duplicate")
		if err != nil {
			return false, err
		}
		numbers = append(numbers, more...)
	}
	for _, n := range numbers {
		if err := x.reject(n, why); err != nil {
			return false, err
		}
	}
	return len(x.out) > before, nil
}

// named returns the records that a refusal names: by their numbers from 0, and by their keys.
func named(e *fault.Error) (numbers []int64, keys []map[string]string) {
	if rows, ok := e.Fields["rows"].([]int64); ok {
		for _, n := range rows {
			numbers = append(numbers, n-1)
		}
	}
	if list, ok := e.Fields["keys"].([]map[string]string); ok {
		keys = append(keys, list...)
	}
	if list, ok := e.Fields["lacking"].([]lacking); ok {
		for _, one := range list {
			if one.number > 0 {
				numbers = append(numbers, one.number-1)
			} else {
				keys = append(keys, one.key)
			}
		}
	}
	if list, ok := e.Fields["records"].([]gating.Record); ok && e.Code == "gate_failed" {
		for _, one := range list {
			if one.Number > 0 {
				numbers = append(numbers, one.Number-1)
			} else if len(one.Key) > 0 {
				keys = append(keys, one.Key)
			}
		}
	}
	return numbers, keys
}

// plainReason says what is wrong with one record, where a refusal speaks of several.
func plainReason(e *fault.Error) string {
	switch e.Code {
	case "key_null":
		return "it has no value in the key"
	case "key_duplicate":
		return "a record before it has the same key"
	case "key_exists":
		return "the dataset has a record with its key already"
	case "required_value":
		column, _ := e.Fields["column"].(string)
		return "it has no value in " + column + ", which is required"
	case "gate_failed":
		gate, _ := e.Fields["gate"].(string)
		return "it does not pass the gate " + gate
	}
	return e.Detail
}
