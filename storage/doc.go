// Package storage is the store: datasets whose every change is a commit that can be undone, compared and read again.
//
// A store is a directory. Its objects are immutable files and the log of what happened; its catalog is their index,
// which a start brings up to date with the objects. A change becomes visible in one transaction of the catalog, after
// everything that it wrote is on the disk. The layout, the formats and what a start does are in README.md.
//
// # Words
//
//	commit        one atomic change of a dataset: the files that it opens and closes, and what the dataset is after it
//	data file     rows that a commit wrote, each tagged with it (_commit)
//	rollback file rows that a commit displaced, as they were, each with the place where it lay (_file, _pos)
//	compacted file rows of several files, which readers open in place of these; a cache, which may be lost
//	key filter    says which row groups of a file may have a key; a cache, too
//	entry         that a file serves a dataset from one commit until another: which files are live follows from that
//	state         what a dataset is as of one commit; with its live files, a snapshot (package snapshot)
//	ref           what names a state: head, a commit, a version, a savepoint, a tag, a time, and others (Refs)
//	tag           a name that people give to a state and may move
//	row tag       the _commit of a commit's rows: its id, or that of the commit that it plays
//	family        a dataset and its forks: they share files, row ids and column ids
//	effects       what a commit did beside changing records: to the schema, and to the values of whole columns
//	verdict       what becomes of a record that both an action and the target of a merge changed
//	action        a commit as collaborators see it; a merge plays the actions of a source on a target
//	label         what is kept beside commits: how a dataset was made, versions, savepoints, tags, deletions, backups
//	file history  when each file of a dataset was live, in memory, up to a commit
//	block         files of a state that follow one another by id, and what their statistics amount to
//	digest        a number that stands for the records of a state, by their values
//	birth         a dataset as it was before its first commit
//	manifest      commit.json: the description of a commit, from which it can be recorded again
//	draft         what a commit is, as plain data, while it is made
//	work          a draft with what is held for it: the lock, a connection, a directory for files
//	workspace     where a commit's files are written, with the connection that its statements run on
//	publication   what one commit.json describes and one transaction records
//	group         small commits of one dataset that become durable together
//	gate          a named check that a dataset's commits, merges or versions must pass (package gating); what values may be
//	              stored at all is up to package gate
//	graft         a dataset of a backup that is brought in with its history, under new ids
//	removal       rows that a family lost for ever: of records that were erased, or that no kept state sees
//	cut           the moment whose state a backup of the store has
//	target        a directory of such backups
//	receipt       the answer to a request, kept in the transaction that does the work, so that it happens once
//
// # The parts of a store
//
// Store makes commits. What else there is to do has a type of its own, which holds what it needs and is declared in the
// file of its purpose.
//
//	journal       the objects and the catalog, as they are written: both or neither        journal.go, halt.go, label.go
//	directory     the data directory: its lock, its marker, its catalog                    directory.go
//	Files         stored files, verified before they are read                              guard.go
//	History       what datasets are and were, what commits did, what names them            history.go, refs.go, sets.go
//	Tables        the records of snapshots, for statements and as files                    filter.go, export.go
//	Staging, Disk uploads on their way and scratch files; the room for them                staging.go, disk.go
//	Requests      what requests were told, and jobs                                        receipt.go, job.go
//	Backups       archives                                                                 backup.go
//	StoreBackups  backups of the whole store: store_backup.go when, store_backup_cut.go of what moment,
//	              store_backup_copy.go how; store_restore.go back, graft.go one dataset back,
//	              repair.go single files back
//	Digests       digests of states, by their records' values                              digest.go, digest_sum.go
//	Readers       the processes that read uploads                                          readers.go, upload.go
//	Scrubs        readings of every stored file                                            scrub.go
//	Upkeep        compaction, key filters and digests in the background: upkeep.go when, compact_plan.go of what,
//	              compact.go how, filter_upkeep.go
//	Removals      rows that go for ever: forget.go how, erase.go of which records
//	Counts        what was committed since the start, for metrics                          counts.go
//	Quotas        what projects may store                                                  quota.go
//	Published     states as engines of Iceberg see them: published.go which; published_state.go, published_files.go how
//	Vacuums       what no kept state sees: vacuum_keep.go what is kept, vacuum_plan.go what goes, vacuumed.go what is gone
//
// Of a commit that is being made, work is what all of them go through, from begin to publish. What only some need has a
// type of its own:
//
//	fileWriter    the files of the commit: names, ids, measures, slices of wide records    write.go, slices.go
//	recordWriter  the records that it changes, and those that they displace                rewrite.go, picked.go
//	idSource      the ids that it gives to rows and columns                                family.go
//	noted         what became of values meanwhile, for the effects                         noted.go, effects.go
//	modeWork      what the modes do to records                                             modes.go, delete.go
//	arriving      an upload while it is read                                               incoming.go, few.go, wide.go
//	undoWork      a commit that undoes others                                              rollback.go, cascade.go
//	variableWork  a change of variables                                                    variable.go
//	actionWork    a commit of a merge; rowPlayer its records                               merge_action.go, merge_rows.go
//
// # Where to begin
//
//	commit.go     the protocol of a commit, a step a call: publish and its steps, in order
//	work.go       what a commit holds, and begin; write.go the files that it writes
//	group.go      small commits that wait for each other, and become durable together; recorder.go those of several
//	              datasets, where servers share the catalog
//	draft.go      what a commit is; manifest.go how it is described, publication.go what is recorded, in one transaction
//	store.go      the parts; open.go how they are put together
//	refs.go       from a ref to a snapshot; file_history.go the files of states long ago
//	modes.go      append, overwrite, upsert and replace; delete.go
//	incoming.go   an upload on its way in; fit.go its columns, kept.go its records, keys.go its keys
//	rewrite.go    what becomes of live records; live_keys.go, find_keys.go, compare_here.go those of few keys
//	rollback.go   undoing a commit; blockers.go what stands in the way, cascade.go undoing that too
//	restore.go    going back to a state
//	fork.go       forks; merge.go merging, merge_rows.go and merge_columns.go what it does to records and variables
//	              merge_verdict.go what becomes of records that both sides changed; merge_resolve.go who decides that
//	variable.go   columns as people see them
//	properties.go what is said of a dataset, edit.go changing that; required.go columns that must have values,
//	              exclusion.go records hidden from Crunch clients, gates.go checks that changes must pass
//	effects.go    what a commit did beside changing records
//	version.go    versions; savepoint.go savepoints, tag.go tags
//	feed.go       what was recorded since someone looked last
//	forward.go    bringing the catalog up to the objects; check.go whether a store is sound
//
// The packages below know nothing of stores. Which of them may know which is in server/cli/architecture_test.go.
//
//	fault         what a refusal says           schema    types and columns        blob       immutable objects
//	catalog       rows and transactions         duck      the door to DuckDB       datafile   Parquet files
//	snapshot      states and their differences  clientsql SQL that clients write   gate       what may be stored
//	intake        records in                    output    records out              verify     files against the catalog
//	digest        sums of records' hashes   lookup     rows of few keys       gating     checks of changes
//	backup        backups in a directory    seal       checksums of descriptions
//
// # What proves it
//
//	upgrade_test.go                       a catalog of an earlier version: crashes and full disks at each step of its upgrade
//	group_test.go                         groups: a crash at each durable step, and many writers against a model
//	vacuum_test.go                        what vacuum keeps, and that all else is refused
//	golden_commits_test.go                a store of an earlier program reads as it did, and comes out in the same bytes
//	protocol_test.go, log_test.go         what is written when, and what a lost or older catalog is rebuilt from
//	find_keys_test.go                     few keys are found where statements find them, and what that reads
//	gates_test.go                         what gates refuse, and that nothing is left of it
//
// In package storage/crash:
//
//	crash_test.go, family_crash_test.go   a crash at each durable step, then a start: the commit stands or it does not
//	vacuum_beside_test.go                 a full disk under vacuum, and what began before it
//	noted_start_test.go                   a start after a crash reads what changed, and leaves what a full one does
//	compact_, erase_, vacuum_fault_test.go  faults and crashes of upkeep, and that nothing holds what is gone
//	store_backup_test.go, store_restore_test.go, repair_test.go  one moment, crashes, damage, what is erased meanwhile
//	damage_test.go, disk_test.go          files that are not what was written, and disks that refuse
//
// In package storage/models:
//
//	history_test.go, family_test.go       random histories and fork families against a model, from printed seeds
//	vacuum_family_test.go, erase_model_test.go  vacuum and erasures in random families
//	gates_model_test.go                   what gates refuse, against a model without SQL
package storage
