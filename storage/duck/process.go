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

// pipeBuffer is how much a process's output is read and written at once, bytes.
const pipeBuffer = 256 << 10

// process is an instance in a process of its own, which serves one goroutine. It is killed where a statement must end:
// DuckDB can't be interrupted within a single function, and does not count all the memory that one takes.
type process struct {
	cmd    *exec.Cmd
	temp   string // the instance's own folder, which ends with it
	in     io.WriteCloser
	pipe   *os.File // out, unread
	ask    *gob.Encoder
	out    *bufio.Reader
	acks   *gob.Decoder
	said   words
	wait   func() error
	uses   int
	asked  *atomic.Int64 // requests of its pool; nil until it has one
	killed atomic.Bool
}

// startProcess starts a process of that name, and waits until it can take statements.
func startProcess(ctx context.Context, name string, limits Limits) (p *process, err error) {
	if os.Args[0] == name { // or it would start itself for ever
		return nil, fmt.Errorf("this is a process %s, whose main function did not call ServeChild first", name)
	}
	registerValues()
	path, err := ownProgram()
	if err != nil {
		return nil, err
	}
	p = &process{cmd: &exec.Cmd{Path: path, Args: []string{name}, Env: []string{}}}
	p.cmd.Stderr = &p.said
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

// open gives the process an instance, in place of the one that it has.
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
	p.wait() //nolint:errcheck // it was killed
	removeTemp(p.temp)
}

func removeTemp(dir string) {
	if dir != "" {
		os.RemoveAll(dir) //nolint:errcheck // the next start of the server empties the folder that it is in
	}
}

// killAtEnd kills the process when ctx ends before the returned function is called. The process is then dead for certain
// when that returns, so that it is lent to no one else.
func (p *process) killAtEnd(ctx context.Context) (stop func()) {
	stopped := context.AfterFunc(ctx, p.kill)
	return sync.OnceFunc(func() {
		if !stopped() {
			p.kill()
		}
	})
}

func (p *process) kill() {
	p.killed.Store(true)
	p.in.Close()
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended
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

// broken tells why the process can't be spoken with any more.
func (p *process) broken(ctx context.Context, err error) error {
	p.kill()
	p.wait() //nolint:errcheck // the state tells
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Ended{State: p.cmd.ProcessState.String(), Said: p.said.String(), cause: err}
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

func (p *process) stream(ctx context.Context, query string, params []Param) (source, error) {
	s := &remote{ctx: ctx, process: p, stop: p.killAtEnd(ctx)}
	err := p.send(ctx, request{SQL: query, Params: params, Result: unbound()})
	if err == nil {
		err = s.open()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// writeArrow passes the bytes of a result on as they come.
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
			p.kill() // no one wants the rest
			return err
		}
	}
	a, err := p.answer(ctx)
	if b.Cut = a.Cut; b.Cut == AtBytes {
		p.kill() // it is at what comes behind the cut
	}
	return err
}

// few reads the bytes of a result that may be kept in memory. What is beyond the bound is read and dropped.
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
	s, err := p.stream(ctx, query, nil)
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

// remote is a result that another process computes. It keeps a batch ahead, and what fits into a pipe.
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
	if told := r.end(); told != nil {
		return told
	}
	return err
}

// end reads how the result ended.
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

func (r *remote) Close() {
	r.stop()
	if !r.ended {
		r.process.kill()
	}
	r.stream.Release()
}

// Ended is the error of a statement whose process ended under it.
type Ended struct {
	State string // as the system tells it
	Said  string // what it wrote at last, for the log
	cause error
}

func (e *Ended) Error() string {
	return fmt.Sprintf("the process ended under the statement (%s): %s; it said: %s", e.State, e.cause, e.Said)
}

// Killed reports whether the system or its operator ended the process, which did not end by itself.
func (e *Ended) Killed() bool { return strings.Contains(e.State, "signal: killed") }

// hungry reports whether it ended for lack of memory: the system kills a process that takes too much, and a program that gets
// none says so.
func (e *Ended) hungry() bool {
	for _, sign := range []string{"out of memory", "cannot allocate", "bad_alloc", "pthread_create failed", "signal: killed"} {
		if strings.Contains(strings.ToLower(e.State+e.Said), sign) {
			return true
		}
	}
	return false
}

// words keeps the first of what a process writes, where it says why it ends.
type words struct{ text []byte }

const maxSaid = 4 << 10

func (t *words) Write(p []byte) (int, error) {
	t.text = append(t.text, p[:min(len(p), maxSaid-len(t.text))]...)
	return len(p), nil
}

func (t *words) String() string { return strings.TrimSpace(string(t.text)) }
