package storage

// withdraw takes the commit of a key out of the objects, if it is there. Its description stays in quarantine, so that
// its numbers are not given again. It is moved and not deleted: an operator may want to know what it was.
func (j *journal) withdraw(key string) error {
	if !j.blobs.Has(key) {
		return nil // it was never there
	}
	name, err := j.blobs.Quarantine(key, j.quarantineName(key, withdrawn))
	if err != nil {
		return err
	}
	if err := j.blobs.Strip(name, descriptionFile); err != nil {
		j.log.Warn("the files of a withdrawn commit could not be removed", "quarantine", name, "error", err)
	}
	return nil
}
