package crunch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
	"rowback/storage/catalog"
)

// once is what an Idempotency-Key makes of a request: it is done at most once.
type once struct {
	job     string           // that the same request has begun before; empty: none
	receipt *storage.Receipt // to be kept with the job; nil: the request bears no key
	unlock  func()
}

// once finds out whether a request has been begun before. Others with its key wait until unlock.
func (f *Face) once(ctx context.Context, c *fiber.Ctx, user string) (out once, err error) {
	out.unlock = func() {}
	key := c.Get("Idempotency-Key")
	if key == "" {
		return out, nil
	}
	body, _ := c.Locals(bodyKey).([]byte)
	sum := sha256.Sum256([]byte(c.Method() + " " + c.OriginalURL() + "\n" + string(body)))
	print := hex.EncodeToString(sum[:])
	kept, found, unlock, err := f.store.Once(ctx, user, key, print)
	if err != nil {
		return out, err
	}
	if found {
		if err := json.Unmarshal(kept, &out.job); err != nil {
			unlock()
			return out, err
		}
	}
	out.unlock = unlock
	out.receipt = &storage.Receipt{Key: key, Fingerprint: print, Answer: func(job any) (json.RawMessage, error) {
		return json.Marshal(job.(catalog.Job).ID)
	}}
	return out, nil
}
