package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Checked is what a check of a target found.
type Checked struct {
	Backups  int
	Objects  int // different ones, which were read
	Bytes    int64
	Problems []string
}

// Check reads every object of the target and compares it with its name, and looks whether all that backups name is
// there. With aside, an object that is not what was written is removed, so that the next backup copies it again.
func (t *Target) Check(ctx context.Context, aside bool) (out Checked, err error) {
	all, unreadable, err := t.List(ctx)
	if err != nil {
		return out, err
	}
	for _, name := range unreadable {
		out.Problems = append(out.Problems, fmt.Sprintf("the manifest %s can't be read", name))
	}
	found, err := t.examine(ctx, &out)
	if err != nil {
		return out, err
	}
	for _, m := range all {
		out.Backups++
		if err := out.checkBackup(ctx, t, m, found); err != nil {
			return out, err
		}
	}
	for sum, o := range found {
		if o.wrong != "" && !o.named {
			out.Problems = append(out.Problems,
				fmt.Sprintf("object %s, which no backup that can be read names: %s", sum, o.wrong))
		}
		if o.wrong == "" || !aside {
			continue
		}
		if err := errors.Join(t.held.check(ctx), t.place.remove(ctx, o.place())); err != nil {
			return out, err
		}
	}
	return out, nil
}

// examined is an object that was read.
type examined struct {
	Object
	wrong string // why it can't be used; empty: it can
	named bool
}

// examine reads all objects of a target.
func (t *Target) examine(ctx context.Context, out *Checked) (map[string]*examined, error) {
	found := map[string]*examined{}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.AtOnce())
	err := t.eachObject(ctx, func(o Object) error {
		g.Go(func() error {
			one := &examined{Object: o}
			err := t.Fetch(ctx, o, io.Discard)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.Is(err, ErrAway):
				return err // which says nothing about the object
			case err != nil:
				one.wrong = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			found[o.SHA256] = one
			out.Objects, out.Bytes = out.Objects+1, out.Bytes+o.Size
			return nil
		})
		return ctx.Err()
	})
	return found, cmp.Or(g.Wait(), err)
}

// checkBackup looks whether all that a backup names is there.
func (c *Checked) checkBackup(ctx context.Context, t *Target, m Manifest, found map[string]*examined) error {
	say := func(key, wrong string) {
		c.Problems = append(c.Problems, fmt.Sprintf("backup %s: %s: %s", m.ID, key, wrong))
	}
	look := func(key string, o Object) {
		switch one := found[o.SHA256]; {
		case one == nil:
			say(key, "it is missing")
		case one.wrong != "":
			one.named = true
			say(key, one.wrong)
		}
	}
	for name, o := range m.own() {
		look("its "+name, o)
	}
	entries, err := t.Entries(ctx, m)
	if errors.Is(err, ErrDamaged) {
		return nil // its list was reported
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		look(e.Key, e.Object)
	}
	for _, d := range m.Damaged {
		say(d.Key, "it was damaged in the store: "+d.Detail)
	}
	return nil
}
