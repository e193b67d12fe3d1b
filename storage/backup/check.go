package backup

import (
	"context"
	"fmt"
	"io"
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
	all, unreadable, err := t.List()
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
		out.checkBackup(t, m, found)
	}
	for sum, o := range found {
		if o.wrong != "" && !o.named {
			out.Problems = append(out.Problems,
				fmt.Sprintf("object %s, which no backup that can be read names: %s", sum, o.wrong))
		}
		if o.wrong != "" && aside {
			if err := t.tree.Remove(o.place()); err != nil {
				return out, err
			}
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
	err := t.eachObject(func(o Object, _ string) error {
		one := &examined{Object: o}
		if err := t.Fetch(o, &untilWriter{ctx}); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil {
			one.wrong = err.Error()
		}
		found[o.SHA256] = one
		out.Objects, out.Bytes = out.Objects+1, out.Bytes+o.Size
		return nil
	})
	return found, err
}

// checkBackup looks whether all that a backup names is there.
func (c *Checked) checkBackup(t *Target, m Manifest, found map[string]*examined) {
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
	entries, err := t.Entries(m)
	if err != nil {
		return // its list was reported
	}
	for _, e := range entries {
		look(e.Key, e.Object)
	}
	for _, d := range m.Damaged {
		say(d.Key, "it was damaged in the store: "+d.Detail)
	}
}

// untilWriter takes everything, until a context ends.
type untilWriter struct{ ctx context.Context }

// Write implements io.Writer.
func (u *untilWriter) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, context.Cause(u.ctx)
	}
	return io.Discard.Write(p)
}
