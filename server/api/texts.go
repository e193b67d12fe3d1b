package api

import (
	"encoding/json"
	"strings"

	"github.com/rowback/rowback/storage"
)

// texts are the descriptions of the OpenAPI document that are too long for a tag, or that several fields share: a tag
// names one as ${name}.
var texts = map[string]string{
	"refs": storage.Refs,

	"action.hash":            "Identifies the change; it is the same in every dataset that the change was played on.",
	"action.merge_commit_id": "The merge that played it; null if it was made here.",
	"audit.digest":           "Of the problems that GET /api/v1/audit/check reports, as it has it: no others are acknowledged.",
	"audit.note":             "What has happened. It is in the audit log, with who says so.",
	"backup.dataset": "Id, or name in the project, of a dataset whose whole history is backed up, with its forks and what " +
		"they were forked from, as they share files. Without it, the whole store.",
	"backup.datasets":  "Its datasets, deleted ones included.",
	"backup.id":        "Its id, or latest: the newest complete one.",
	"backup.family_id": "Of the dataset that was backed up with its forks; null: the whole store.",
	"backup.full": "Everything is read and written again, as if there were no earlier backups. Otherwise only what they " +
		"do not have.",
	"column.derivation":      "SQL over other columns that computes it when it is read.",
	"column.extension":       "What its values mean beyond their type: the extension type of an Arrow field, or GeoParquet.",
	"commit.columns_cleared": "The columns in which a changed record lost the value that it had.",
	"commit.files": "Addresses of Parquet files with the same columns, which were written beside the objects of the " +
		"store, in the folder of its project below incoming/. Sent as application/json, the object says the same.",
	"commit.metadata": "JSON that is kept with the commit. Its member lineage says what the records were made from, in " +
		"the form that the manual has, and is checked.",
	"commit.on_error": "collect: leave out the records that the commit would be refused for, commit the others, and tell " +
		"which are left out. Types of columns are not widened then.",
	"commit.rejected": "With on_error=collect: the records that were left out.",
	"rejected.records": "The first 20, each as it came, with _record, its number from 1, and _errors, what is wrong with " +
		"it.",
	"commit.source": "The name of the file that is the body. It becomes a source of the commit's lineage, with the size and " +
		"the SHA-256 of what is sent.",
	"compare.lineage": "How what the two states were made from differs; absent if it does not.",
	"lineage.direction": "upstream: what the state was made from. downstream: what was made from it, or from a later state " +
		"of the dataset.",
	"lineage.input":             "A dataset, by name or id, or one at a ref, as in employees@1.0.1: what was made from just that commit.",
	"lineage.is_complete":       "false: more commits than it looks at have a lineage, and the oldest are left out.",
	"lineage.parameter":         "A name, or a name and a value as in epochs=10.",
	"lineage.ref":               storage.Refs + ". By default, upstream is of the head, and downstream of all states.",
	"lineage.sha256":            "Of a source, of a model's weights, or of a prompt's text.",
	"commit.records_not_found":  "Of a delete: keys that no record has.",
	"commit.rollback_commit_id": "The rollback that undid this commit and is itself in effect.",
	"commit.schema_changes":     "What changed in the columns; null of a commit that is older than these two fields.",
	"commit.vacuumed_at":        "When vacuum removed its state; absent if it can be read.",
	"commit.warnings": "What is said of the dataset and does not hold after it, such as a quality_column that it does " +
		"not have; and how the records were read, such as columns without a name, or types that are not kept.",
	"damaged_files": "Stored files that don't match their checksum and are refused. If there are any, the status is " +
		"degraded.",
	"dataset.archived": "No one works on it any more. It can be read and written as before.",
	"dataset.bytes": "Of the Parquet files that the dataset wrote, those of past states included. What a fork shares " +
		"with its upstream counts there.",
	"dataset.exclusion": "A condition on records that Crunch clients don't see. All else does.",
	"dataset.warnings":  "What is said of the dataset that does not hold: columns that it does not have.",
	"datasets.family":   "The id of a dataset: only it, its forks, theirs, and what they were forked from.",
	"datasets.sort": "The order; by default that of creation. A minus turns it round. By name, capitals are as other " +
		"letters, and numbers come by their value.",
	"datasets.text": "Only datasets that have each of these words in their name or description, ignoring case, or " +
		"that have this id.",
	"datasets.total": "How many datasets there are on all pages; absent where neither text, sort nor family is given.",
	"diff.column": "Of modified records, only those in which one of these columns changed; comma-separated, a name with " +
		"a comma in double quotes.",
	"digest": "Of the values of the records, whatever the order of these and the files that they are in. The manual " +
		"has how it is computed.",
	"digest.listed": "Where digests were asked for: of the records of this state, if it was computed before.",
	"digest.known":  "Of the records of this state, if it was computed before.",
	"dry_run": "Write nothing, and answer 200 with what would be answered, and with dry_run. Of a write that makes " +
		"a commit, also with its counts, schema_changes, columns_cleared and the first keys of each kind; and with " +
		"what its gates say.",
	"erase.keys": "Records by their keys: the value of a key of one column, or an object with the value of each of the " +
		"key's columns.",
	"erase.reason": "Why. It is kept with the erasure, so it must not name what is erased.",
	"erase.where": "A condition on records, in SQL. Records that it selected in any state are erased, with all that " +
		"they ever were.",
	"erased_at":     "When records of this state, or of what the commit did, were last erased from all history.",
	"edit.required": "Columns that have a value in every record, in place of those before.",
	"gate.action":   "What follows where it fails: the write is refused (422, gate_failed), or its answer warns.",
	"gate.columns": "Of not_null, accepted_values and range: each of them. Of unique: which together no two records " +
		"share. A gate follows a column that is renamed.",
	"gate.condition": "Of condition: SQL that is not false for any record.",
	"gate.from": "What old and changes, and lost categories, are compared with; without it, the state before the " +
		"commit of ref.",
	"gate.kind":    "Of condition and query, you write the check in SQL; the others are ready-made.",
	"gate.maximum": "Of range and row_count.",
	"gate.minimum": "Of range, minimum_quality and row_count.",
	"gate.of":      "Of minimum_quality: the mean of all scores (the default), or the score of each record.",
	"gate.query": "Of query: one SELECT over new, old and changes that returns the records that fail. In old and new " +
		"are the records before and after, in changes what differs.",
	"gate.values":   "Of accepted_values: strings, numbers, true and false. A record without a value passes.",
	"gate.when":     "commit, merge and version: what has to pass it. By default, commit and merge.",
	"gates_failed":  "Names of the gates that it did not pass: of those that warn, and of what undoes or restores.",
	"grant.project": "Its name or its number; * stands for all projects, and is the only one for admins.",

	"idempotency_key": "A repeated key returns the first answer again, and does nothing twice.",
	"if_range":        "An ETag or a time: if the file has changed, all of it is sent.",
	"merge.autorollback": "true: a conflict undoes the whole merge. false: the actions before the conflict " +
		"are kept.",
	"merge.conflicts_decided": "How many conflicts of records on_conflict and resolve decided.",
	"merge.on_conflict": "Whose change stands where both sides changed the same: ours, this dataset's, or theirs, the " +
		"source's. Without it, that is a conflict.",
	"merge.remember": "Later merges do not play what the filter skips, unless they name it.",
	"merge.resolve":  "The same for some records or actions. The first that applies takes precedence over on_conflict.",
	"merge.skipped":  "Of the source: left out by the filter, or remembered by an earlier merge.",
	"merge.source":   "Id, or name in the same project, of the dataset whose actions are played.",
	"merge_granularity": "What both sides of a merge into the dataset must not have changed: the same record, or the " +
		"same value.",
	"monitor.gap_commits": "How many commits since the last version are a gap.",
	"monitor.gap_days":    "How many days since the last version are a gap, if there are commits since.",
	"monitor.rapid_count": "How many versions within rapid_minutes count as rapid.",
	"new.merge_granularity": "column: changes of different columns of one record both stand in a merge. row: " +
		"they conflict.",
	"new_variable.derivation": "SQL over other columns, by name, that computes the values.",
	"new_variable.type":       "In DuckDB's notation; by default found from the values or the derivation.",
	"columns":                 "Names, comma-separated; one that has a comma or spaces around it in double quotes.",
	"order_by": "Names, comma-separated, as in columns; each may be followed by asc or desc, or preceded by -. By " +
		"default the key, for up to 1,000,000 records; Arrow and more records come as they are stored.",
	"parquet_version": "Version of the data pages of a Parquet file that is made for the answer. Files that are stored " +
		"are sent as they are.",
	"prefer":                "respond-async: answer 202 at once, with the Location of a progress resource.",
	"proposal.allowed":      "What you may do about it as it is: comment, edit (also close and open again), approve, merge.",
	"proposal.direction":    "incoming: to merge into this dataset. outgoing: to merge it into others; these are on one page.",
	"proposal.key":          "Of a record that the comment is about: a value for each key column.",
	"proposal.merge_commit": "Its merge. One that was rolled back since has rollback_commit_id.",
	"proposal.source_head":  "Refuse with 409 if the source's head is another commit than the one that you looked at.",
	"proposal.state":        "closed, or open again.",
	"proposal.verdict": "mergeable; conflicts; refused (code and detail say why); nothing: the target has all of it; " +
		"merged; closed; unavailable: it could not be found out now.",
	"query.engine": "spark: the engine of --engine runs the statement, which is in Spark SQL.",
	"query.format": "As the query parameter, which takes precedence.",
	"query.limit":  "The most rows to return. X-Rowback-Truncated says whether there were more.",
	"query.sql": `One SELECT. Tables are datasets: employees, "employees@1.0.0" (any ref), "employees@1.0.0..1.0.1" ` +
		`(the diff), and rowback.datasets, .commits, .versions, .actions.`,
	"range": "Such as bytes=0-99 or bytes=-100: answered with 206 and that part.",
	"record.key": "The value of the key column (_id if none is declared); of a key of several columns, a JSON object " +
		"with all of them.",
	"record.key.only": "Only the record with this key, if there is one: the value of the key column (_id if none is " +
		"declared); of a key of several columns, a JSON object with all of them.",
	"required":          "Columns that have a value in every record: a commit without one is refused.",
	"retention":         "Which states vacuum keeps, besides the head: what any of its members keeps is kept. null: all.",
	"retention.commits": "The last changes, each with the states before and after it. 0: none by this.",
	"retention.days":    "The changes of the last days, each with the states before and after it. 0: none by this.",
	"edit.retention": "Which states vacuum keeps, besides the head, in place of the policy before. Without commits and " +
		"days it keeps everything.",
	"to_dataset": "Id, or name in the same project, of the fork or upstream that to belongs to; by default the same " +
		"dataset.",
	"variable.categories": "The values that it was declared to hold; empty if none were.",
	"variable.derivation": "The SQL over other columns that computes it; null if its values are stored.",
	"variable.name":       "The column's name, in files and in SQL; Crunch clients call it the alias.",
	"variable.title":      "The name to show to people; the column's name if none was given.",
	"variable.type":       "In DuckDB's notation; NULL if the column has had no value yet.",
	"variable.values":     "One for each record, in key order; by default all are null.",
	"version_type":        "auto: what the changes since the latest version call for.",
	"project.name":        "Its number, until an admin names it.",
	"me.is_open":          "The server has never had a token: everyone is an admin, and there is nothing to log in to.",
	"login.url": "Where a browser begins: it takes then, the path of the page to show afterwards, and returns to this " +
		"server with a session.",
	"session.address": "The network that the login came from; empty: not known.",
	"session.by": "What was shown at the login: a token that the server made, one of the operator's, what an identity " +
		"provider vouched for, or, on a server without tokens, a name.",
	"session.expires_at": "Without a further request; each one moves it, up to the longest life of a session.",
	"session.token":      "The id of the token that it stands for, and ends with; null: it is by something else.",
	"new.file_key":       "Key columns, comma-separated; without any, the server assigns _id.",
	"token.last_used_at": "It may be a minute late; null: not used yet.",
	"token.projects":     "Names or numbers of the projects that it is for; by default all in which the user has a role.",
	"token.role":         "The most that it may do; it never does more than its user may.",
	"token.token":        "The token itself. It is not shown again: only its SHA-256 is kept.",
	"user.is_disabled":   "Not let in any more, at once, until enabled again.",
	"user.single_sign_on": "The identity provider's user of this name is this user. The first to log in there by this " +
		"name gets it; without it, such a login is refused.",
	"user.unlink": "false: parts the user from the identity that has logged in, and ends the sessions that the provider " +
		"vouched for. true: the next identity of this name gets the user.",
	"webhook.dataset": "Id, or name in the project project_id (by default 1): only what happens to this dataset. By " +
		"default all of the project.",
	"webhook.enabled": "true: it gets what happens from now on, and what was queued before it was disabled.",
	"webhook.kinds": "The types of the messages that are sent: commit.created, rollback.created, merge.created, " +
		"fork.created, version.created, proposal.opened, proposal.commented, proposal.approved, proposal.merged, " +
		"proposal.closed, comparison.commented, dataset.created, dataset.deleted, dataset.undeleted, monitor.finding, " +
		"damage.found, disk.low, backup.failed. Without any, all.",
	"webhook.project_id": "Only what happens in this project. By default all projects, which needs the role admin.",
	"webhook.user": "Who made it, or enabled it last. It is disabled once that user is removed or disabled, or loses the " +
		"role that it takes.",
	"webhook.url": "Where the messages are posted: https://, and a public address unless --webhook-allow has it.",
}

// filled puts the texts in place of their names.
func filled(document []byte) ([]byte, error) {
	var pairs []string
	for name, text := range texts {
		// Encoded as JSON and without its quotes, since the name stands inside a string of the document.
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "${"+name+"}", string(quoted[1:len(quoted)-1]))
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(document))), nil
}
