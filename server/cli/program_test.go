package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rowback/rowback/storage/intake"
)

// The test binary is the program, too: rowback in a script, or in a process that a test starts, is Main.
func TestMain(m *testing.M) {
	intake.ServeReader()
	testscript.Main(m, map[string]func(){"rowback": Main})
}

// Scripts are whole sessions: each runs the program as a user does and reads what it prints.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Values[serverKey{}] = new(*process)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve": scriptServe,
			"stop":  scriptStop,
			"http":  scriptHTTP,
			"gzip":  scriptGzip,
			"codes": scriptCodes,
			"cut":   scriptCut,
			"tty":   scriptTTY,
			"fits":  scriptFits,
		},
	})
}

// process is a server in a process of its own.
type process struct {
	cmd    *exec.Cmd
	url    string
	stdout lockedBuffer
	stderr lockedBuffer
	ended  chan error
}

// lockedBuffer is a buffer that a process writes to while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// start runs cmd, a server that listens on a port of its choice, and waits until it has printed its URL.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = &p.stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n')
		io.WriteString(&p.stdout, line)
		first <- line
		io.Copy(&p.stdout, lines)
		p.ended <- cmd.Wait()
	}()
	_, rest, ok := strings.Cut(<-first, " listens on ")
	if !ok {
		return nil, fmt.Errorf("the server did not start: %w\n%s", <-p.ended, p.stderr.String())
	}
	p.url, _, _ = strings.Cut(rest, ";")
	return p, nil
}

// stop asks the server to end, and returns how it ended.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-p.ended
}

// serverKey is where a script keeps the server that it runs.
type serverKey struct{}

// serve [flags] starts a server with these flags; $ROWBACK_SERVER is its URL.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("rowback", append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "TMPDIR="+ts.Getenv("TMPDIR"), "ROWBACK_TOKEN="+ts.Getenv("ROWBACK_TOKEN"))
	p, err := start(cmd)
	ts.Check(err)
	ts.Setenv("ROWBACK_SERVER", p.url)
	running := ts.Value(serverKey{}).(**process)
	*running = p
	ts.Defer(func() {
		if *running == p {
			p.stop()
		}
	})
}

// stop ends the script's server, which must exit with 0; what it printed and logged is in server.out and server.log.
func scriptStop(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.Value(serverKey{}).(**process)
	p := *running
	if p == nil {
		ts.Fatalf("no server runs")
	}
	*running = nil
	if err := p.stop(); err != nil {
		ts.Fatalf("the server ended with %v\n%s", err, p.stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("server.out"), []byte(p.stdout.String()), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("server.log"), []byte(p.stderr.String()), 0o644))
}

// http METHOD PATH [header: value]... [@file | body] sends a request; stdout is the status line, the headers, and the
// body.
func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [header: value]... [@file | body]")
	}
	var body []byte
	header := http.Header{}
	for _, arg := range args[2:] {
		name, value, isHeader := strings.Cut(arg, ": ")
		switch {
		case strings.HasPrefix(arg, "@"):
			body = []byte(ts.ReadFile(arg[1:]))
		case isHeader && !strings.ContainsAny(name, "{[\" "):
			header.Set(name, value)
		default:
			body = []byte(arg)
		}
	}
	req, err := http.NewRequest(args[0], ts.Getenv("ROWBACK_SERVER")+args[1], bytes.NewReader(body))
	ts.Check(err)
	req.Header = header
	res, err := http.DefaultTransport.RoundTrip(req)
	ts.Check(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n", res.StatusCode)
	res.Header.Write(ts.Stdout())
	fmt.Fprintf(ts.Stdout(), "\n%s\n", text)
	if neg != (res.StatusCode >= 400) {
		ts.Fatalf("%s %s answered %d: %s", args[0], args[1], res.StatusCode, text)
	}
}

// gzip FILE compresses a file to FILE.gz.
func scriptGzip(ts *testscript.TestScript, neg bool, args []string) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.WriteString(w, ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".gz"), out.Bytes(), 0o644))
}

// codes DIR=CODE... checks data directories and compares the exit codes.
func scriptCodes(ts *testscript.TestScript, neg bool, args []string) {
	for _, arg := range args {
		dir, want, _ := strings.Cut(arg, "=")
		cmd := exec.Command("rowback", "check", "--data", ts.MkAbs(dir))
		cmd.Run()
		if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != want {
			ts.Fatalf("check of %s exits with %s, want %s", dir, got, want)
		}
	}
}

// cut PATTERN cuts the files that match the pattern to half their size.
func scriptCut(ts *testscript.TestScript, neg bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, f := range files {
		info, err := os.Stat(f)
		ts.Check(err)
		ts.Check(os.Truncate(f, info.Size()/2))
	}
	if len(files) == 0 {
		ts.Fatalf("no file is like %s", args[0])
	}
}
