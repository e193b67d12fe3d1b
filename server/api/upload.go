package api

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// formats are the media types of records.
var formats = map[string]intake.Format{
	"application/vnd.apache.parquet":      intake.Parquet,
	"application/vnd.apache.arrow.stream": intake.Arrow,
	"text/csv":                            intake.CSV,
	"application/x-ndjson":                intake.NDJSON,
	"application/json":                    intake.JSON,
}

// otherTypes are further media types of uploads, of files whose content says what exactly they are. They are accepted
// and not listed in the document: what is sent most is documented.
var otherTypes = map[string]intake.Format{
	"application/vnd.apache.arrow.file": intake.Arrow,
	"text/tab-separated-values":         intake.CSV,
	"application/jsonl":                 intake.NDJSON,
	workbookType:                        intake.XLSX,
	filesType:                           intake.JSON,
}

const workbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// mediaTypes names the media type of each format.
var mediaTypes = map[intake.Format]string{
	intake.Parquet: "application/vnd.apache.parquet",
	intake.Arrow:   "application/vnd.apache.arrow.stream",
	intake.CSV:     "text/csv; charset=utf-8",
	intake.NDJSON:  "application/x-ndjson",
	intake.JSON:    "application/json",
}

// optionsIn are the options of a body of records: what its format leaves open.
type optionsIn struct {
	Sheet     string   `query:"sheet" description:"Of an Excel workbook: the name of the sheet, or its number from 1. By default the first that is not hidden." json:"-"`
	Encoding  string   `query:"encoding" description:"Of a CSV, as all that follow: what its bytes are, such as windows-1252 or latin-1. By default the charset of the Content-Type, or else UTF-8; UTF-16 is recognized by its byte order mark." json:"-"`
	Delimiter string   `query:"delimiter" description:"What separates fields. Found by the header by default." json:"-"`
	Quote     string   `query:"quote" description:"What encloses fields." default:"\"" json:"-"`
	Decimal   string   `query:"decimal" description:"What precedes the fraction of a number: a point, by default, or a comma." json:"-"`
	Thousands string   `query:"thousands" description:"What groups the digits of a number. Nothing by default." json:"-"`
	Date      string   `query:"date_format" description:"How dates are written, as in %d.%m.%Y. ISO 8601 by default." json:"-"`
	Timestamp string   `query:"timestamp_format" description:"The same for timestamps, as in %d.%m.%Y %H:%M:%S." json:"-"`
	Null      []string `query:"null" collectionFormat:"csv" description:"Texts without quotes that stand for no value, beside the empty one." json:"-"`
}

// apply gives an upload its options, which must be ones of its format. The option for the encoding comes before the
// charset of a Content-Type.
func (in optionsIn) apply(u *intake.Upload) error {
	u.Options = intake.Options{
		Sheet: in.Sheet, Encoding: cmp.Or(in.Encoding, u.Options.Encoding), Delimiter: in.Delimiter, Quote: in.Quote,
		Null: in.Null, Form: intake.Form{Decimal: in.Decimal, Thousands: in.Thousands, Date: in.Date, Timestamp: in.Timestamp},
	}
	if why := u.Options.Check(u.Format); why != nil {
		return invalid(why.Name, why.Why)
	}
	return nil
}

// taker takes a body that came with a request.
type taker func(*storage.Store, intake.Format, func(io.Writer) (int64, error)) (calls.Upload, error)

// stage takes a body of records, decompressed, and returns it with what is known of the body as sent. Unless it is small,
// the body goes to a file and not to memory. The commit begins once it is complete: a broken upload leaves no trace.
func (a *API) stage(c *fiber.Ctx) (u calls.Upload, sent host.Sent, err error) {
	media, parameters, err := mime.ParseMediaType(c.Get("Content-Type"))
	format, ok := formats[media]
	if !ok {
		format, ok = otherTypes[media]
	}
	if err != nil || !ok {
		return u, sent, fiber.NewError(fiber.StatusUnsupportedMediaType, fmt.Sprintf(
			"Content-Type %q is not a supported format of records. Use one of application/vnd.apache.parquet, "+
				"application/vnd.apache.arrow.stream, text/csv, application/x-ndjson, application/json, "+workbookType+".", c.Get("Content-Type")))
	}
	u, sent, err = a.stageAs(c, format, calls.Receive)
	if format == intake.CSV {
		u.Options.Encoding = charset(parameters)
	}
	return u, sent, err
}

// charset returns the encoding that a Content-Type names; empty for UTF-8, which many clients name whatever they send.
func charset(parameters map[string]string) string {
	if name := parameters["charset"]; !strings.EqualFold(name, "utf-8") {
		return name
	}
	return ""
}

// stageAs is stage for a body in a known format. take is calls.Stage or calls.Receive.
func (a *API) stageAs(c *fiber.Ctx, format intake.Format, take taker) (u calls.Upload, sent host.Sent, err error) {
	u, err = take(a.store, format, func(out io.Writer) (size int64, err error) {
		// Of the body as sent: the same request compressed in another way is another request.
		size, sent, err = a.host.CopyBody(c, out)
		return size, err
	})
	return u, sent, err
}
