//go:build duckdb_arrow

package duck

import (
	"syscall"
	"testing"
	"time"
)

func keptPool(t *testing.T) *Pool {
	p := NewKeptPool(sandboxName, 2, func() Limits { return Limits{Threads: 1, TempDir: t.TempDir()} })
	t.Cleanup(p.Close)
	return p
}

func take(t *testing.T, p *Pool) (*Conn, *process) {
	t.Helper()
	c, err := p.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c, c.session.(*lent).process
}

// The first borrower finds the process that was started ahead, and the next finds it again, without a request.
func TestAProcessIsReadyAhead(t *testing.T) {
	p := keptPool(t)
	p.Fill()
	p.work.Wait()
	asked := p.Asked()
	c, first := take(t, p)
	if p.Asked() != asked || len(p.running) != 1 {
		t.Errorf("taking it took %d requests; %d processes run", p.Asked()-asked, len(p.running))
	}
	c.Close()
	p.work.Wait()
	c, second := take(t, p)
	defer c.Close()
	if first != second || p.Asked() != asked+1 {
		t.Errorf("another process was lent: %v; giving it back took %d requests, not 1", first != second, p.Asked()-asked)
	}
}

// Nothing is started beside a sandbox that is lent; once it is given back, and confined to a scope, another one is.
func TestTheNextSandboxIsStartedAfterwards(t *testing.T) {
	p := NewPool(func() Limits { return Limits{Threads: 1} })
	t.Cleanup(p.Close)
	c, _ := take(t, p)
	if err := c.Lock(t.Context(), Scope{Setup: []string{"CREATE VIEW v AS SELECT 1"}, Session: "SET schema = 'main'", Keep: true}); err != nil {
		t.Fatal(err)
	}
	p.work.Wait()
	if p.Opened() != 1 {
		t.Errorf("%d instances were opened beside it", p.Opened()-1)
	}
	c.Close()
	for deadline := time.Now().Add(20 * time.Second); p.waiting(isNew) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no process is started ahead")
		}
	}
	if p.waiting(isConfined) != 1 || p.Opened() != 2 {
		t.Errorf("%d wait confined, %d were opened", p.waiting(isConfined), p.Opened())
	}
}

// Whoever takes a process while one is being started waits for that one.
func TestAProcessThatIsBeingStartedIsTaken(t *testing.T) {
	p := keptPool(t)
	p.Fill()
	c, _ := take(t, p)
	defer c.Close()
	p.work.Wait()
	if len(p.running) != 1 {
		t.Errorf("%d processes run", len(p.running))
	}
}

// A process that has died while it waited is lent to no one.
func TestAProcessThatDiedWaiting(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV} {
		p := keptPool(t)
		p.Fill()
		p.work.Wait()
		c, died := take(t, p)
		c.Close()
		p.work.Wait()
		if err := died.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		waitUntilEnded(t, died)
		c, other := take(t, p)
		defer c.Close()
		if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil || other == died {
			t.Errorf("%s: the dead process was lent: %v, %v", signal, other == died, err)
		}
	}
}

func waitUntilEnded(t *testing.T, p *process) {
	for deadline := time.Now().Add(20 * time.Second); !hasEnded(p.pipe); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the process does not end")
		}
	}
}

// Closing a pool ends what waits, and what is still being started.
func TestClosingAPoolEndsItsProcesses(t *testing.T) {
	for _, started := range []bool{true, false} {
		p := keptPool(t)
		p.Fill()
		if started {
			p.work.Wait()
		}
		p.Close()
		if len(p.running) > 0 {
			t.Errorf("started %v: %d processes run", started, len(p.running))
		}
		if p.Fill(); p.startedAhead() != nil {
			t.Error("a closed pool starts a process")
		}
	}
}

// A process whose instance a statement has made unusable is not lent again.
func TestABrokenInstanceIsNotLent(t *testing.T) {
	c := &child{broken: true}
	if err := c.reset(); err != errBroken {
		t.Error(err)
	}
	p := keptPool(t)
	conn, first := take(t, p)
	first.kill() // as the end of a context does
	conn.Close()
	p.work.Wait()
	conn, second := take(t, p)
	defer conn.Close()
	if first == second {
		t.Error("a killed process was lent again")
	}
}
