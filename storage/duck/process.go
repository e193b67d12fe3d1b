//go:build duckdb_arrow

package duck

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// pipeBuffer is the size, in bytes, of the buffers at both ends of a process's output.
const pipeBuffer = 256 << 10

// process is an instance in a process of its own, which serves one goroutine. To end a statement early, the process is
// killed: DuckDB can't be interrupted within a single function, and does not count all the memory that one takes.
type process struct {
	cmd    *exec.Cmd
	temp   string // the instance's own directory, removed with it
	in     io.WriteCloser
	pipe   *os.File // the file behind out
	ask    *gob.Encoder
	out    *bufio.Reader
	acks   *gob.Decoder
	stderr errorOutput
	wait   func() error
	uses   int
	scope  string        // what its instance is confined to and kept for; empty: nothing
	asked  *atomic.Int64 // counts the requests of its pool; nil outside a pool
	killed atomic.Bool
}

// startProcess starts a process of that name, and waits until it accepts statements.
func startProcess(ctx context.Context, name string, limits Limits) (p *process, err error) {
	if os.Args[0] == name { // else it would start itself for ever
		return nil, fmt.Errorf("this is already a process %s: its main function must call ServeChild first", name)
	}
	registerValues()
	path, err := ownProgram()
	if err != nil {
		return nil, err
	}
	p = &process{cmd: &exec.Cmd{Path: path, Args: []string{name}, Env: []string{}}}
	p.cmd.Stderr = &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.pipe = out.(*os.File)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a process: %w", err)
	}
	widenPipe(p.pipe)
	p.wait = sync.OnceValue(p.cmd.Wait)
	p.ask, p.out = gob.NewEncoder(p.in), bufio.NewReaderSize(out, pipeBuffer)
	p.acks = gob.NewDecoder(p.out)
	if err := p.open(ctx, limits); err != nil {
		p.end()
		return nil, fmt.Errorf("starting a process: %w", err)
	}
	return p, nil
}

// open gives the process a new instance in place of the one it has.
func (p *process) open(ctx context.Context, limits Limits) error {
	was := p.temp
	p.temp = limits.TempDir
	err := p.send(ctx, request{Open: &limits})
	removeTemp(was)
	return err
}

// end kills the process and waits until it is gone.
func (p *process) end() {
	p.kill()
	_ = p.wait() // it was killed
	removeTemp(p.temp)
}

func removeTemp(dir string) {
	if dir != "" {
		_ = os.RemoveAll(dir) // the next start of the server empties the directory that it is in
	}
}

// killAtEnd kills the process if ctx ends before the returned function is called. When that function returns after the
// end of ctx, the process is certain to have been killed, so that it is never lent again.
func (p *process) killAtEnd(ctx context.Context) (stop func()) {
	stopped := context.AfterFunc(ctx, p.kill)
	return sync.OnceFunc(func() {
		if !stopped() {
			p.kill()
		}
	})
}

// kill ends the process. It is killed before its input is closed: at the end of that it ends by itself, which would
// look like a crash of the statement.
func (p *process) kill() {
	p.killed.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended
	p.in.Close()
}

// send sends a request and reads the answer.
func (p *process) send(ctx context.Context, r request) error {
	_, err := p.request(ctx, r)
	return err
}

func (p *process) request(ctx context.Context, r request) (a ack, err error) {
	defer p.killAtEnd(ctx)()
	if p.asked != nil {
		p.asked.Add(1)
	}
	if err := p.ask.Encode(r); err != nil {
		return a, p.broken(ctx, err)
	}
	return p.answer(ctx)
}

func (p *process) answer(ctx context.Context) (a ack, err error) {
	if err := p.acks.Decode(&a); err != nil {
		return a, p.broken(ctx, err)
	}
	return a, a.Err.error()
}

// broken ends the process and returns why it stopped answering.
func (p *process) broken(ctx context.Context, err error) error {
	p.kill()
	_ = p.wait() // the process state has the reason
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Ended{State: p.cmd.ProcessState.String(), Stderr: p.stderr.String(), cause: err}
}

func (p *process) exec(ctx context.Context, query string) (int64, error) {
	a, err := p.request(ctx, request{SQL: query})
	return a.Rows, err
}

func (p *process) call(ctx context.Context, call []byte) ([]byte, error) {
	a, err := p.request(ctx, request{Call: call})
	return a.Reply, err
}

func (p *process) parameters(ctx context.Context, query string) (*arrow.Schema, error) {
	a, err := p.request(ctx, request{SQL: query, Asks: true})
	if err != nil {
		return nil, err
	}
	return decodeSchema(a.Asked)
}

func (p *process) stream(ctx context.Context, most int64, query string, params []Param) (source, error) {
	s := &remote{ctx: ctx, process: p, stop: p.killAtEnd(ctx)}
	err := p.send(ctx, request{SQL: query, Params: params, Result: unbound(), Most: most})
	if err == nil {
		err = s.open()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// writeArrow passes on the bytes of a result as they arrive.
func (p *process) writeArrow(ctx context.Context, w io.Writer, b *Bound, query string, params []Param) error {
	defer p.killAtEnd(ctx)()
	if err := p.send(ctx, request{SQL: query, Params: params, Result: b}); err != nil {
		return err
	}
	frames := &frameReader{in: p.out}
	part := make([]byte, pipeBuffer)
	for !frames.ended {
		n, err := frames.Read(part)
		if err != nil && err != io.EOF {
			return p.broken(ctx, err)
		}
		if _, err := w.Write(part[:n]); err != nil {
			p.kill() // the rest is not needed
			return err
		}
	}
	a, err := p.answer(ctx)
	if b.Cut = a.Cut; b.Cut == AtBytes {
		p.kill() // it is still computing what follows the cut
	}
	return err
}

// few reads the bytes of a result that fits into memory. What is beyond the bound is read and discarded.
func (p *process) few(ctx context.Context, b *Bound, query string) ([]byte, error) {
	defer p.killAtEnd(ctx)()
	most := b.Bytes
	if err := p.send(ctx, request{SQL: query, Result: b}); err != nil {
		return nil, err
	}
	frames := &frameReader{in: p.out}
	all, err := io.ReadAll(io.LimitReader(frames, most))
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, frames)
		b.cutIf(rest > 0)
	}
	if err != nil {
		return nil, p.broken(ctx, err)
	}
	a, err := p.answer(ctx)
	b.cutIf(a.Cut != Whole)
	return all, err
}

func (p *process) rows(ctx context.Context, query string, each func(Scan) error) error {
	s, err := p.stream(ctx, batchBytes, query, nil)
	if err != nil {
		return err
	}
	r := Reader{s}
	defer r.Close()
	all, err := r.All()
	if err != nil {
		return err
	}
	defer all.Release()
	for i := range int(all.NumRows()) {
		if err := each(func(dest ...any) error { return scan(all, i, dest) }); err != nil {
			return err
		}
	}
	return nil
}

// remote is a result computed by another process, which runs ahead by one batch and what fits into the pipe.
type remote struct {
	ctx     context.Context
	process *process
	frames  *frameReader
	stream  *ipc.Reader
	ended   bool
	stop    func()
}

// open reads the schema.
func (r *remote) open() (err error) {
	r.frames = &frameReader{in: r.process.out}
	if r.stream, err = ipc.NewReader(r.frames); err == nil {
		return nil
	}
	if failed := r.end(); failed != nil {
		return failed
	}
	return err
}

// end reads how the result ended: after the frames follows one more ack.
func (r *remote) end() error {
	if _, err := io.Copy(io.Discard, r.frames); err != nil {
		return r.process.broken(r.ctx, err)
	}
	r.ended = true
	_, err := r.process.answer(r.ctx)
	return err
}

func (r *remote) Schema() *arrow.Schema { return r.stream.Schema() }

func (r *remote) Next() (arrow.RecordBatch, error) {
	switch {
	case r.ended:
		return nil, nil
	case r.ctx.Err() != nil:
		return nil, context.Cause(r.ctx)
	case r.stream.Next():
		batch := r.stream.RecordBatch()
		batch.Retain()
		return batch, nil
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if err := r.stream.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return nil, nil
}

// Close kills the process if the result was not read to its end: that is the only way to stop it.
func (r *remote) Close() {
	r.stop()
	if !r.ended {
		r.process.kill()
	}
	r.stream.Release()
}

// Ended is the error of a statement whose process ended while it ran.
type Ended struct {
	State  string // how it ended, as os.ProcessState words it
	Stderr string // the beginning of its error output, for the log
	cause  error
}

func (e *Ended) Error() string {
	return fmt.Sprintf("the process ended during the statement (%s): %s; its error output: %s", e.State, e.cause, e.Stderr)
}

// Killed reports whether the process was killed from outside, by the system or its operator.
func (e *Ended) Killed() bool { return strings.Contains(e.State, "signal: killed") }

// ranOutOfMemory reports whether the process ended for lack of memory: the system kills a process that takes too much,
// and a program that is refused memory says so.
func (e *Ended) ranOutOfMemory() bool {
	for _, sign := range memorySigns {
		if strings.Contains(strings.ToLower(e.State+e.Stderr), sign) {
			return true
		}
	}
	return false
}

// memorySigns are texts of which one is in the state or the error output of a process that ran out of memory.
var memorySigns = []string{
	"out of memory", "cannot allocate", "bad_alloc", "pthread_create failed", "signal: killed",
}

// errorOutput keeps the first bytes that a process writes to standard error, where it says why it ends.
type errorOutput struct{ text []byte }

const maxErrorOutput = 4 << 10

func (t *errorOutput) Write(p []byte) (int, error) {
	t.text = append(t.text, p[:min(len(p), maxErrorOutput-len(t.text))]...)
	return len(p), nil
}

func (t *errorOutput) String() string { return strings.TrimSpace(string(t.text)) }
