package catalog

import "time"

// Upload is a file that a user has uploaded to use later, where several servers share the objects.
type Upload struct {
	ID, User, Name, Format string
	Size                   int64
	Checksum               string    // SHA-256, hexadecimal; empty: a former version of the program has put it
	At                     time.Time // when it began, by the database's clock
}

// AddUpload notes a file that is about to be put to the bucket. It is not found before it is there.
func (tx Tx) AddUpload(u Upload) error {
	return tx.exec(`INSERT INTO uploads (id, uploader, name, format, size, uploaded_at)
		VALUES ($1, $2, $3, $4, -1, `+databaseTime+`)`, u.ID, u.User, u.Name, u.Format)
}

// CompleteUpload notes that a file is there, with its size and checksum. If the file was forgotten meanwhile, the error
// is ErrNotFound.
func (tx Tx) CompleteUpload(u Upload) error {
	return tx.one(ErrNotFound, `UPDATE uploads SET size = $2, checksum = $3 WHERE id = $1`, u.ID, u.Size, u.Checksum)
}

// ForgetUpload forgets a file.
func (tx Tx) ForgetUpload(id string) error { return tx.exec(`DELETE FROM uploads WHERE id = $1`, id) }

// Uploads lists the files of a user that are not older than an age, oldest first.
func (tx Tx) Uploads(user string, age time.Duration) ([]Upload, error) {
	return list(tx, func(s scanner) (u Upload, err error) {
		var at int64
		err = s.Scan(&u.ID, &u.User, &u.Name, &u.Format, &u.Size, &u.Checksum, &at)
		u.At = time.UnixMicro(at).UTC()
		return u, err
	}, `SELECT id, uploader, name, format, size, checksum, uploaded_at FROM uploads
		WHERE uploader = $1 AND size >= 0 AND uploaded_at >= `+databaseTime+` - CAST($2 AS BIGINT)
		ORDER BY uploaded_at, id`, user, age.Microseconds())
}

// UploadIDs lists all files that are noted.
func (tx Tx) UploadIDs() ([]string, error) {
	return list(tx, func(s scanner) (id string, err error) { return id, s.Scan(&id) }, `SELECT id FROM uploads`)
}

// LateUploads lists the files that are older than an age, and those beyond so many newer ones.
func (tx Tx) LateUploads(age time.Duration, most int) (ids []string, err error) {
	return list(tx, func(s scanner) (id string, err error) { return id, s.Scan(&id) },
		`SELECT id FROM (SELECT id, uploaded_at, row_number() OVER (ORDER BY uploaded_at DESC, id) AS place FROM uploads) AS u
		WHERE place > CAST($2 AS BIGINT) OR uploaded_at < `+databaseTime+` - CAST($1 AS BIGINT)`, age.Microseconds(), most)
}
