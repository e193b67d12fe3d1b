package blob

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Intent is a batch that is about to be published. Without a note of it, what a crash leaves of it would never be
// found: the bucket is not listed for that.
type Intent struct {
	Key         string    `json:"key"`
	Description string    `json:"description"` // the file that publishes it
	At          time.Time `json:"at"`

	IsWithdrawn bool `json:"-"` // it never stands, whether it was published or not
}

// Note is something that is owed, by a number.
type Note struct {
	Server int64 // whose it is; 0: this one's
	Number int64
	Text   []byte
}

// Ledger has what a remote store notes for the case that it does not come back: intents, and what is owed to the
// bucket. It is in the local directory, or where other servers of the same objects find it.
type Ledger interface {
	// Intend notes batches, Renew notes anew those of some keys that were noted and are not published yet, and Published
	// forgets one, or leaves it to Late.
	Intend(ctx context.Context, batches ...Intent) error
	Renew(ctx context.Context, keys []string) error
	Published(key string)
	// Late lists the batches that were noted more than an age before now and may not have been published. Swept forgets
	// one.
	Late(ctx context.Context, now time.Time, age time.Duration) ([]Intent, error)
	Swept(ctx context.Context, key string) error

	// Promise notes a promise, durably. Whoever shares the ledger forgets it, with what the object belongs to.
	Promise(ctx context.Context, p Promise) error

	// Owe notes a debt, durably. Owed lists those that no one else pays, in their order, and Paid forgets one, durably:
	// paid once more after a crash, it would undo what came after it.
	Owe(text []byte) (Note, error)
	Owed(ctx context.Context) ([]Note, error)
	Paid(ctx context.Context, n Note) error
}

// noted is the ledger in a local directory.
type noted struct {
	*Dir
	last int64 // the number of the last debt
}

func intentName(key string) string { return intentsDir + "/" + url.PathEscape(key) + ".json" }

func (l *noted) path(name string) string { return filepath.Join(l.root, filepath.FromSlash(name)) }

// Intend implements Ledger.
func (l *noted) Intend(_ context.Context, batches ...Intent) error {
	for _, i := range batches {
		text, err := json.Marshal(i)
		if err == nil {
			err = writeFile(l.Dir, intentName(i.Key), text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Renew implements Ledger.
func (l *noted) Renew(ctx context.Context, keys []string) (err error) {
	for _, key := range keys {
		var in Intent
		text, errRead := os.ReadFile(l.path(intentName(key)))
		if errRead != nil || json.Unmarshal(text, &in) != nil {
			continue // it was not noted
		}
		in.At = time.Now()
		err = errors.Join(err, l.Intend(ctx, in))
	}
	return err
}

// Published implements Ledger. One too many is looked at in vain.
func (l *noted) Published(key string) { _ = os.Remove(l.path(intentName(key))) }

// Swept implements Ledger.
func (l *noted) Swept(_ context.Context, key string) error {
	l.Published(key)
	return nil
}

// Promise implements Ledger: no one else asks for it.
func (l *noted) Promise(context.Context, Promise) error { return nil }

// Late implements Ledger.
func (l *noted) Late(_ context.Context, now time.Time, age time.Duration) (late []Intent, err error) {
	entries, err := os.ReadDir(l.path(intentsDir))
	for _, e := range entries {
		var in Intent
		text, err := os.ReadFile(l.path(intentsDir + "/" + e.Name()))
		if err != nil || json.Unmarshal(text, &in) != nil || now.Sub(in.At) < age {
			continue // it is gone, half written, or too young
		}
		late = append(late, in)
	}
	return late, err
}

func owedName(n int64) string { return owedDir + "/" + strconv.FormatInt(n, 10) + ".json" }

// ForgetOwed forgets what a store in the directory root owed, before it is opened.
func ForgetOwed(root string) error {
	return os.RemoveAll(filepath.Join(root, filepath.FromSlash(owedDir)))
}

// Owe implements Ledger.
func (l *noted) Owe(text []byte) (Note, error) {
	l.last++
	return Note{Number: l.last, Text: text}, writeFile(l.Dir, owedName(l.last), text)
}

// Owed implements Ledger.
func (l *noted) Owed(context.Context) (list []Note, err error) {
	entries, err := os.ReadDir(l.path(owedDir))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, isWhole := strings.CutSuffix(e.Name(), ".json")
		number, err := strconv.ParseInt(name, 10, 64)
		if !isWhole || err != nil {
			continue // half written: then the request was not answered
		}
		text, err := os.ReadFile(l.path(owedDir + "/" + e.Name()))
		if err == nil && !json.Valid(text) {
			err = errors.New("it is damaged")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", owedName(number), err)
		}
		list, l.last = append(list, Note{Number: number, Text: text}), max(l.last, number)
	}
	slices.SortFunc(list, func(a, b Note) int { return cmp.Compare(a.Number, b.Number) })
	return list, nil
}

// Paid implements Ledger.
func (l *noted) Paid(_ context.Context, n Note) error {
	if err := os.Remove(l.path(owedName(n.Number))); err != nil {
		return err
	}
	return flush(l.path(owedDir))
}
