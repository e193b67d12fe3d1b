package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/storage/datadir"
)

// credentials are the flags about who is let in.
type credentials struct {
	Token       []string `help:"${token}" placeholder:"USER:TOKEN"`
	TokenFile   string   `help:"${token_file}" type:"path" placeholder:"FILE"`
	Insecure    bool     `help:"${insecure}"`
	SessionIdle duration `help:"${session_idle}" default:"24h" placeholder:"TIME"`
	SessionLife duration `help:"${session_life}" default:"7d" placeholder:"TIME"`
	Open        bool     `hidden:"" help:"The former name of --insecure."`
}

// insecure reports whether the operator allows other machines to connect without TLS, or without tokens.
func (f credentials) insecure() bool { return f.Insecure || f.Open }

// lives is how long sessions last.
func (f credentials) lives() access.Lives {
	return access.Lives{Idle: time.Duration(f.SessionIdle), Whole: time.Duration(f.SessionLife)}
}

// fixed reads --token and --token-file.
func (f credentials) fixed() (access.Fixed, error) {
	tokens := access.Tokens{}
	for _, pair := range f.Token {
		user, token, ok := strings.Cut(pair, ":")
		if !ok || user == "" || token == "" {
			return nil, fmt.Errorf("--token %s: write it as user:token", pair)
		}
		if err := access.CheckToken(token); err != nil {
			return nil, fmt.Errorf("--token %s: %w", user, err)
		}
		tokens[token] = user
	}
	out := tokens.Fixed()
	if f.TokenFile == "" {
		return out, nil
	}
	more, err := access.ReadFile(f.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	maps.Copy(out, more)
	return out, nil
}

// checkAddresses refuses addresses that other machines can reach, unless connections are encrypted or the operator
// insists.
func (cmd *serveCmd) checkAddresses() error {
	if cmd.FlightAddr != "" {
		if err := access.CheckAddress("--flight-addr", cmd.FlightAddr, cmd.isEncrypted(), cmd.insecure()); err != nil {
			return err
		}
	}
	return access.CheckAddress("--addr", cmd.Addr, cmd.isEncrypted(), cmd.insecure())
}

// isLocal reports whether only this machine can reach the server.
func (cmd *serveCmd) isLocal() bool {
	local, err := access.IsLocal(cmd.Addr)
	if cmd.FlightAddr != "" && err == nil && local {
		local, err = access.IsLocal(cmd.FlightAddr)
	}
	return err == nil && local
}

// letIn decides who is let in. Where other machines can reach a server that has no tokens yet, it makes one of an
// admin, and prints it: the only time that it is shown.
func (s *serving) letIn(ctx context.Context) (err error) {
	if s.accounts, err = accounts.Open(ctx, s.settings, nil, s.log); err != nil {
		return err
	}
	s.accounts.Closed = func() { guard(s.dir, s.log) }
	s.accounts.Changed = s.stopWebhooks
	if isClosed(s.accounts) {
		guard(s.dir, s.log)
	}
	if s.provider, err = s.SignOn.provider(s.accounts, s.log); err != nil {
		return err
	}
	needed := len(s.fixed) > 0 || s.TokenFile != ""
	hasAdmin := needed || isClosed(s.accounts) || s.provider != nil && s.provider.HasAdmins()
	if !hasAdmin && !s.isLocal() && !s.insecure() {
		if err := s.makeFirstToken(ctx); err != nil {
			return fmt.Errorf("making the first token: %w", err)
		}
	}
	o := access.Options{
		Fixed: s.fixed, Needed: needed, Directory: s.accounts, Sessions: s.accounts, Members: s.accounts,
		Failures: s.accounts.Failures(), Lives: s.lives(), Log: s.log,
	}
	if s.provider != nil { // an interface with no provider in it would not be nil
		o.Provider = s.provider
	}
	s.shared.gate = access.New(o)
	if s.TokenFile != "" {
		s.reloadTokens(ctx)
	}
	return nil
}

// makeFirstToken makes a token of an admin, and prints it, unless another server that starts at the same moment has.
func (s *serving) makeFirstToken(ctx context.Context) error {
	unlock, err := s.store.Exclude(ctx, "first token")
	if err != nil {
		return err
	}
	defer unlock()
	if isClosed(s.accounts) {
		return nil
	}
	token, err := adminToken(ctx, s.accounts, "", "printed at the first start")
	if err == nil {
		s.console.printf("The token of the user admin, which is not shown again: %s\n", token)
	}
	return err
}

// isClosed reports whether there has been a token when the accounts were opened, or another server has made one since.
// If that can't be read now, each request is told so.
func isClosed(a *accounts.Accounts) bool {
	closed, err := a.IsClosed()
	return closed || err != nil
}

// guard notes beside the data that there are users, so that no start without them lets everyone in.
func guard(dir string, log *slog.Logger) {
	if err := datadir.Guard(dir); err != nil {
		log.Error("store.json could not be written: a start without settings.db would let everyone in", "error", err)
	}
}

// reloadTokens reads --token-file again at each SIGHUP. A file with a mistake changes nothing.
func (s *serving) reloadTokens(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			}
			fixed, err := s.serveCmd.fixed()
			if err != nil {
				s.log.Error("the tokens could not be read again; those before stay", "error", err)
				continue
			}
			s.shared.gate.Replace(fixed)
			s.log.Info("the tokens were read again", "tokens", len(fixed))
			if err := s.reviewWebhooks(ctx); err != nil {
				s.log.Error("webhooks of users without a token could not be stopped", "error", err)
			}
		}
	}()
}
