package verify

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// fetch has the file of an object come from the source, if there is one, and reports whether it was read in full for
// that.
func (v *Verifier) fetch(ctx context.Context, o Object) (fetched bool, err error) {
	if v.source == nil {
		return false, nil
	}
	fetched, err = v.source.Fetch(ctx, o, false)
	return fetched, v.blameSource(o, err)
}

// fetchAgain has the file of an object be replaced by one that is fetched.
func (v *Verifier) fetchAgain(ctx context.Context, o Object) error {
	_, err := v.source.Fetch(ctx, o, true)
	return v.blameSource(o, err)
}

// blameSource returns a *Damage, which it records, where an error of the source says that the object is damaged.
func (v *Verifier) blameSource(o Object, err error) error {
	var damage *Damage
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		damage = &Damage{o, "it is missing"}
	case errors.Is(err, ErrDiffers):
		damage = &Damage{o, "its checksum differs"}
	default:
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.damaged[o.Key] == nil {
		v.found(damage)
	}
	v.damaged[o.Key] = damage
	return damage
}

// examineSource examines an object past its file, and records the result.
func (v *Verifier) examineSource(
	ctx context.Context, o Object, whole bool, through func(io.Reader) io.Reader,
) error {
	if err := v.blameSource(o, v.source.Examine(ctx, o, whole, through)); err != nil {
		return err
	}
	if whole {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.damaged, o.Key)
	}
	return nil
}
