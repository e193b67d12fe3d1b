package intake

import (
	"context"

	"github.com/rowback/rowback/storage/duck"
)

// checkForm refuses formats that DuckDB does not understand, which it says itself.
func checkForm(ctx context.Context, conn *duck.Conn, f Form) error {
	for name, format := range map[string]string{"date_format": f.Date, "timestamp_format": f.Timestamp} {
		if format == "" {
			continue
		}
		var parsed bool
		err := conn.Row(ctx, "SELECT try_strptime('', "+duck.Text(format)+") IS NULL", &parsed)
		if c := duck.CauseOf(err); c == duck.Input {
			return misshapen("%s=%s can't be used: %s", name, format, duck.Message(err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
