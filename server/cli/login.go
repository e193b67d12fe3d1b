package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/rowback/rowback/server/profile"
)

// loginCmd keeps a server and a token in the user's configuration.
type loginCmd struct {
	Server  string `arg:"" optional:"" help:"The server: its URL, or host:port. By default http://127.0.0.1:8000."`
	Profile string `help:"Name of the profile, of which you may have several." default:"default" placeholder:"NAME"`
	APIKey  string `name:"api-key" help:"The token. By default it is asked for, or read from standard input." placeholder:"TOKEN"`
}

// Run tries the token and keeps it.
func (cmd *loginCmd) Run(c console) error {
	if cmd.Server == "" {
		cmd.Server = defaultServer
	}
	server, err := serverURL(cmd.Server)
	if err != nil {
		return err
	}
	if cmd.APIKey == "" {
		if cmd.APIKey, err = c.readToken(); err != nil {
			return err
		}
	}
	var me struct {
		User string `json:"user"`
	}
	if err := (remote{Server: server, APIKey: cmd.APIKey}).get("/api/v1/me", nil, &me); err != nil {
		return err
	}
	path, err := changeProfiles(func(known *profile.Profiles) error {
		known.By[cmd.Profile] = profile.Profile{Server: server, Token: cmd.APIKey}
		known.Current = cmd.Profile
		return nil
	})
	if err != nil {
		return err
	}
	answer := map[string]any{"profile": cmd.Profile, "server": server, "user": me.User, "file": path}
	return c.answer(answer, func() {
		c.printf("logged in to %s as %s; kept as profile %s in %s\n", server, me.User, cmd.Profile, path)
	})
}

// readToken asks for a token without showing it, or reads the first line of standard input. An open server needs none.
func (c console) readToken() (string, error) {
	if f, ok := c.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(c.err, "Token (none for an open server): ")
		token, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		return strings.TrimSpace(string(token)), err
	}
	if c.in == nil {
		return "", nil
	}
	lines := bufio.NewScanner(c.in)
	lines.Scan()
	return strings.TrimSpace(lines.Text()), lines.Err()
}

// changeProfiles changes the user's profiles and returns the file that has them.
func changeProfiles(change func(*profile.Profiles) error) (path string, err error) {
	if path, err = profile.Path(); err != nil {
		return "", err
	}
	known, err := profile.Load(path)
	if err != nil {
		return "", err
	}
	if err := change(&known); err != nil {
		return "", err
	}
	return path, known.Save(path)
}

// logoutCmd forgets a profile.
type logoutCmd struct {
	Profile string `help:"The profile to forget. By default the current one." placeholder:"NAME"`
}

// Run forgets a profile. The token stays valid at the server.
func (cmd *logoutCmd) Run(c console) error {
	var gone profile.Profile
	_, err := changeProfiles(func(known *profile.Profiles) error {
		if cmd.Profile == "" {
			cmd.Profile = known.Current
		}
		found, ok := known.By[cmd.Profile]
		if !ok {
			return exitError{exitNotFound, fmt.Errorf("there is no profile %q", cmd.Profile)}
		}
		gone = found
		delete(known.By, cmd.Profile)
		if known.Current == cmd.Profile {
			known.Current = profile.Default
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.answer(map[string]any{"profile": cmd.Profile}, func() {
		c.printf("profile %s of %s is forgotten. Its token is valid until you revoke it with rowback token revoke\n",
			cmd.Profile, gone.Server)
	})
}

// profileCmd lists profiles, or chooses one.
type profileCmd struct {
	List profileListCmd `cmd:"" default:"withargs" help:"List profiles (the default)."`
	Use  profileUseCmd  `cmd:"" help:"Choose the profile that commands use."`
}

// profileListCmd lists profiles.
type profileListCmd struct{ formatFlag }

// profileAnswer is a profile as it is listed, without its token.
type profileAnswer struct {
	Name     string `json:"name"`
	Server   string `json:"server"`
	HasToken bool   `json:"has_token"`
	Current  bool   `json:"current"`
}

// Run lists profiles.
func (cmd *profileListCmd) Run(c console) error {
	path, err := profile.Path()
	if err != nil {
		return err
	}
	known, err := profile.Load(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list := []profileAnswer{}
	for _, name := range sorted(known.By) {
		p := known.By[name]
		list = append(list, profileAnswer{name, p.Server, p.Token != "", name == known.Current})
	}
	return cmd.print(c, list, "PROFILE\tSERVER\tTOKEN\tCURRENT", func(row func(...any)) {
		for _, p := range list {
			row(p.Name, p.Server, yes(p.HasToken), yes(p.Current))
		}
	})
}

// profileUseCmd chooses a profile.
type profileUseCmd struct {
	Name string `arg:"" help:"The profile."`
}

// Run chooses a profile.
func (cmd *profileUseCmd) Run(c console) error {
	var chosen profile.Profile
	_, err := changeProfiles(func(known *profile.Profiles) (err error) {
		if chosen, err = known.Of(cmd.Name); err != nil {
			return exitError{exitNotFound, err}
		}
		known.Current = cmd.Name
		return nil
	})
	if err != nil {
		return err
	}
	return c.answer(chosen.Server, func() { c.printf("commands talk to %s\n", chosen.Server) })
}
