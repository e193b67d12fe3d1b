package cli

import (
	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/storage"
)

// texts are what tags name as ${name}: what --help says of a flag where that is too long for a tag, or said of several.
var texts = kong.Vars{
	"version": version,
	"refs":    storage.Refs,

	"server":  "The server: its URL, or host:port. By default that of rowback login, else http://127.0.0.1:8000.",
	"api_key": "The token to send. By default that of rowback login for this server.",

	"comment_list": "List the comments on a comparison, or the comparisons that have some (the default).",
	"dataset_sort": "name, records, changed or bytes; -name and so on turn it round. By default that of creation.",
	"actions_sort": "datetime, -datetime, user or -user.",
	"backup_dir": "Directory or s3://bucket/prefix for the backup, of a store that no server has open. Without one, the " +
		"server makes the backup, in its --backup-to.",
	"backups_in": "Directory of backups, or s3://bucket/prefix.",
	"audit_acknowledge": "Record that you know of what audit check reports, and what has happened: it stays in the log, and " +
		"does not count any more.",
	"backup_every": "How often the store is backed up to --backup-to, such as 24h or 7d. 0: only on request.",
	"backup_to": "Directory for backups of the store, on another disk than the data, or s3://bucket/prefix, which is " +
		"reached like --objects. Clients can ask for a backup, and not say where.",
	"catalog": "The PostgreSQL database that has the catalog, such as postgres://rowback@db.example.org/rowback. By " +
		"default the catalog is in the data directory; embedded: it is to be there again.",
	"settings": "Where users, tokens, webhooks, quotas and sessions are: catalog, beside the catalog in PostgreSQL, or " +
		"directory. They are moved there. By default they are where they were; those of a new store are in the directory.",
	"until_eof": "End when standard input does, for a program that runs a server for itself.",
	"standby":   "Wait while another server has the store, then take over.",
	"token_catalog": "With --data: the PostgreSQL database that has the settings of the store, if they are not in the " +
		"directory.",
	"catalog_of": "The PostgreSQL database that has the catalog of the store.",
	"cache_dir": "Directory for copies of the objects of --objects, best on a fast disk. By default one in the data " +
		"directory.",
	"cache_size": "Total size of the cached files for readers of data.parquet, and with --objects as much again of copies " +
		"of objects.",
	"data": "Data directory. With --demo and without this, a temporary one.",
	"engine": "An engine that speaks Spark Connect, such as sc://host:15002, for statements with engine=spark. By default " +
		"there is none.",
	"flight_addr": "Address to listen on for Arrow Flight SQL. By default it is off.",
	"gate_kind": "not_null, unique, accepted_values, range, minimum_quality, no_category_lost, row_count, condition " +
		"or query.",
	"gate_query": "Of query: one SELECT over new, old and changes that returns the records that fail.",
	"gates_file": "All gates as JSON, in place of those before: what list --format json prints.",

	"header_timeout": "Time limit for the header of a request, or for a handshake.",
	"host":           "A further host name of the server, as browsers and proxies send it in Host; may be repeated.",
	"max_connections": "Connections at once, HTTP and Flight together. By default half of the file descriptors " +
		"that the process may open, at most 1024.",
	"insecure": "Listen beyond this machine without TLS; and without tokens, if there are none, so that anyone may do " +
		"everything.",
	"keep_deleted": "How long a deleted dataset can be brought back, such as 30d or 12h; then vacuum removes it. 0: " +
		"for ever.",
	"max_connections_per_address": "Connections at once from one address. By default three quarters of " +
		"--max-connections.",
	"memory_limit": "Memory that the server and the processes it starts may use in all, such as 1GB. By default " +
		"half of the machine's, or of its container's.",
	"merge_from":        "Name or id of the dataset whose actions are played: a fork, or the upstream.",
	"merge_on_conflict": "Whose change stands where both sides changed the same: ours, this dataset's, or theirs.",
	"merge_resolve": `The same for one record or action, as JSON: {"key": {"id": 4}, "take": "ours"}, or with ` +
		`its hash in place of the key. May be repeated.`,
	"min_free": "Space to keep free on the data directory's disk; writes that would use it are refused. 0: " +
		"none. By default 256MB, or a twentieth of a small disk.",
	"restore_backup": "A directory of backups or s3://bucket/prefix, whose newest is taken, or the manifest of one: " +
		"DIR/backups/20260131T100000.000000Z.json.",
	"restore_history": "With all of its history, versions, savepoints and tags, under new ids. The server takes it from " +
		"its own backups (--backup-to); with --data, any backup is taken.",
	"restore_data": "Restore the dataset into the store in this directory, which no server has open.",
	"restore_dataset": "Restore the state of this dataset into the server as a new dataset, in place of a whole store into " +
		"a directory.",
	"rollback_policy": "stack: blocked by later overwrites and upserts; records: blocked only by commits that " +
		"touched the same records.",
	"acme_domain": "A name of this server for which certificates are asked for, and renewed, from an authority that speaks " +
		"ACME, whose terms you accept by this; may be repeated. The name must lead to this server's port 443.",
	"objects": "Keep the objects in a bucket of an object store that speaks S3, such as s3://bucket/prefix; the catalog " +
		"stays in the data directory, which remembers this. Credentials are read from the environment " +
		"(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), from the file that AWS_SHARED_CREDENTIALS_FILE names, or from the " +
		"machine's role.",
	"s3_encryption": "How the object store encrypts the objects: AES256, aws:kms or aws:kms:<key>. By default as its " +
		"bucket says.",
	"s3_endpoint": "URL of the object store. By default AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else Amazon's.",
	"oidc_audience": "A further audience that its tokens may be for, besides the client; may be repeated. Programs send " +
		"tokens that are for an API.",
	"oidc_client_id":     "What the provider calls this server.",
	"oidc_client_secret": "What this server proves that with. Better set by ROWBACK_OIDC_CLIENT_SECRET.",
	"oidc_groups_claim":  "The claim with the groups of a user, or the path to it with dots.",
	"oidc_issuer":        "An OpenID Connect provider, whose users are let in. Give the URL as the provider calls itself.",
	"oidc_role": "The role that a group of the provider's has, in all projects or one; may be repeated. Without any, its " +
		"users have the roles that they are given here.",
	"oidc_scope":      "What it is asked for at a login, besides openid; may be repeated.",
	"oidc_user_claim": "The claim with the name of a user; without it, the user's subject. email must be verified.",
	"rate_limit": "The most requests a second of one user over all tokens, or of an address without a valid token, with " +
		"ten seconds of it at once. 0: any number.",
	"scrub_every": "How often every stored file is read and checked, also after the start. 0: never.",
	"stored_pages": "Version of the data pages in the files of new commits. Some readers can't skip rows in version 2, " +
		"which is smaller and faster.",
	"tls_cert": "A certificate as PEM, with those between it and the authority: HTTP and Flight are encrypted. It is " +
		"read again when the file changes.",
	"session_idle": "A session ends that is not used for so long.",
	"session_life": "A session ends after so long, however much it is used.",
	"token":        "The token of a user who is an admin, as user:token; may be repeated. With tokens, every request needs one.",
	"token_data": "A data directory whose server does not run: the token is made there, of a user who becomes an admin. " +
		"For those who are locked out.",
	"token_file": "A file with a token a line, as user:token or user:sha256:HEX, and a role after a space. It is read " +
		"again on SIGHUP.",
	"token_rate_limit": "The most requests a second with one token, or in one session without a token, with ten seconds of it " +
		"at once; needs --rate-limit. 0: as many as its user.",
	"traces": "Collector of OpenTelemetry traces, by OTLP over HTTP, such as http://127.0.0.1:4318. By default none, or " +
		"that of OTEL_EXPORTER_OTLP_ENDPOINT.",
	"upkeep": "Compact in the background, so that reading does not slow down as commits add up, and vacuum datasets " +
		"whose retention policy lets something go.",
	"token_project": "Name or number of a project that it is for; may be repeated. By default all.",
	"token_role":    "The most that it may do: reader, writer, maintainer or admin; by default what its user may.",
	"version_type":  "major, minor, patch, or auto: what the changes since the latest version call for.",
	"of_project":    "The project of the dataset: its name or number.",
	"only_project":  "Only of this project: its name or number. By default of all.",
	"sql_project":   "The project whose datasets are named: its name or number.",
	"hook_project":  "Only of this project: its name or number. By default of all, and of the server.",
	"copy_from": "Where the store is: its data directory, with the URL of the database that has its catalog, or that and " +
		"its bucket; comma-separated, as DIR, DIR,postgres://… or postgres://…,s3://bucket/prefix.",
	"copy_to": "Where the copy is made: an empty data directory, a database and an empty prefix of a bucket, or both, " +
		"comma-separated. Users, tokens, webhooks and the audit log go from one data directory to another.",
	"repair_running": "Have the server put back what it knows to be damaged, from its own backups (--backup-to), while it " +
		"runs.",
	"webhook_allow": "An address, a network such as 10.0.0.0/8, or a host that webhooks may send to although it is not " +
		"public, or without https; may be repeated. By default none.",
}
