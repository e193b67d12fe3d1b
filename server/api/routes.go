package api

import (
	"slices"

	"github.com/rowback/rowback/compare"
	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/storage/schema"
)

// Media types of records, in bodies and answers.
var (
	recordMedia = []string{
		"application/vnd.apache.parquet", "application/vnd.apache.arrow.stream", "text/csv", "application/x-ndjson",
		"application/json",
	}
	bodyMedia    = slices.Concat(recordMedia, []string{workbookType})
	commitMedia  = slices.Concat(bodyMedia, []string{filesType})
	parquetMedia = []string{"application/vnd.apache.parquet"}
	tarMedia     = []string{"application/x-tar"}
	bytesMedia   = []string{"application/octet-stream"}
)

// Statuses of the errors that a group of routes may have, in addition to those that any route may have.
var (
	// finds: reads of something by name. writes: also a body that is malformed, and a conflict. takes: also a body of
	// records.
	// All: what vacuum removed.
	finds  = []int{404, 410, 422}
	reads  = []int{404, 409, 410, 422} // 409: a file that is needed is damaged
	files  = []int{404, 406, 409, 410, 412, 416, 422}
	writes = []int{400, 404, 409, 410, 422}
	takes  = []int{400, 404, 409, 410, 413, 415, 422}
)

const (
	datasets = "/api/v1/datasets"
	one      = datasets + "/{dataset}"
	// one is a dataset by id or name; versions are the routes of seed 000, which name the dataset in the request.
	versions = datasets + "/versions"
)

// routes returns every route.
func (a *API) routes() []route {
	return slices.Concat(
		a.datasetRoutes(), a.gateRoutes(), a.collaborationRoutes(), a.proposalRoutes(), a.discussionRoutes(),
		a.commentRoutes(), a.accessRoutes(), a.webhookRoutes(), a.storeBackupRoutes(),
	)
}

// datasetRoutes returns the routes about one dataset. Those of seed 000 come before {dataset}, which would match them
// too.
func (a *API) datasetRoutes() []route {
	return []route{
		{
			method: "GET", path: "/healthz", id: "healthz", tag: "server", role: access.Public,
			summary: "The server runs",
			status:  200, out: statusView{}, handler: a.healthz,
		},
		{
			method: "GET", path: "/readyz", id: "readyz", tag: "server", role: access.Public,
			summary: "The server can take a commit, and which stored files are damaged",
			status:  200, out: readyView{}, problems: []int{503}, handler: a.readyz,
		},
		{
			method: "GET", path: "/api/v1/progress/{id}", id: "getProgress", tag: "server", role: access.Known,
			summary: "Work that was answered with 202",
			in:      progressIn{}, status: 200, out: progress{}, problems: finds, handler: a.getProgress,
		},

		{
			method: "GET", path: versions, id: "listVersions", tag: "versions", role: access.Reader,
			summary: "All versions of a dataset, the lowest number first",
			in:      listVersionsIn{}, status: 200, out: seedVersions{}, problems: finds, handler: a.listVersions,
		},
		{
			method: "POST", path: versions + "/compare", id: "compareVersions", tag: "versions", role: access.Reader,
			summary: "Compare two versions",
			in:      compareVersionsIn{}, status: 200, out: seedComparison{}, problems: writes, handler: a.compareVersions,
		},
		{
			method: "POST", path: versions + "/rollback", id: "rollbackVersion", tag: "versions", role: access.Maintainer,
			summary: "Roll a dataset back to a version",
			in:      rollbackVersionIn{}, status: 200, out: seedMessage{}, problems: writes, handler: a.rollbackVersion,
		},
		{
			method: "POST", path: versions + "/increment", id: "incrementVersion", tag: "versions", role: access.Writer,
			summary: "Name the head with the next version",
			in:      incrementIn{}, status: 200, out: seedIncrement{}, problems: writes, handler: a.incrementVersion,
		},
		{
			method: "GET", path: versions + "/latest", id: "latestVersion", tag: "versions", role: access.Reader,
			summary: "The highest active version",
			in:      latestIn{}, status: 200, out: seedLatest{}, problems: finds, handler: a.latestVersion,
		},
		{
			method: "GET", path: "/api/v1/audit", id: "listAudit", tag: "audit", role: access.Admin,
			summary: "Entries of the audit log, the oldest first",
			in:      listAuditIn{}, status: 200, media: recordMedia, problems: []int{406, 422}, handler: a.listAudit,
		},
		{
			method: "GET", path: "/api/v1/audit/check", id: "checkAudit", tag: "audit", role: access.Admin,
			summary: "Whether entries of the audit log are missing or were changed",
			status:  200, out: audit.Report{}, problems: []int{422}, handler: a.checkAudit,
		},
		{
			method: "POST", path: "/api/v1/audit/acknowledgements", id: "acknowledgeAudit", tag: "audit", role: access.Admin,
			summary: "Acknowledge what is wrong with the audit log: it stays recorded, and does not count any more",
			in:      acknowledgeAuditIn{}, status: 204, problems: writes, handler: a.acknowledgeAudit,
		},

		{
			method: "GET", path: "/api/v1/monitor/versions", id: "monitorVersions", tag: "versions", role: access.Reader,
			summary: "Datasets without versions, rapid version changes, version gaps",
			in:      monitorIn{}, status: 200, out: monitorView{}, problems: []int{422}, handler: a.monitorVersions,
		},

		{
			method: "POST", path: datasets, id: "createDataset", tag: "datasets", role: access.Writer,
			summary: "Create a dataset",
			in:      createDatasetIn{}, status: 201, out: datasetView{}, problems: writes, handler: a.createDataset,
		},
		{
			method: "POST", path: "/api/v1/files", id: "createDatasetFromFile", tag: "datasets", role: access.Writer,
			summary: "Create a dataset with the records of a file: both, or neither",
			in:      datasetFileIn{}, body: bytesMedia, status: 201, out: datasetView{}, problems: takes,
			handler: a.createDatasetFromFile,
		},
		{
			method: "GET", path: datasets, id: "listDatasets", tag: "datasets", role: access.Reader,
			summary: "All datasets",
			in:      listDatasetsIn{}, status: 200, out: datasetList{}, problems: []int{422}, handler: a.listDatasets,
		},
		{
			method: "GET", path: one, id: "getDataset", tag: "datasets", role: access.Reader,
			summary: "A dataset as of its head",
			in:      datasetIn{}, status: 200, out: datasetView{}, problems: finds, handler: onDataset(a, a.getDataset),
		},
		{
			method: "PATCH", path: one, id: "editDataset", tag: "datasets", role: access.Maintainer,
			summary: "Rename or describe a dataset, as a commit",
			in:      editDatasetIn{}, status: 200, out: datasetView{}, problems: writes, handler: onDataset(a, a.editDataset),
		},
		{
			method: "DELETE", path: one, id: "deleteDataset", tag: "datasets", role: access.Maintainer,
			summary: "Delete a dataset; its files stay, so that it can be restored",
			in:      deleteDatasetIn{}, status: 204, problems: writes, handler: onDataset(a, a.deleteDataset),
		},
		{
			method: "POST", path: one + "/undelete", id: "undeleteDataset", tag: "datasets", role: access.Maintainer,
			summary: "Restore a deleted dataset, by its id",
			in:      undeleteDatasetIn{}, status: 200, out: datasetView{}, problems: writes, handler: a.undeleteDataset,
		},
		{
			method: "GET", path: one + "/schema", id: "getSchema", tag: "datasets", role: access.Reader,
			summary: "Columns with types, at a ref",
			in:      refIn{}, status: 200, out: schemaView{}, problems: finds, handler: onDataset(a, a.getSchema),
		},
		{
			method: "GET", path: one + "/digest", id: "getDigest", tag: "datasets", role: access.Reader,
			summary: "A digest of the records' values at a ref: equal records have equal digests",
			in:      refIn{}, status: 200, out: digestView{}, problems: reads, handler: onDataset(a, a.getDigest),
		},
		{
			method: "GET", path: one + "/refs", id: "getRefs", tag: "datasets", role: access.Reader,
			summary: "Versions, savepoints, tags and head",
			in:      datasetIn{}, status: 200, out: refsView{}, problems: finds, handler: onDataset(a, a.getRefs),
		},
		{
			method: "POST", path: one + "/tags", id: "createTag", tag: "datasets", role: access.Writer,
			summary: "Name the state at a ref with a tag",
			in:      createTagIn{}, status: 201, out: tagView{}, problems: writes, handler: onDataset(a, a.createTag),
		},
		{
			method: "GET", path: one + "/tags", id: "listTags", tag: "datasets", role: access.Reader,
			summary: "Tags, by name",
			in:      datasetIn{}, status: 200, out: tagList{}, problems: finds, handler: onDataset(a, a.listTags),
		},
		{
			method: "GET", path: one + "/tags/{tag}", id: "getTag", tag: "datasets", role: access.Reader,
			summary: "One tag",
			in:      oneTagIn{}, status: 200, out: tagView{}, problems: finds, handler: onDataset(a, a.getTag),
		},
		{
			method: "PATCH", path: one + "/tags/{tag}", id: "editTag", tag: "datasets", role: access.Writer,
			summary: "Move a tag to the state at a ref, or describe it",
			in:      editTagIn{}, status: 200, out: tagView{}, problems: writes, handler: onDataset(a, a.editTag),
		},
		{
			method: "DELETE", path: one + "/tags/{tag}", id: "deleteTag", tag: "datasets", role: access.Writer,
			summary: "Remove a tag; what it named stays",
			in:      deleteTagIn{}, status: 204, problems: writes, handler: onDataset(a, a.deleteTag),
		},
		{
			method: "GET", path: one + "/validation", id: "validate", tag: "datasets", role: access.Reader,
			summary: "Check a state's files against their checksums",
			in:      refIn{}, status: 200, out: validation{}, problems: finds, handler: onDataset(a, a.validate),
		},
		{
			method: "GET", path: one + "/upkeep", id: "getUpkeep", tag: "datasets", role: access.Reader,
			summary: "Ask what upkeep would do for a dataset",
			in:      upkeepIn{}, status: 200, out: upkeepView{}, problems: finds, handler: onDataset(a, a.getUpkeep),
		},
		{
			method: "POST", path: one + "/upkeep", id: "createUpkeep", tag: "datasets", role: access.Writer,
			summary: "Compact a dataset now, as upkeep does in the background",
			in:      upkeepIn{}, status: 200, out: upkeepDone{}, problems: finds, handler: onDataset(a, a.createUpkeep),
		},
		{
			method: "GET", path: one + "/vacuum", id: "getVacuum", tag: "datasets", role: access.Reader,
			summary: "Ask what vacuum would remove, and what holds the rest",
			in:      datasetIn{}, status: 200, out: vacuumPlanView{}, problems: reads, handler: onDataset(a, a.getVacuum),
		},
		{
			method: "POST", path: one + "/vacuum", id: "createVacuum", tag: "datasets", role: access.Maintainer,
			summary: "Remove what no kept state of the dataset and its forks sees",
			in:      createVacuumIn{}, status: 200, out: vacuumDone{}, problems: writes, handler: onDataset(a, a.createVacuum),
		},
		{
			method: "GET", path: one + "/vacuums", id: "listVacuums", tag: "datasets", role: access.Reader,
			summary: "What vacuum removed, newest first",
			in:      listVacuumsIn{}, status: 200, out: vacuumList{}, problems: finds, handler: onDataset(a, a.listVacuums),
		},
		{
			method: "POST", path: one + "/erase", id: "createErasure", tag: "datasets", role: access.Maintainer,
			summary: "Erase records from all history, of the dataset and of all its forks",
			in:      eraseIn{}, status: 201, out: erasureView{}, problems: writes, handler: onDataset(a, a.createErasure),
		},
		{
			method: "GET", path: one + "/erasures", id: "listErasures", tag: "datasets", role: access.Reader,
			summary: "Erasures, newest first: when, by whom, and what they affected",
			in:      listErasuresIn{}, status: 200, out: erasureList{}, problems: finds,
			handler: onDataset(a, a.listErasures),
		},

		{
			method: "POST", path: one + "/commits", id: "createCommit", tag: "commits", role: access.Writer,
			summary: "Commit records in a mode",
			in:      commitIn{}, body: commitMedia, status: 201, out: createdCommit{}, problems: takes,
			handler: a.createCommit,
		},
		{
			method: "POST", path: one + "/files", id: "createCommitFromFile", tag: "commits", role: access.Writer,
			summary: "Commit the records of a file in a mode: as createCommit, with its format in the URL",
			in:      fileIn{}, body: bytesMedia, status: 201, out: createdCommit{}, problems: takes,
			handler: a.createCommitFromFile,
		},
		{
			method: "GET", path: "/api/v1/rejected/{id}", id: "getRejected", tag: "commits", role: access.Known,
			summary: "The records that a commit of one's own was made without, each with what is wrong with it",
			in:      rejectedIn{}, status: 200, media: []string{"application/x-ndjson"}, problems: []int{404, 422},
			handler: a.getRejected,
		},
		{
			method: "GET", path: one + "/commits", id: "listCommits", tag: "commits", role: access.Reader,
			summary: "Commits, newest first",
			in:      listCommitsIn{}, status: 200, out: commitList{}, problems: finds, handler: onDataset(a, a.listCommits),
		},
		{
			method: "GET", path: one + "/commits/{id}", id: "getCommit", tag: "commits", role: access.Reader,
			summary: "One commit",
			in:      oneCommitIn{}, status: 200, out: commitDetail{}, problems: finds, handler: onCommit(a, a.getCommit),
		},
		{
			method: "GET", path: one + "/commits/{id}/rollback", id: "askRollback", tag: "commits", role: access.Reader,
			summary: "Whether the commit can be rolled back, and what blocks it",
			in:      askRollbackIn{}, status: 200, out: rollbackView{}, problems: writes, handler: onCommit(a, a.askRollback),
		},
		{
			method: "POST", path: one + "/commits/{id}/rollback", id: "createRollback", tag: "commits", role: access.Writer,
			summary: "Roll a commit back, as a new commit",
			in:      rollbackIn{}, status: 201, out: commitView{}, problems: writes, handler: onCommit(a, a.createRollback),
		},
		{
			method: "GET", path: one + "/commits/{id}/data.parquet", id: "getDataFile", tag: "commits", role: access.Reader,
			summary: "The rows that the commit wrote",
			in:      commitFileIn{}, status: 200, also: 206, media: parquetMedia, problems: files,
			handler: a.commitFile(schema.Data),
		},
		{
			method: "GET", path: one + "/commits/{id}/rollback.parquet", id: "getRollbackFile", tag: "commits", role: access.Reader,
			summary: "The earlier rows that the commit replaced or removed",
			in:      commitFileIn{}, status: 200, also: 206, media: parquetMedia, problems: files,
			handler: a.commitFile(schema.Rollback),
		},
		{
			method: "POST", path: one + "/restore", id: "createRestore", tag: "commits", role: access.Maintainer,
			summary: "The dataset as it was at a ref, as one commit",
			in:      restoreIn{}, status: 201, out: commitView{}, problems: writes, handler: onDataset(a, a.createRestore),
		},

		{
			method: "GET", path: one + "/data", id: "getData", tag: "data", role: access.Reader,
			summary: "The records at a ref",
			in:      dataIn{}, status: 200, media: recordMedia, problems: []int{404, 406, 409, 410, 422}, handler: a.getData,
		},
		{
			method: "GET", path: one + "/data.parquet", id: "getParquet", tag: "data", role: access.Reader,
			summary: "The records at a ref as one Parquet file, whole or any byte range of it",
			in:      dataFileIn{}, status: 200, also: 206, media: parquetMedia, problems: files,
			handler: a.getParquet,
		},
		{
			method: "GET", path: one + "/compare", id: "compare", tag: "data", role: access.Reader,
			summary: "What changed between two refs",
			in:      compareIn{}, status: 200, out: compared{}, problems: reads, handler: a.getCompare,
		},
		{
			method: "GET", path: one + "/lineage", id: "getLineage", tag: "lineage", role: access.Reader,
			summary: "What the state at a ref was made from: files, datasets, models, parameters",
			in:      refIn{}, status: 200, out: lineageView{}, problems: finds, handler: a.getLineage,
		},
		{
			method: "GET", path: one + "/lineage/graph", id: "getLineageGraph", tag: "lineage", role: access.Reader,
			summary: "The datasets that a state was made from, and those that were made from it, over several steps",
			in:      lineageGraphIn{}, status: 200, out: lineageGraph{}, problems: finds, handler: a.getLineageGraph,
		},
		{
			method: "GET", path: "/api/v1/lineage", id: "findLineage", tag: "lineage", role: access.Known,
			summary: "The commits and versions that were made from a file, a dataset, a model, a parameter, newest first",
			in:      findLineageIn{}, status: 200, out: foundLineage{}, problems: finds, handler: a.findLineage,
		},
		{
			method: "GET", path: one + "/diff", id: "diff", tag: "data", role: access.Reader,
			summary: "What changed, record by record",
			in:      diffIn{}, status: 200, media: recordMedia, problems: []int{404, 406, 409, 410, 422}, handler: a.getDiff,
		},
		{
			method: "GET", path: one + "/history", id: "getRecordHistory", tag: "data", role: access.Reader,
			summary: "The commits that changed one record, newest first, with the record before and after each",
			in:      recordHistoryIn{}, status: 200, out: recordHistory{}, problems: reads, handler: a.getRecordHistory,
		},
		{
			method: "GET", path: one + "/insights", id: "insights", tag: "data", role: access.Reader,
			summary: "What the changes amount to, and the version increment that they call for",
			in:      insightsIn{}, status: 200, out: compare.Insights{}, problems: reads, handler: a.getInsights,
		},

		{
			method: "POST", path: "/api/v1/query", id: "createQuery", tag: "data", role: access.Reader,
			summary: "The result of SQL over datasets at any ref",
			in:      queryIn{}, status: 200, media: recordMedia, problems: []int{400, 404, 406, 409, 410, 422}, handler: a.createQuery,
		},
		{
			method: "GET", path: "/api/v1/query", id: "getQuery", tag: "data", role: access.Reader,
			summary: "The same, as a link",
			in:      queryLinkIn{}, status: 200, media: recordMedia, problems: []int{404, 406, 409, 410, 422}, handler: a.getQuery,
		},

		{
			method: "POST", path: one + "/backups", id: "createBackup", tag: "backups", role: access.Writer,
			summary: "Keep a version as a self-contained archive",
			in:      createBackupIn{}, status: 201, out: backupView{}, problems: writes, handler: onDataset(a, a.createBackup),
		},
		{
			method: "GET", path: one + "/backups", id: "listBackups", tag: "backups", role: access.Reader,
			summary: "Backups, newest first",
			in:      datasetIn{}, status: 200, out: backupList{}, problems: finds, handler: onDataset(a, a.listBackups),
		},
		{
			method: "GET", path: one + "/backups/{backup}", id: "getBackup", tag: "backups", role: access.Reader,
			summary: "One backup",
			in:      oneBackupIn{}, status: 200, out: backupView{}, problems: finds, handler: onBackup(a, a.getBackup),
		},
		{
			method: "DELETE", path: one + "/backups/{backup}", id: "deleteBackup", tag: "backups", role: access.Maintainer,
			summary: "Remove a backup",
			in:      deleteBackupIn{}, status: 204, problems: writes, handler: onBackup(a, a.deleteBackup),
		},
		{
			method: "GET", path: one + "/backups/{backup}/archive.tar", id: "getArchive", tag: "backups", role: access.Reader,
			summary: "The archive: backup.json and data.parquet",
			in:      archiveIn{}, status: 200, also: 206, media: tarMedia, problems: files,
			handler: onBackup(a, a.getArchive),
		},
		{
			method: "POST", path: one + "/backups/{backup}/restore", id: "restoreBackup", tag: "backups", role: access.Maintainer,
			summary: "Restore the dataset from a backup, or create a new one from it",
			in:      restoreBackupIn{}, status: 201, out: restoredView{}, problems: writes, handler: onBackup(a, a.restoreBackup),
		},
		{
			method: "POST", path: "/api/v1/backups", id: "importBackup", tag: "backups", role: access.Writer,
			summary: "Create a dataset from an archive",
			in:      importBackupIn{}, body: tarMedia, status: 201, out: datasetView{}, problems: takes, handler: a.importBackup,
		},
	}
}

// collaborationRoutes returns the routes for people who share a dataset (seed 001). The fixed paths of actions come
// before {id}, which would match them too.
func (a *API) collaborationRoutes() []route {
	return []route{
		{
			method: "GET", path: one + "/actions", id: "listActions", tag: "actions", role: access.Reader,
			summary: "Who did what, newest first",
			in:      listActionsIn{}, status: 200, out: actionList{}, problems: finds, handler: a.listActions,
		},
		{
			method: "GET", path: one + "/actions/since_forking", id: "sinceForking", tag: "actions", role: access.Reader,
			summary: "What this fork has and its upstream lacks",
			in:      datasetIn{}, status: 200, out: deltaView{}, problems: finds, handler: onDataset(a, a.sinceForking),
		},
		{
			method: "GET", path: one + "/actions/upstream_delta", id: "upstreamDelta", tag: "actions", role: access.Reader,
			summary: "What the upstream has and this fork lacks",
			in:      datasetIn{}, status: 200, out: deltaView{}, problems: finds, handler: onDataset(a, a.upstreamDelta),
		},
		{
			method: "GET", path: one + "/actions/{id}", id: "getAction", tag: "actions", role: access.Reader,
			summary: "One action, with its commit",
			in:      oneActionIn{}, status: 200, out: actionDetail{}, problems: finds, handler: onDataset(a, a.getAction),
		},

		{
			method: "POST", path: one + "/forks", id: "createFork", tag: "forks", role: access.Reader,
			summary: "Create a dataset that shares this one's history",
			in:      forkIn{}, status: 201, out: datasetView{}, problems: writes, handler: onDataset(a, a.createFork),
		},
		{
			method: "GET", path: one + "/forks", id: "listForks", tag: "forks", role: access.Reader,
			summary: "Forks that are not deleted, in the order they were made",
			in:      datasetIn{}, status: 200, out: forkList{}, problems: finds, handler: onDataset(a, a.listForks),
		},

		{
			method: "POST", path: one + "/merges", id: "createMerge", tag: "merges", role: access.Writer,
			summary: "Play another dataset's actions on this one; 200 if there was nothing to do, or on a dry run",
			in:      mergeIn{}, status: 201, also: 200, out: mergedView{}, problems: writes,
			handler: onDataset(a, a.createMerge),
		},
		{
			method: "GET", path: one + "/merges", id: "listMerges", tag: "merges", role: access.Reader,
			summary: "Merges, newest first",
			in:      listMergesIn{}, status: 200, out: mergeList{}, problems: finds, handler: onDataset(a, a.listMerges),
		},
		{
			method: "GET", path: one + "/merges/{id}", id: "getMerge", tag: "merges", role: access.Reader,
			summary: "One merge, with what it played",
			in:      oneCommitIn{}, status: 200, out: mergeView{}, problems: finds, handler: onCommit(a, a.getMerge),
		},

		{
			method: "POST", path: one + "/savepoints", id: "createSavepoint", tag: "savepoints", role: access.Writer,
			summary: "Bookmark the head; 303 to the last savepoint if nothing has changed since",
			in:      createSavepointIn{}, status: 201, also: 303, out: savepointView{}, problems: writes,
			handler: onDataset(a, a.createSavepoint),
		},
		{
			method: "GET", path: one + "/savepoints", id: "listSavepoints", tag: "savepoints", role: access.Reader,
			summary: "Savepoints, newest first",
			in:      datasetIn{}, status: 200, out: savepointList{}, problems: finds, handler: onDataset(a, a.listSavepoints),
		},
		{
			method: "GET", path: one + "/savepoints/{savepoint}", id: "getSavepoint", tag: "savepoints", role: access.Reader,
			summary: "One savepoint",
			in:      oneSavepointIn{}, status: 200, out: savepointView{}, problems: finds,
			handler: onSavepoint(a, a.getSavepoint),
		},
		{
			method: "PATCH", path: one + "/savepoints/{savepoint}", id: "editSavepoint", tag: "savepoints", role: access.Writer,
			summary: "Describe a savepoint",
			in:      editSavepointIn{}, status: 200, out: savepointView{}, problems: writes,
			handler: onSavepoint(a, a.editSavepoint),
		},
		{
			method: "POST", path: one + "/savepoints/{savepoint}/revert", id: "createRevert", tag: "savepoints", role: access.Maintainer,
			summary: "The dataset as it was at a savepoint, as one commit; later savepoints leave the list",
			in:      revertIn{}, status: 201, out: commitView{}, problems: writes, handler: onSavepoint(a, a.createRevert),
		},

		{
			method: "GET", path: one + "/variables", id: "listVariables", tag: "variables", role: access.Reader,
			summary: "Columns and their descriptions, at a ref",
			in:      refIn{}, status: 200, out: variableList{}, problems: finds, handler: onDataset(a, a.listVariables),
		},
		{
			method: "POST", path: one + "/variables", id: "createVariable", tag: "variables", role: access.Maintainer,
			summary: "Add a variable, as a commit",
			in:      createVariableIn{}, status: 201, out: variableCommit{}, problems: []int{400, 404, 409, 410, 413, 422},
			handler: a.createVariable,
		},
		{
			method: "GET", path: one + "/variables/{variable}", id: "getVariable", tag: "variables", role: access.Reader,
			summary: "One variable",
			in:      oneVariableIn{}, status: 200, out: variableView{}, problems: finds, handler: onVariable(a, a.getVariable),
		},
		{
			method: "PATCH", path: one + "/variables/{variable}", id: "editVariable", tag: "variables", role: access.Maintainer,
			summary: "Rename, describe or retype a variable, or change its derivation, as a commit",
			in:      editVariableIn{}, status: 200, out: variableCommit{}, problems: writes,
			handler: onVariable(a, a.editVariable),
		},
		{
			method: "DELETE", path: one + "/variables/{variable}", id: "deleteVariable", tag: "variables", role: access.Maintainer,
			summary: "Drop a variable, as a commit; its values stay in the files",
			in:      deleteVariableIn{}, status: 200, out: commitView{}, problems: writes,
			handler: onVariable(a, a.deleteVariable),
		},
	}
}
