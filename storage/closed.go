package storage

import "rowback/storage/datadir"

// A store that is closed in order notes when the directories of its datasets changed, with the catalog up to date. The
// next start reads those that have changed since, and nothing else: it costs what changed and not what there is. A
// catalog or a directory that was put in place meanwhile has another time, and after a crash nothing is noted: then all
// is read. TestAStartReadsWhatChanged proves it.

// note notes how the store is closed. Without it the next start reads everything.
func (d *directory) note() error {
	ids, err := d.blobs.Directories("")
	if err != nil {
		return err
	}
	datasets := map[string]string{}
	for _, id := range ids {
		datasets[id] = d.stampOf(id)
	}
	return datadir.Note(d.path, datasets, d.hook)
}

// stampOf returns when what a dataset's directory holds was last added to: commits, labels, backups
// and removals.
func (j *journal) stampOf(dataset string) string {
	return j.blobs.Stamp(dataset, dataset+"/"+labelsDir, dataset+"/"+backupsDir, dataset+"/"+removalsDir)
}

// isAsNoted reports whether a dataset's directory is as it was when the store was closed.
func (f *forward) isAsNoted(dataset string) bool {
	was := f.last.Datasets[dataset]
	return was != "" && was == f.stampOf(dataset)
}
