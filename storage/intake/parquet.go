package intake

import (
	"context"

	"rowback/storage/datafile"
	"rowback/storage/duck"
)

type parquetRecords struct {
	scan    string
	columns []Offered
}

func openParquet(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	if err := datafile.CheckUpload(u.Path); err != nil {
		return nil, malformed("the Parquet file can't be read: %s. Is it complete?", err)
	}
	r := &parquetRecords{scan: "read_parquet(" + duck.Text(u.Path) + ", hive_partitioning = false, file_row_number = true)"}
	var err error
	r.columns, err = describe(ctx, conn, "read_parquet("+duck.Text(u.Path)+", hive_partitioning = false)")
	if err != nil {
		return nil, unreadable("Parquet file", err)
	}
	return r, checkNames(r.columns)
}

func (r *parquetRecords) Columns() []Offered { return r.columns }

func (r *parquetRecords) Relation(_ context.Context, _ *duck.Conn, want Want) (string, func(), error) {
	return "SELECT " + aliased(r.columns, want) + "file_row_number AS _n FROM " + r.scan, func() {}, nil
}

func (r *parquetRecords) Explain(err error) error { return unreadable("Parquet file", err) }
