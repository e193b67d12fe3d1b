package blob

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Quarantine implements Changes, by copies within the bucket. What was there is removed after that, the description
// first.
func (r *Remote) Quarantine(key, name string) (string, error) {
	ctx := context.Background()
	free := name
	for n := 2; r.isAside(free); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	if err := r.hook("rename", quarantineDir+"/"+free); err != nil {
		return "", err
	}
	found := 0
	for o, err := range r.bucket.List(ctx, below(key), false) {
		if err != nil {
			return "", err
		}
		found++
		to := quarantineDir + "/" + free + "/" + strings.TrimPrefix(o.Key, below(key))
		if err := r.bucket.Copy(ctx, o.Key, to, o.Size); err != nil {
			return "", err
		}
	}
	if found == 0 {
		size, err := r.bucket.Size(ctx, named(key))
		if err == nil {
			err = r.bucket.Copy(ctx, named(key), quarantineDir+"/"+free, size)
		}
		if err != nil {
			return "", err
		}
	}
	r.noteAside(free)
	r.noteChange(key)
	return free, r.removeAll(ctx, key)
}

// listAside finds out what is in quarantine.
func (r *Remote) listAside(ctx context.Context) error {
	for o, err := range r.bucket.List(ctx, quarantineDir+"/", true) {
		if err != nil {
			return err
		}
		r.noteAside(strings.TrimSuffix(strings.TrimPrefix(o.Key, quarantineDir+"/"), "/"))
	}
	return nil
}

func (r *Remote) noteAside(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.aside, name) {
		r.aside = append(r.aside, name)
	}
}

func (r *Remote) isAside(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.aside, name)
}

// Quarantined implements Changes: what was there at the start, and what was moved there since. The catalog is set aside
// in the local directory.
func (r *Remote) Quarantined() ([]string, error) {
	names, err := r.Dir.Quarantined()
	r.mu.Lock()
	defer r.mu.Unlock()
	names = append(names, r.aside...)
	slices.Sort(names)
	return names, err
}

// ReadQuarantined implements Changes.
func (r *Remote) ReadQuarantined(name string) ([]byte, error) {
	return r.bucket.Get(context.Background(), quarantineDir+"/"+name)
}
