package catalog

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// proxy is between a catalog and PostgreSQL, and breaks the connection at the next COMMIT: before PostgreSQL gets it,
// or after that was done and before the catalog is answered.
type proxy struct {
	net.Listener
	to     string
	before atomic.Bool
	after  atomic.Bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{Listener: l, to: to}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(conn)
		}
	}()
	return p
}

func (p *proxy) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	var swallow atomic.Bool
	go func() {
		defer client.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := server.Read(buffer)
			if err != nil || swallow.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit\x00")) {
			if p.before.CompareAndSwap(true, false) {
				return
			}
			if p.after.CompareAndSwap(true, false) {
				swallow.Store(true)
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buffer[:n])); err != nil {
			return
		}
	}
}

// The answer to a COMMIT is lost: the catalog asks PostgreSQL what came of it. What it then reports is what is there.
func aLostAnswer(t *testing.T) {
	database := newDatabase(t)
	p := newProxy(t, server.Load().Address())
	url := bytes.ReplaceAll([]byte(database), []byte(server.Load().Address()), []byte(p.Addr().String()))
	f := openURL(t, string(url))
	for name, c := range map[string]struct {
		breaks *atomic.Bool
		stands bool
	}{"before": {&p.before, false}, "after": {&p.after, true}} {
		c.breaks.Store(true)
		err := f.Write(t.Context(), func(tx Tx) error { return tx.AddDataset(f.dataset(name, name)) })
		if c.breaks.Load() {
			t.Fatalf("%s: no COMMIT was seen", name)
		}
		if c.stands && err != nil || !c.stands && (!IsUnavailable(err) || errors.Is(err, ErrUncertain)) {
			t.Errorf("%s: %v", name, err)
		}
		f.must(func(tx Tx) error {
			if _, err := tx.Dataset(name); (err == nil) != c.stands {
				t.Errorf("%s: is it there? %v", name, err)
			}
			return nil
		})
	}
}
