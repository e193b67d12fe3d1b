package storage

// withdraw takes the commit of a key out of the objects, if it is there. Its description stays in quarantine, so that
// its numbers are not given again. It is moved and not deleted: an operator may want to know what it was.
func (j *journal) withdraw(key string) error {
	name := j.quarantineName(key, withdrawn)
	left, err := j.blobs.Withdraw(key, name, descriptionFile)
	if left != nil {
		j.log.Warn("the files of a withdrawn commit could not be removed", "quarantine", name, "error", left)
	}
	return err
}
