package permit

import (
	"context"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fault"
)

// Every is how often a caller is looked at anew while something is computed for them, or sent to them.
const Every = time.Second

// errWithdrawn ends what is being sent to someone who may not see it any more.
var errWithdrawn = &fault.Error{
	Kind: fault.Forbidden, Code: "access_withdrawn",
	Detail: "Your access was withdrawn or has expired while this was being answered. Log in again, or ask an admin.",
}

// Still refuses a caller who may see less than when the request was let in: the user was removed or disabled, the token
// or session has ended, or a project or the role of an admin was taken away. Which projects an answer is about is not
// looked at. A token of an identity provider, which lasts minutes, may have expired. Where users can't be read, nobody
// can have been removed since, and what goes on may go on.
func Still(c access.Caller) error {
	now := c.Begun()
	if now.Refused != nil && now.Refused.Unavailable {
		return nil
	}
	if c.IsKnown() && !now.IsKnown() || c.IsAdmin() && !now.IsAdmin() {
		return errWithdrawn
	}
	for project, role := range c.Roles {
		if role > access.None && now.Role(project) == access.None {
			return errWithdrawn
		}
	}
	return nil
}

// While calls end with the reason once a caller may see less than when the request was let in, unless ctx ends before.
func While(ctx context.Context, c access.Caller, end func(cause error)) {
	look := time.NewTicker(Every)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if err := Still(c); err != nil {
				end(err)
				return
			}
		}
	}
}
