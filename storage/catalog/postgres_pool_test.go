package catalog

import "testing"

// The URL of a catalog says how many connections read it, under a name that PostgreSQL itself does not know.
func TestHowManyConnectionsRead(t *testing.T) {
	for query, want := range map[string]int{"": readers, "?pool_max_conns=5": 5, "?pool_max_conns=0": 0, "?pool_max_conns=x": 0} {
		url := "postgres://somewhere/db" + query
		if got := Readers(url); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
		config, err := PostgresConfig(url)
		if (err == nil) != (want > 0) {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil && config.RuntimeParams[poolSize] != "" {
			t.Errorf("%s: PostgreSQL is asked for it", url)
		}
	}
}
