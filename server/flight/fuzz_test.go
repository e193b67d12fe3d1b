package flight

import (
	"context"
	"testing"

	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// Descriptors of DoPut are parsed, or refused with a sentence.
func FuzzCommand(f *testing.F) {
	for _, text := range []string{
		`{"dataset":"d","mode":"append"}`, `{"dataset":"d","mode":"upsert","expected_head":-1,"metadata":{}}`, `{}`,
		`{"dataset":1}`, `{`,
	} {
		f.Add([]byte(text))
	}
	for _, m := range []proto.Message{
		&gen.CommandStatementIngest{Table: "t", Options: map[string]string{"mode": "delete", "key": "a,b", "metadata": "{"}},
		&gen.CommandPreparedStatementQuery{
			PreparedStatementHandle: []byte("x"),
		}, &gen.CommandStatementUpdate{Query: "DELETE"},
	} {
		packed, err := anypb.New(m)
		if err != nil {
			f.Fatal(err)
		}
		text, err := proto.Marshal(packed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ctx := context.Background()
		if _, err := (&Face{}).readCommand(ctx, text); err != nil && fault.KindOf(storage.Explain(err)) == fault.Internal {
			t.Fatal(err)
		}
		bindOf(text)
		if in, ok := ingestOf(text); ok {
			if _, err := (&Face{}).readIngestion(ctx, in); err != nil && fault.KindOf(storage.Explain(err)) == fault.Internal {
				t.Fatal(err)
			}
		}
	})
}
