//go:build duckdb_arrow

package duck

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/gob"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// sandboxName is the name that a program is started under, for it to be a sandbox's process.
const sandboxName = "rowback-sandbox"

// Any program that has this package, tests too, can be a sandbox's process: before its main function would run, it is
// one if it was started under that name.
func init() { ServeChild(sandboxName, nil) }

// Handler answers the calls of a process: what it does beside running statements. It has the connection that those run on.
// A nil call tells it that the process is given back: it frees what it holds for the borrower.
type Handler func(conn *Conn, call []byte) (reply []byte, err error)

// ServeChild makes the program a process of the pools of that name, if it was started as one, and does not return then.
// Where DuckDB calls back into Go, as to read an Arrow stream, the main function must call it: Go keeps the threads of
// other languages waiting until every init function has returned.
func ServeChild(name string, handle Handler) {
	if len(os.Args) == 1 && os.Args[0] == name {
		serveRequests(os.Stdin, os.Stdout, handle)
		os.Exit(0)
	}
}

// child is the other side of process.
type child struct {
	handle   Handler // nil in a sandbox
	requests chan request
	out      *bufio.Writer
	acks     *gob.Encoder
	db       *sql.DB
	conn     *local
	broken   bool  // a statement has made the instance unusable
	resident int64 // bytes that the process may hold
	bound    int64 // bytes that it may reserve
	began    int64 // bytes that it had reserved when it was new
}

// serveRequests is what a sandbox's process does. It returns when it can't answer any more.
func serveRequests(in io.Reader, out io.Writer, handle Handler) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // those are for the server, which ends its sandboxes
	signal.Ignore(syscall.SIGXFSZ)                               // a file-size limit is an error of the one write
	registerValues()
	c := &child{handle: handle, requests: make(chan request), out: bufio.NewWriterSize(out, pipeBuffer)}
	c.acks = gob.NewEncoder(c.out)
	d := gob.NewDecoder(bufio.NewReader(in))
	go c.read(d)
	runtime.LockOSThread() // DuckDB's allocator keeps memory for every thread that it has met
	for r := range c.requests {
		if c.run(r) != nil || c.out.Flush() != nil {
			return
		}
	}
}

// read reads requests, and ends the process with its input, also while a statement runs.
func (c *child) read(d *gob.Decoder) {
	for {
		var r request
		if d.Decode(&r) != nil {
			os.Exit(0)
		}
		c.requests <- r
	}
}

// errBroken is told to a process whose instance can't run another statement.
var errBroken = errors.New("the instance of this process is unusable")

// errUsed is told to a process that should not serve another statement.
var errUsed = errors.New("this process has taken much memory")

// open opens an instance, in place of the one before.
func (c *child) open(limits Limits) error {
	if c.db != nil {
		if err := errors.Join(c.conn.sql.Close(), c.db.Close()); err != nil {
			return err
		}
		if err := c.isLean(); err != nil {
			return err
		}
	}
	c.bound = limits.process()
	if err := BoundProcess(c.bound); err != nil {
		return err
	}
	if c.resident = limits.Resident; c.resident > 0 {
		debug.SetMemoryLimit(c.resident - limits.Memory)
	}
	var err error
	if c.db, err = limits.open(); err != nil {
		return err
	}
	conn, err := c.db.Conn(context.Background())
	if err != nil {
		return err
	}
	c.broken = false
	c.conn = &local{sql: conn, fatal: func() { c.broken = true }, number: func() int64 { return 1 }}
	if c.began == 0 {
		c.began = reserved()
	}
	if c.handle != nil {
		return nil
	}
	_, err = c.conn.exec(context.Background(), locate)
	return err
}

// isLean refuses another borrower where the process has taken much memory, or has so much reserved, though it is not used,
// that the next borrower would soon be refused some. What getrusage tells begins with what the program that started this
// one had.
func (c *child) isLean() error {
	if ProcMemory("/proc/self/status", "VmHWM") > maxPeak || reserved()-c.began > (c.bound-c.began)/2 {
		return errUsed
	}
	return nil
}

// reserved is what counts against the bound of BoundProcess, bytes.
func reserved() int64 { return ProcMemory("/proc/self/status", "VmData") }

// rest makes sure that the instance is fit for another borrower: what the handler holds for this one is freed.
func (c *child) rest() error {
	if c.broken {
		return errBroken
	}
	if c.handle != nil {
		if _, err := c.handle(&Conn{session: c.conn}, nil); err != nil {
			return err
		}
	}
	return c.isLean()
}

func (c *child) run(r request) error {
	defer boundResident(c.resident)()
	ctx := context.Background()
	if r.Rest {
		return c.acknowledge(ack{Err: refusalOf(c.rest())})
	}
	if r.Open != nil {
		return c.acknowledge(ack{Err: refusalOf(c.open(*r.Open))})
	}
	if r.Call != nil {
		reply, err := c.handle(&Conn{session: c.conn}, r.Call)
		return c.acknowledge(ack{Reply: reply, Err: refusalOf(err)})
	}
	if r.Asks {
		asked, err := c.conn.parameters(ctx, r.SQL)
		return c.acknowledge(ack{Asked: encodeSchema(asked), Err: refusalOf(err)})
	}
	if r.Result == nil {
		rows, err := c.conn.exec(ctx, r.SQL)
		return c.acknowledge(ack{Rows: rows, Err: refusalOf(err)})
	}
	chunks, err := c.conn.chunks(ctx, r.SQL, r.Params)
	if err != nil {
		return c.acknowledge(ack{Err: refusalOf(err)})
	}
	result := enlarged(readAhead(chunks))
	defer result.Close()
	if err := c.acknowledge(ack{}); err != nil {
		return err
	}
	frames := frameWriter{c.out}
	err = writeStream(result, frames, r.Result)
	if broken := frames.end(); broken != nil {
		return broken
	}
	return c.acknowledge(ack{Cut: r.Result.Cut, Err: refusalOf(err)})
}

func (c *child) acknowledge(a ack) error {
	if err := c.acks.Encode(a); err != nil {
		return err
	}
	return c.out.Flush()
}
