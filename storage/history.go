package storage

// History reads what datasets are and were, what commits did, and what names them. It changes nothing.
type History struct {
	*journal
	stored *Files
	heads  *headCache
	seen   *fileCache
}
