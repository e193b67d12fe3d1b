package cli

import (
	"os"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// "go install" takes a module whose path could be a place to fetch it from and that replaces no other.
func TestTheModuleCanBeInstalled(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := module.CheckPath(mod.Module.Mod.Path); err != nil {
		t.Error(err)
	}
	if len(mod.Replace) > 0 {
		t.Errorf("go.mod replaces %v: such a module can't be installed", mod.Replace[0].Old)
	}
}
