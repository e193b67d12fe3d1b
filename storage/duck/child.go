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

// sandboxName is the value of os.Args[0] that makes the program run as a sandbox's process.
const sandboxName = "rowback-sandbox"

// Any program that imports this package, including tests, can be a sandbox's process: started under that name, it never
// reaches its main function.
func init() { ServeChild(sandboxName, nil) }

// Handler answers the calls to a process: what it does besides running statements. conn is the connection that those
// run on. A nil call means that the process was given back: the handler frees what it holds for the borrower.
type Handler func(conn *Conn, call []byte) (reply []byte, err error)

// ServeChild runs the program as a process of the pools of that name if it was started as one, and then does not
// return. If DuckDB calls back into Go, for example to read an Arrow stream, it must be called from main: Go blocks
// callbacks from foreign threads until every init function has returned.
func ServeChild(name string, handle Handler) {
	if len(os.Args) == 1 && os.Args[0] == name {
		serveRequests(os.Stdin, os.Stdout, handle)
		os.Exit(0)
	}
}

// child is the peer of process, inside the process itself.
type child struct {
	handle   Handler // nil in a sandbox
	requests chan request
	out      *bufio.Writer
	acks     *gob.Encoder
	db       *sql.DB
	conn     *local
	session  string // SQL for every connection to a confined instance
	reads    int    // how many borrowers a confined instance may still serve
	broken   bool   // a fatal error has made the instance unusable
	resident int64  // bytes of memory that the process may hold
	bound    int64  // bytes of address space that it may reserve
	began    int64  // bytes that it had reserved at its start
}

// serveRequests is the main loop of the process. It returns when it can no longer send answers.
func serveRequests(in io.Reader, out io.Writer, handle Handler) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // meant for the server, which ends its sandboxes
	signal.Ignore(syscall.SIGXFSZ)                               // exceeding a file-size limit fails the write only
	registerValues()
	c := &child{handle: handle, requests: make(chan request), out: bufio.NewWriterSize(out, pipeBuffer)}
	c.acks = gob.NewEncoder(c.out)
	d := gob.NewDecoder(bufio.NewReader(in))
	go c.read(d)
	runtime.LockOSThread() // DuckDB's allocator keeps memory for every thread it has seen
	for r := range c.requests {
		if c.run(r) != nil || c.out.Flush() != nil {
			return
		}
	}
}

// read reads requests. At the end of the input it ends the process, even while a statement runs.
func (c *child) read(d *gob.Decoder) {
	for {
		var r request
		if d.Decode(&r) != nil {
			os.Exit(0)
		}
		c.requests <- r
	}
}

// errBroken is the answer of a process whose instance can't run another statement.
var errBroken = errors.New("the instance of this process is unusable")

// errUsed is the answer of a process that should not serve another statement.
var errUsed = errors.New("this process has used too much memory to be reused")

// open opens an instance in place of the previous one.
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
	c.broken = false
	if c.conn, err = c.connect(); err != nil {
		return err
	}
	if c.began == 0 {
		c.began = reserved()
	}
	if c.handle != nil {
		return nil
	}
	_, err = c.conn.exec(context.Background(), locate)
	return err
}

// connect opens a connection to the instance.
func (c *child) connect() (*local, error) {
	conn, err := c.db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	return &local{sql: conn, fatal: func() { c.broken = true }, number: func() int64 { return 1 }}, nil
}

// isLean returns an error if the process should not serve another borrower: its peak memory was high, or so much stays
// reserved, even unused, that the next borrower would soon run out. It reads /proc, because getrusage's peak starts
// from that of the parent process.
func (c *child) isLean() error {
	if ProcMemory("/proc/self/status", "VmHWM") > maxPeak || reserved()-c.began > (c.bound-c.began)/2 {
		return errUsed
	}
	return nil
}

// reserved returns the bytes that count against the limit of BoundProcess.
func reserved() int64 { return ProcMemory("/proc/self/status", "VmData") }

// reset checks that the instance is fit for another borrower, and frees what the handler holds for the last one.
func (c *child) reset() error {
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

// run serves one request. Its error means that the answer could not be sent.
func (c *child) run(r request) error {
	defer boundResident(c.resident)()
	ctx := context.Background()
	if r.Reset {
		return c.acknowledge(ack{Err: refusalOf(c.reset())})
	}
	if r.Open != nil {
		return c.acknowledge(ack{Err: refusalOf(c.open(*r.Open))})
	}
	if r.Lock != nil {
		return c.acknowledge(ack{Err: refusalOf(c.lock(*r.Lock))})
	}
	if r.Next {
		return c.acknowledge(ack{Err: refusalOf(c.next())})
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
	result := enlarged(readAhead(chunks), r.most())
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
