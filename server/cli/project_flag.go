package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/datadir"
)

// projectRef names a project, by its number or by the name that it has on the server.
type projectRef string

// numbered returns how a project is named by its number.
func numbered(id int64) projectRef { return projectRef(strconv.FormatInt(id, 10)) }

// number returns the number, if the project is named by it.
func (p projectRef) number() (id int64, ok bool) {
	id, err := strconv.ParseInt(string(p), 10, 64)
	return id, err == nil
}

// in returns the number that the project has in a store that no server has open.
func (p projectRef) in(ctx context.Context, at place) (id int64, err error) {
	if id, ok := p.number(); ok {
		return id, nil
	}
	set, done, err := at.reading(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("project %s: the store has no settings, which would have its name: name it by its number", p)
	}
	if err != nil {
		return 0, err
	}
	id, err = projectIn(ctx, set, string(p))
	return id, errors.Join(err, done())
}

// projectIn returns the number of the project that has a name in settings.
func projectIn(ctx context.Context, set *settings.DB, name string) (int64, error) {
	known, err := accounts.Open(ctx, set, nil, nil)
	if err != nil {
		return 0, err
	}
	return known.ProjectID(ctx, name)
}

// reading opens the settings of a store that no server has open, without changing them.
func (p place) reading(ctx context.Context) (set *settings.DB, done func() error, err error) {
	marker, _, err := datadir.Read(p.dir)
	switch {
	case err != nil:
		return nil, nil, err
	case marker.Settings == "":
		copied, err := settings.Copy(ctx, p.dir)
		if err != nil {
			return nil, nil, err
		}
		return copied.DB, copied.Close, nil
	case !p.isDatabase():
		return nil, nil, errSettingsElsewhere
	}
	if set, err = settings.ReadPostgres(ctx, p.catalog); err != nil {
		return nil, nil, err
	}
	return set, set.Close, nil
}

// MarshalJSON writes a number as a number, as the API has it, and a name as a text.
func (p projectRef) MarshalJSON() ([]byte, error) {
	if id, ok := p.number(); ok {
		return json.Marshal(id)
	}
	return json.Marshal(string(p))
}
