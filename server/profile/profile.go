// Package profile keeps servers and tokens that a user has logged in to, in one file that only the user can read.
package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Default is the name of the profile that is used if none is named.
const Default = "default"

// Profile is a server, and the token to send to it. An open server needs none.
type Profile struct {
	Server string `json:"server"`
	Token  string `json:"token,omitempty"`
}

// Profiles are all of a user's, and which of them is used if none is named.
type Profiles struct {
	Current string             `json:"current"`
	By      map[string]Profile `json:"profiles"`
}

// Path returns the file of the user's profiles.
func Path() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for the configuration: %w", err)
	}
	return filepath.Join(dir, "rowback", "profiles.json"), nil
}

// Load reads the profiles in a file; none if there is no file. A file that others can read is refused: it has tokens.
func Load(path string) (p Profiles, err error) {
	p = Profiles{Current: Default, By: map[string]Profile{}}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return p, fmt.Errorf("%s has tokens, and others can read it: run chmod 600 %[1]s", path)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- the user's own configuration
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s can't be read: %w. Correct it, or remove it and log in again", path, err)
	}
	if p.By == nil {
		p.By = map[string]Profile{}
	}
	return p, nil
}

// Save writes the profiles to a file that only the user can read.
func (p Profiles) Save(path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), "profiles-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	_, err = part.Write(append(text, '\n'))
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}

// Of returns the profile with a name; without a name, the current one. The user may not have logged in: then it is
// empty, unless a name was given.
func (p Profiles) Of(name string) (Profile, error) {
	if found, ok := p.By[name]; ok {
		return found, nil
	}
	if name != "" {
		return Profile{}, fmt.Errorf("there is no profile %q: see rowback profile list, or rowback login --profile %[1]s",
			name)
	}
	return p.By[p.Current], nil
}

// At returns the profile of a server: the current one if it is its, or else any.
func (p Profiles) At(server string) Profile {
	if current := p.By[p.Current]; current.Server == server {
		return current
	}
	for _, found := range p.By {
		if found.Server == server {
			return found
		}
	}
	return Profile{}
}
