package cli

import "testing"

// A variable that is empty is as one that is not set, for texts, numbers and durations.
func TestAnEmptyVariableSaysNothing(t *testing.T) {
	for _, name := range []string{"CATALOG", "OBJECTS", "SETTINGS", "CACHE_SIZE", "THREADS", "BACKUP_EVERY", "SERVER"} {
		t.Setenv("ROWBACK_"+name, "")
	}
	parse := func(args ...string) (p program) {
		t.Helper()
		parser, err := newParser(&p, console{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(args); err != nil {
			t.Errorf("%s: %v", args, err)
		}
		return p
	}
	dir := t.TempDir()
	parse("doctor", "--data", dir)
	if p := parse("serve", "--data", dir); p.Serve.CacheSize == 0 || p.Serve.Catalog != "" || p.Serve.Threads != 0 {
		t.Errorf("the defaults are not there: %+v", p.Serve)
	}
	t.Setenv("ROWBACK_THREADS", "3")
	if p := parse("serve", "--data", dir); p.Serve.Threads != 3 {
		t.Errorf("%d threads", p.Serve.Threads)
	}
}
