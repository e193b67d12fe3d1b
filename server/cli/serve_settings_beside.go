package cli

import (
	"context"
	"errors"
	"time"

	"github.com/rowback/rowback/server/settings"
)

// errOtherServer is in the refusal of a server whose users would not be those of one that has the store.
var errOtherServer = errors.New("another server has the store")

// How long a server waits for one that opened the store before it, which may be about to move the settings to where
// both have them, and how often it looks.
const (
	settleWithin = 5 * time.Second
	settleEvery  = 100 * time.Millisecond
)

// settle opens the settings. Of servers that start at the same moment, the first to open the store moves them where
// --settings says, and the others go on with what is there.
func (s *serving) settle(ctx context.Context) (*settings.DB, error) {
	look := time.NewTicker(settleEvery)
	defer look.Stop()
	for end := time.Now().Add(settleWithin); ; {
		set, err := s.settleOnce(ctx)
		if !errors.Is(err, errOtherServer) || time.Now().After(end) {
			return set, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// settleOnce opens the settings while no other server does.
func (s *serving) settleOnce(ctx context.Context) (*settings.DB, error) {
	unlock, err := s.store.Exclude(ctx, "settings")
	if err != nil {
		return nil, err
	}
	defer unlock()
	place := s.place()
	if place.others, err = s.before(ctx); err != nil {
		return nil, err
	}
	return place.settled(ctx, s.serveCmd.Settings, s.log)
}

// before names a server that opened the store before this one, and has it open; empty: none has.
func (s *serving) before(ctx context.Context) (string, error) {
	servers, err := s.store.Servers(ctx)
	for _, one := range servers {
		if one.ID < s.store.ServerID() {
			return one.Name, err
		}
	}
	return "", err
}
