// Package trace marks the steps of work, for whoever follows them. Without a span in the context, marking costs a look
// at the context and nothing else.
package trace

import "context"

// Span is a part of some work, from its start to its end.
type Span interface {
	// Start begins a part of it.
	Start(name string) Span
	// Rename gives it another name, where that is known only now.
	Rename(name string)
	// Set says something of it: a text or a whole number, never a value of a record.
	Set(key string, value any)
	// End ends it; err is why it failed, or nil.
	End(err error)
}

// key is the key of the span in a context.
type key struct{}

// With returns a context whose work is a part of a span; nil: of none.
func With(ctx context.Context, s Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// Of returns the span that a context's work is a part of. It can be used where there is none.
func Of(ctx context.Context) Span {
	if s, ok := ctx.Value(key{}).(Span); ok {
		return s
	}
	return none{}
}

// Start begins a part of a context's work.
func Start(ctx context.Context, name string) (context.Context, Span) {
	s, ok := ctx.Value(key{}).(Span)
	if !ok {
		return ctx, none{}
	}
	part := s.Start(name)
	return With(ctx, part), part
}

// Do is Start around a step.
func Do(ctx context.Context, name string, step func(context.Context) error) error {
	ctx, part := Start(ctx, name)
	err := step(ctx)
	part.End(err)
	return err
}

// Carry returns a context for work that goes on after a request, as a part of the request's span.
func Carry(work, request context.Context) context.Context {
	s, _ := request.Value(key{}).(Span)
	return With(work, s)
}

// none is no span.
type none struct{}

func (none) Start(string) Span { return none{} }
func (none) Rename(string)     {}
func (none) Set(string, any)   {}
func (none) End(error)         {}
