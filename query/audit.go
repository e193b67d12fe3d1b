package query

import (
	"strings"

	"github.com/rowback/rowback/storage/duck"
)

// auditTable is the table of the audit log. It is not about a project, and only for those whom Statement.Audit lets in.
const auditTable = "audit"

// auditColumns are the columns of rowback.audit, with the names that the entries in the log's files have.
var auditColumns = [][2]string{
	{"number", "BIGINT"}, {"time", "TIMESTAMPTZ"}, {"kind", "VARCHAR"}, {"request_id", "VARCHAR"}, {"face", "VARCHAR"},
	{"user_name", "VARCHAR"}, {"token_id", "VARCHAR"}, {"session_id", "VARCHAR"}, {"address", "VARCHAR"},
	{"route", "VARCHAR"}, {"project_id", "BIGINT"}, {"dataset", "VARCHAR"}, {"dataset_id", "VARCHAR"},
	{"commits", "BIGINT[]"}, {"status", "INTEGER"}, {"code", "VARCHAR"}, {"job", "VARCHAR"}, {"sql_sha256", "VARCHAR"},
	{"repeated", "BIGINT"}, {"detail", "VARCHAR"}, {"acknowledged", "VARCHAR"}, {"previous", "VARCHAR"},
}

// auditView returns the SQL of the view of the audit log's files. Lines that are not entries are left out: checking the
// log finds them.
func auditView(files []string) string {
	types := make([]string, len(auditColumns))
	for i, c := range auditColumns {
		types[i] = duck.Text(c[0]) + ": " + duck.Text(c[1])
	}
	return "CREATE VIEW " + catalogSchema + "." + auditTable + " AS FROM read_json(" + duck.Texts(files) +
		", format = 'newline_delimited', ignore_errors = true, columns = {" + strings.Join(types, ", ") + "})"
}
