package cli

import (
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// everywhere are the flags that have an environment variable in all commands. Others would change what a command does
// because of a variable that was set for something else.
var everywhere = []string{"server", "api-key", "profile", "project-id", "dataset"}

// asServed are the commands whose flags all have one: doctor says how serve would do with the same variables.
var asServed = []string{"serve", "doctor"}

// environment takes the variables that kong.DefaultEnvars gives to every flag from all others. A variable that is empty
// says nothing: compose sets those that its file names, also without a value.
func environment() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		withoutVariables(k.Model.Node, nil)
		return nil
	})
}

// withoutVariables takes their environment variables from the flags of a command and of the commands below it, but for
// those that are kept and for asServed.
func withoutVariables(n *kong.Node, kept []string) {
	for _, f := range n.Flags {
		if !slices.Contains(kept, f.Name) {
			f.Envs, f.Tag.Envs = nil, nil
		}
	}
	withoutEmpty(n)
	for _, child := range n.Children {
		if slices.Contains(asServed, child.Name) {
			withoutEmpty(child)
		} else {
			withoutVariables(child, everywhere)
		}
	}
}

// withoutEmpty takes the environment variables that are empty from the flags of a command.
func withoutEmpty(n *kong.Node) {
	for _, f := range n.Flags {
		isEmpty := func(name string) bool { value, is := os.LookupEnv(name); return is && value == "" }
		f.Envs, f.Tag.Envs = slices.DeleteFunc(slices.Clone(f.Envs), isEmpty), slices.DeleteFunc(f.Tag.Envs, isEmpty)
	}
}
