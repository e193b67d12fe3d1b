package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// AuditDir is the directory of the server's audit log (server/audit): files to which whole lines are appended. The
// store does not read it.
const AuditDir = "audit"

var auditFile = regexp.MustCompile(`^\d{4}-\d{2}-\d{15}\.ndjson$`)

// IsAuditFile reports whether a name is that of a file of the audit log.
func IsAuditFile(name string) bool { return auditFile.MatchString(name) }

// AuditFiles returns the files of the audit log in a data directory.
func AuditFiles(dir string) (out []fs.FileInfo, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, AuditDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if !IsAuditFile(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, err
}

// OpenAudit opens a file of the audit log for reading.
func OpenAudit(dir, name string) (*os.File, error) {
	return os.Open(filepath.Join(dir, AuditDir, name))
}
