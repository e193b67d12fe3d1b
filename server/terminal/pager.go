package terminal

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Pager shows what is written to it page by page, until it is closed.
type Pager struct {
	io.Writer
	in  io.WriteCloser
	cmd *exec.Cmd
}

// OpenPager starts the user's pager: PAGER, or else less, which prints at once what fits a screen. It returns nil where
// there is none, or PAGER is empty or cat.
func OpenPager(out, errors io.Writer, lookup func(string) (string, bool)) *Pager {
	line, ok := lookup("PAGER")
	if !ok {
		line = "less"
	}
	words := strings.Fields(line)
	if len(words) == 0 || words[0] == "cat" {
		return nil
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return nil
	}
	cmd := exec.Command(path, words[1:]...) // #nosec G204 -- the pager that the user names
	cmd.Stdout, cmd.Stderr, cmd.Env = out, errors, os.Environ()
	if _, ok := lookup("LESS"); !ok {
		cmd.Env = append(cmd.Env, "LESS=FRX")
	}
	in, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return nil
	}
	return &Pager{Writer: in, in: in, cmd: cmd}
}

// Close waits until the user has read.
func (p *Pager) Close() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// IsClosed reports whether an error of writing is only that the reader has seen enough.
func IsClosed(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}
