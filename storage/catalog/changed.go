package catalog

// nextChange is the number of a change. Transactions that write are one after another, so numbers grow in the order in
// which changes become visible: whoever has read those up to one misses none.
const nextChange = `(SELECT COALESCE(MAX(changed), 0) + 1 FROM datasets)`

// Touch notes that something about a dataset has changed that is not a commit of it. MoveHead and AddDataset do so by
// themselves. A dataset that does not exist is not noted.
func (tx Tx) Touch(dataset string) error {
	return tx.exec(`UPDATE datasets SET changed = `+nextChange+` WHERE id = $1`, dataset)
}

// LastChange returns the number of the last change of any dataset; 0: there was none.
func (tx Tx) LastChange() (int64, error) {
	return get(tx, scanInt, `SELECT COALESCE(MAX(changed), 0) FROM datasets`)
}

// Changes returns the number of the last change of each dataset.
func (tx Tx) Changes() (map[string]int64, error) {
	out := map[string]int64{}
	_, err := list(tx, func(s scanner) (none struct{}, err error) {
		var id string
		var n int64
		err = s.Scan(&id, &n)
		out[id] = n
		return none, err
	}, `SELECT id, changed FROM datasets`)
	return out, err
}

// ChangedSince lists the datasets that have changed after a number, those whose last change is the oldest first, and
// returns the number to go on from.
func (tx Tx) ChangedSince(after int64, limit int) (datasets []string, last int64, err error) {
	last = after
	datasets, err = list(tx, func(s scanner) (id string, err error) { return id, s.Scan(&id, &last) },
		`SELECT id, changed FROM datasets WHERE changed > $1 ORDER BY changed LIMIT $2`, after, limit)
	return datasets, last, err
}
