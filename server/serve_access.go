package main

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

	"rowback/server/access"
	"rowback/server/accounts"
	"rowback/server/settings"
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
		if err := access.CheckAddress("--flight-addr", cmd.FlightAddr, cmd.TLSCert != "", cmd.insecure()); err != nil {
			return err
		}
	}
	return access.CheckAddress("--addr", cmd.Addr, cmd.TLSCert != "", cmd.insecure())
}

// isLocal reports whether only this machine can reach the server.
func (cmd *serveCmd) isLocal() bool {
	local, err := access.IsLocal(cmd.Addr)
	if cmd.FlightAddr != "" && err == nil && local {
		local, err = access.IsLocal(cmd.FlightAddr)
	}
	return err == nil && local
}

// gate returns who decides who is let in, and the accounts that it looks at. Where other machines can reach a server
// that has no tokens yet, it makes one of an admin, and prints it: the only time that it is shown.
func (cmd *serveCmd) gate(
	ctx context.Context, c console, set *settings.DB, fixed access.Fixed, log *slog.Logger,
) (*access.Gate, *accounts.Accounts, error) {
	known, err := accounts.Open(ctx, set, nil, log)
	if err != nil {
		return nil, nil, err
	}
	needed := len(fixed) > 0 || cmd.TokenFile != ""
	if !needed && !known.IsClosed() && !cmd.isLocal() && !cmd.insecure() {
		token, err := adminToken(ctx, known, "", "printed at the first start")
		if err != nil {
			return nil, nil, fmt.Errorf("making the first token: %w", err)
		}
		fmt.Fprintf(c.out, "The token of the user admin, which is not shown again: %s\n", token)
	}
	gate := access.New(access.Options{
		Fixed: fixed, Needed: needed, Directory: known, Sessions: known, Lives: cmd.lives(), Log: log,
	})
	if cmd.TokenFile != "" {
		cmd.reloadTokens(ctx, gate, log)
	}
	return gate, known, nil
}

// reloadTokens reads --token-file again at each SIGHUP. A file with a mistake changes nothing.
func (cmd *serveCmd) reloadTokens(ctx context.Context, gate *access.Gate, log *slog.Logger) {
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
			fixed, err := cmd.fixed()
			if err != nil {
				log.Error("the tokens could not be read again; those before stay", "error", err)
				continue
			}
			gate.Replace(fixed)
			log.Info("the tokens were read again", "tokens", len(fixed))
		}
	}()
}
