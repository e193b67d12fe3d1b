// Package postgrestest starts PostgreSQL for tests, from the programs of the machine, in a temporary directory.
package postgrestest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Demanded is the variable with which tests fail, and are not skipped, where there is no PostgreSQL.
const Demanded = "ROWBACK_POSTGRES"

// Server is a PostgreSQL server of one test, or of those of one package.
type Server struct {
	bin, data string
	port      int
	as        *syscall.Credential // nil: this process's user
}

// Start starts a server, or skips the test where there is none. It is stopped at the end of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	bin := programs()
	if bin == "" {
		if os.Getenv(Demanded) != "" {
			t.Fatal("there is no PostgreSQL: install it, such as Debian's postgresql")
		}
		t.Skip("there is no PostgreSQL")
	}
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{bin: bin, data: filepath.Join(dir, "data"), port: freePort(t)}
	s.as = unprivileged(t, dir)
	s.run(t, "initdb", "-D", s.data, "-U", "rowback", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
		"--no-instructions")
	s.Start(t)
	t.Cleanup(func() { s.command("pg_ctl", "-D", s.data, "-m", "immediate", "-w", "stop").Run() })
	return s
}

// programs is the directory of PostgreSQL's programs; empty: there are none.
func programs() string {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // the others are beside it
			return filepath.Dir(path)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// unprivileged is whom the server runs as where this process is root's, which PostgreSQL refuses.
func unprivileged(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Start starts the server again after Stop.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	options := fmt.Sprintf("-p %d -h 127.0.0.1 -c fsync=off -c shared_buffers=16MB -c unix_socket_directories=''", s.port)
	s.run(t, "pg_ctl", "-D", s.data, "-l", filepath.Join(s.data, "log"), "-o", options, "-w", "start")
}

// Stop ends the server at once, as a crash would.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.run(t, "pg_ctl", "-D", s.data, "-m", "immediate", "-w", "stop")
}

// Replica starts a replica of the server, which has all that was committed, and follows it until it is stopped.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	dir := filepath.Join(filepath.Dir(s.data), "replica")
	r := &Server{bin: s.bin, data: dir, port: freePort(t), as: s.as}
	s.run(t, "pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "rowback", "-D", r.data, "-R",
		"-X", "stream", "-c", "fast", "--no-sync")
	r.Start(t)
	t.Cleanup(func() { r.command("pg_ctl", "-D", r.data, "-m", "immediate", "-w", "stop").Run() })
	return r
}

// TakeOver has a replica, which was stopped, be the server at the address of another, which was stopped as well.
func (s *Server) TakeOver(t testing.TB, from *Server) {
	t.Helper()
	s.port = from.port
	s.Start(t)
	s.run(t, "pg_ctl", "-D", s.data, "-w", "promote")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

func (s *Server) run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := s.command(name, args...)
	log, err := os.CreateTemp("", "postgres-out-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log // a file: the server that pg_ctl starts would hold a pipe
	if err := cmd.Run(); err != nil {
		out, _ := os.ReadFile(log.Name())
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Create creates a database.
func (s *Server) Create(t testing.TB, database string) {
	t.Helper()
	s.run(t, "createdb", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "rowback", database)
}

// URL is that of a database, with a schema of it; empty: the one that every database has.
func (s *Server) URL(database, schema string) string {
	u := url.URL{Scheme: "postgres", User: url.User("rowback"), Host: s.Address(), Path: "/" + database}
	q := url.Values{"sslmode": {"disable"}}
	if schema != "" {
		q.Set("search_path", schema)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Address is the host and port that it listens on.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
