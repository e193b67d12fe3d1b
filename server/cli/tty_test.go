package cli

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rowback/rowback/server/terminal"
)

// tty [-type FILE] COMMAND... runs a command on a terminal of 80 columns. What the terminal shows is stdout, with ^[ in
// place of the escape character. Each line of FILE is what is awaited, its
// parts in order between stars, then " = ", and what is typed.
func scriptTTY(ts *testscript.TestScript, neg bool, args []string) {
	typed := ""
	if args[0] == "-type" {
		typed, args = ts.ReadFile(args[1]), args[2:]
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"HOME", "PATH", "ROWBACK_SERVER", "ROWBACK_DATASET", "NO_COLOR", "PAGER", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	defer screen.Close()
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	shown := readTerminal(screen, strings.Split(strings.TrimSpace(typed), "\n"))
	failed := cmd.Wait() != nil
	text := strings.ReplaceAll(strings.ReplaceAll(shown, "\r\n", "\n"), "\x1b", "^[")
	fmt.Fprint(ts.Stdout(), text)
	if failed != neg {
		ts.Fatalf("%s failed: %v\n%s", strings.Join(args, " "), failed, text)
	}
}

// inOrder reports whether a text has all parts, one after the other.
func inOrder(text string, parts []string) bool {
	for _, part := range parts {
		_, rest, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = rest
	}
	return true
}

// escapes are what sets colours, as scriptTTY shows it.
var escapes = regexp.MustCompile(`\^\[\[[0-9;]*m`)

// fits fails if what the last command printed is wider than the terminal, or controls it.
func scriptFits(ts *testscript.TestScript, neg bool, args []string) {
	lines := strings.Split(strings.TrimSuffix(escapes.ReplaceAllString(ts.ReadFile("stdout"), ""), "\n"), "\n")
	for _, line := range lines {
		plain := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(line)
		if terminal.Escape(plain) != plain || terminal.WidthOf(plain) > 80 {
			ts.Fatalf("%d columns: %q", terminal.WidthOf(plain), line)
		}
	}
}

// readTerminal reads what a command prints until it ends, answers the questions that programs ask terminals, and types.
func readTerminal(screen io.ReadWriter, lines []string) string {
	var all, fresh bytes.Buffer
	part := make([]byte, 1<<16)
	for {
		n, err := screen.Read(part)
		all.Write(part[:n])
		fresh.Write(part[:n])
		if bytes.Contains(part[:n], []byte("\x1b[6n")) { // where is the cursor?
			io.WriteString(screen, "\x1b[5;10R")
		}
		if len(lines) > 0 {
			awaited, typing, ok := strings.Cut(lines[0], " = ")
			if ok && inOrder(fresh.String(), strings.Split(awaited, "*")) {
				time.Sleep(200 * time.Millisecond) // a person reads first, and meanwhile the echo is turned off
				io.WriteString(screen, strings.NewReplacer(`\r`, "\r", `\t`, "\t").Replace(typing))
				fresh.Reset()
				lines = lines[1:]
			}
		}
		if err != nil { // a terminal whose program has ended
			return all.String()
		}
	}
}
