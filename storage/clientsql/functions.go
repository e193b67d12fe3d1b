package clientsql

import (
	"context"
	_ "embed"
	"regexp"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
)

// functionList has a paragraph with the names of functions that compute and one with the others, each after a sentence.
//
//go:embed functions.txt
var functionList string

// pureTables are the table functions that read no files and no state.
var pureTables = []string{"unnest", "range", "generate_series", "json_each", "json_tree", "repeat"}

// wordy matches names of functions that are not operators.
var wordy = regexp.MustCompile(`^[a-z]`)

// call is a function in a statement.
type call struct {
	name   string // in lower case
	offset int    // bytes into the statement
}

// functions returns the names of the functions that clients may call and of those that they may not, in lower case.
func functions() (allowed, refused []string) {
	parts := regexp.MustCompile(`\n\n+`).Split(strings.TrimSpace(strings.ToLower(functionList)), -1)
	return strings.Fields(parts[1]), strings.Fields(parts[3])
}

// checkCalls returns an error for the first call of a function that clients may not call, or that does not exist.
func checkCalls(ctx context.Context, box *duck.Conn, calls []call) error {
	allowed, refused := functions()
	for _, c := range calls {
		switch {
		case slices.Contains(allowed, c.name):
		case slices.Contains(refused, c.name):
			return forbiddenAt(c.offset, c.name+"()")
		case strings.Contains(c.name, "`"):
			return invalid(c.offset, "A name is quoted as in \"name\", and not with `.")
		default:
			words := slices.DeleteFunc(allowed, func(name string) bool { return !wordy.MatchString(name) })
			near, err := Nearest(ctx, box, words, c.name, 3)
			if err != nil {
				return err
			}
			return invalid(c.offset, "There is no function %s(); the nearest names are %s.",
				fault.Clip(c.name), strings.Join(near, ", "))
		}
	}
	return nil
}

// nearest is the SQL of the names that are most similar to one.
const nearest = `SELECT n FROM (SELECT unnest({names}) AS n)
	ORDER BY damerau_levenshtein(lower(n), lower({name})), n LIMIT {most}`

// Nearest returns up to most of the names, the most similar to like first.
func Nearest(ctx context.Context, conn *duck.Conn, names []string, like string, most int) ([]string, error) {
	return listed(ctx, conn, duck.Fill(nearest, duck.Parts{
		"names": duck.Texts(names), "name": duck.Text(like), "most": most,
	}))
}

// listed returns the rows of a query with one column of text.
func listed(ctx context.Context, conn *duck.Conn, query string) (list []string, err error) {
	err = conn.Rows(ctx, query, func(scan duck.Scan) error {
		var one string
		err := scan(&one)
		list = append(list, one)
		return err
	})
	return list, err
}
