package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// Take is whose change stands where both sides changed the same.
type Take string

// The sides of a merge.
const (
	Ours   Take = "ours"   // the target's
	Theirs Take = "theirs" // the source's
)

// Resolution decides conflicts in advance: those of one record, of one action, or of one record in one action. Key and
// Hash narrow it down; at least one of them is given.
type Resolution struct {
	Key  map[string]json.RawMessage `json:"key,omitempty" description:"The record's key: a value for each key column."`
	Hash string                     `json:"hash,omitempty" description:"The hash of an action of the source."`
	Take Take                       `json:"take" required:"true" enum:"ours,theirs"`
}

// takings are what becomes of the conflicts of one action.
type takings struct {
	first   []Resolution // those that may apply: the first that does counts
	rest    Take         // empty: a conflict stays one
	decided int64        // how many conflicts of records there were
}

// takings of an action follow from what the request says.
func (m Merge) takings(c catalog.Commit) *takings {
	out := &takings{rest: m.OnConflict}
	for _, r := range m.Resolve {
		switch {
		case r.Hash != "" && r.Hash != c.Hash:
		case r.Key == nil:
			out.rest = r.Take
			return out
		default:
			out.first = append(out.first, r)
		}
	}
	return out
}

// checkTakes refuses a request that can't be meant as it is.
func (m Merge) checkTakes(tx catalog.Tx, source catalog.Dataset, target schema.Schema) error {
	if m.OnConflict != "" && !m.OnConflict.known() {
		return m.OnConflict.refusal("on_conflict")
	}
	for i, r := range m.Resolve {
		at := fmt.Sprintf("resolve[%d]", i)
		if !r.Take.known() {
			return r.Take.refusal(at + ".take")
		}
		if r.Hash == "" && r.Key == nil {
			return fault.Errorf(fault.Invalid, "empty_resolution",
				"%s names nothing. Give it the key of a record or the hash of an action.", at).With("field", at)
		}
		if r.Hash != "" {
			if err := checkHash(tx, source, r.Hash, at); err != nil {
				return err
			}
		}
		if r.Key != nil {
			if err := r.checkKey(target, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// known reports whether it names a side.
func (t Take) known() bool { return t == Ours || t == Theirs }

// refusal is the error of a side that is neither.
func (t Take) refusal(field string) error {
	return fault.Errorf(fault.Invalid, "invalid_field", "%s: %q is neither ours nor theirs.",
		field, fault.Clip(string(t))).With("field", field)
}

// checkKey refuses a key that names other columns than the dataset's key.
func (r Resolution) checkKey(s schema.Schema, at string) error {
	key := s.KeyColumns()
	for _, c := range key {
		// All of the key and nothing else: half a key would settle many records at once.
		if value, ok := r.Key[c.Name]; !ok || len(r.Key) != len(key) || string(value) == "null" {
			return fault.Errorf(fault.Invalid, "invalid_key",
				"%s: the key of a record here is %s. Give each of them a value.", at, keyNames(key)).With("field", at)
		}
	}
	return nil
}

// checkTakenKeys refuses keys whose values are not of the types that the key has.
func (m Merge) checkTakenKeys(ctx context.Context, conn *duck.Conn, s schema.Schema) error {
	for i, r := range m.Resolve {
		for _, c := range s.KeyColumns() {
			text, given := r.Key[c.Name]
			if !given || c.Type.Name == schema.Null {
				continue
			}
			fits, err := isValueOf(ctx, conn, c, plainText(text))
			if err != nil {
				return err
			}
			if !fits {
				return fault.Errorf(fault.Invalid, "invalid_key", "resolve[%d]: %s is not a value of %q, whose type is %s.",
					i, fault.Clip(string(text)), c.Name, c.Type).With("field", fmt.Sprintf("resolve[%d]", i))
			}
		}
	}
	return nil
}

// keyValue is the SQL of a JSON value as one of a key column; null where it is none.
func keyValue(text json.RawMessage, c schema.Column) string {
	// TRY: a record of another action may have been made before the key had this type.
	return "TRY_CAST(" + duck.Text(plainText(text)) + " AS " + c.Type.SQL() + ")"
}

// plainText is a JSON string without its quotes; any other value as it is written.
func plainText(value json.RawMessage) (text string) {
	if json.Unmarshal(value, &text) != nil {
		return string(value)
	}
	return text
}

// settleAsAsked decides the conflicts that the request decides.
func (r *rowPlayer) settleAsAsked(ctx context.Context) error {
	takes := r.did.takes
	if takes.rest == "" && len(takes.first) == 0 {
		return nil
	}
	before, err := r.countConflicts(ctx)
	if err != nil || before == 0 {
		return err
	}
	query := duck.Fill(settleTaken, duck.Parts{"take": takes.of(r.schema.KeyColumns())})
	if _, err := r.conn.Exec(ctx, query); err != nil {
		return err
	}
	after, err := r.countConflicts(ctx)
	takes.decided = before - after
	return err
}

const settleTaken = `UPDATE verdicts AS v SET verdict = CASE {take}
	WHEN 'ours' THEN CASE WHEN by_value AND fresh THEN 'keep' ELSE 'same' END
	WHEN 'theirs' THEN CASE WHEN by_value THEN 'take' ELSE 'play' END
	ELSE verdict END
	WHERE verdict = 'conflict'`

// of is the SQL of whose change of a record stands; null where that is not decided.
func (t *takings) of(key []schema.Column) string {
	rest := "NULL"
	if t.rest != "" {
		rest = duck.Text(string(t.rest))
	}
	if len(t.first) == 0 {
		return rest
	}
	var list []string
	for _, r := range t.first {
		var is []string
		for _, c := range key {
			is = append(is, schema.ColumnName(c.ID)+" IS NOT DISTINCT FROM "+keyValue(r.Key[c.Name], c))
		}
		list = append(list, "WHEN "+strings.Join(is, " AND ")+" THEN "+duck.Text(string(r.Take)))
	}
	return "CASE " + strings.Join(list, " ") + " ELSE " + rest + " END"
}

// settleVariable decides a conflict on a variable that both sides changed and have: theirs reports whether it becomes
// what the action left.
func (did *action) settleVariable() (theirs, decided bool) {
	return did.takes.rest == Theirs, did.explicit && did.takes.rest != ""
}
