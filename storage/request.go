package storage

import (
	"encoding/json"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// Request is what every write says of itself. Faces fill it in the same way for every write, so that all writes have
// the same guarantees.
type Request struct {
	User         string
	Message      string
	Metadata     json.RawMessage                   // nil: {}
	ExpectedHead *int64                            // refuse where the head is another
	Receipt      AnyReceipt                        // nil: the request has no Idempotency-Key
	Report       func(percent int, message string) // called with the progress of long work; nil: no one watches
	Preview      *Preview                          // filled with what the write would do, which is not done; nil: do it

	alone    string // the dataset whose lock is held for it; empty: none
	collects bool   // a refusal names all records that it is for, up to mostRejected

	group *group // that its commit becomes durable with; nil: one of its own
}

// ErrStaleHead is the refusal of a request that expects another head than the dataset has.
var ErrStaleHead = fault.New(fault.Conflict, "stale_head")

// expects refuses a request where the head is another than it says.
func (r Request) expects(d catalog.Dataset) error {
	if r.ExpectedHead == nil || *r.ExpectedHead == d.Head {
		return nil
	}
	return ErrStaleHead.Sayf("The head of dataset '%s' is commit %d, not %d. "+
		"Look at what changed, then send the request again with the new head.", d.Name, d.Head, *r.ExpectedHead).
		With("head", d.Head).With("expected_head", *r.ExpectedHead)
}

// Job is the id of the job that does what is asked for; empty: none does.
func (r Request) Job() string {
	if r.Receipt == nil {
		return ""
	}
	return r.Receipt.slot().Job
}

// report reports progress, if someone watches.
func (r Request) report(percent int, message string) {
	if r.Report != nil {
		r.Report(percent, message)
	}
}

// orEmpty returns JSON, {} where there is none.
func orEmpty(m json.RawMessage) json.RawMessage {
	if len(m) == 0 {
		return json.RawMessage("{}")
	}
	return m
}

// Change is records in a mode (design, section 3).
type Change struct {
	Request
	Mode   catalog.Mode // append, overwrite, upsert, replace or delete
	Upload intake.Upload
	Where  string // delete: a SQL condition, instead of an upload
	Strict bool   // refuse records with other columns than the dataset has

	Referenced *Referenced // files, instead of an upload; nil: there are none

	Columns []schema.Column // append: what is said of columns of these names, beside their values
}
