package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Report is what Check found.
type Report struct {
	Entries  int64    `json:"entries"`
	First    int64    `json:"first" description:"The number of the first entry."`
	Last     Head     `json:"last"`
	Problems []string `json:"problems" description:"What is wrong; empty: nothing."`

	// Of those of the problems that can be acknowledged.
	Digest string `json:"problems_sha256" description:"Of the problems, to acknowledge them by; empty: there is nothing to."`

	Acknowledged []Acknowledgement `json:"acknowledged" description:"Problems that an admin has acknowledged."`
}

// Acknowledgement says that an admin knows of problems, which do not count as such any more.
type Acknowledgement struct {
	Number   int64     `json:"number"` // of the entry that says so
	Time     time.Time `json:"time"`
	User     string    `json:"user"`
	Note     string    `json:"note"`
	Problems []string  `json:"problems"`
}

// newReport returns a report without problems.
func newReport() Report { return Report{Problems: []string{}, Acknowledged: []Acknowledgement{}} }

// maxProblems is how many problems a report lists.
const maxProblems = 100

// Check reads the whole log in a data directory, and reports entries that are missing, changed, moved or added. kept is
// the head that was kept apart from it.
func Check(ctx context.Context, dataDir string, kept Head) (Report, error) {
	c := &chain{kept: kept, report: newReport(), sum: sha256.New()}
	all, err := files(filepath.Join(dataDir, Folder))
	if err != nil {
		return c.report, err
	}
	for _, f := range all {
		if err := c.read(ctx, f); err != nil {
			return c.report, err
		}
	}
	if c.report.Last.Number < kept.Number {
		c.list(fmt.Sprintf("the log ends with entry %d, and its last was entry %d: it was cut off", c.report.Last.Number,
			kept.Number))
	}
	return c.report, nil
}

// Check checks the log while it is written.
func (l *Log) Check(ctx context.Context) (Report, error) {
	if l == nil {
		return newReport(), nil
	}
	var kept Head
	if l.options.Keeper != nil {
		var err error
		if kept, err = l.options.Keeper.Load(ctx); err != nil {
			return Report{}, err
		}
	}
	return Check(ctx, l.options.Dir, kept)
}

// chain is a log that is being checked.
type chain struct {
	kept   Head
	report Report
	sum    hash.Hash // of the problems that are not acknowledged
}

// problem reports what is wrong in the entries that were read so far: it stays, whatever follows.
func (c *chain) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(c.sum, text)
	c.report.Digest = hex.EncodeToString(c.sum.Sum(nil))
	c.list(text)
}

// list lists a problem.
func (c *chain) list(text string) {
	if len(c.report.Problems) < maxProblems {
		c.report.Problems = append(c.report.Problems, text)
	}
}

// acknowledge takes the problems so far for known, if they are those that an entry says. Of one that says others,
// something before it was changed since.
func (c *chain) acknowledge(e Entry) {
	if e.Acknowledged == "" || e.refused() || e.Acknowledged != c.report.Digest {
		return
	}
	c.report.Acknowledged = append(c.report.Acknowledged,
		Acknowledgement{e.Number, e.Time, e.User, e.Detail, c.report.Problems})
	c.report.Problems, c.report.Digest = []string{}, ""
	c.sum.Reset()
}

// read checks the lines of a file. A last line without an end is being written, or is what a crash left.
func (c *chain) read(ctx context.Context, f logFile) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := bufio.NewReaderSize(in, 1<<20)
	for ctx.Err() == nil {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			c.problem("%s has a line that is not an entry", filepath.Base(f.path))
			continue
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		c.next(bytes.TrimSuffix(line, []byte("\n")), filepath.Base(f.path))
	}
	return ctx.Err()
}

// next checks one entry against the one before.
func (c *chain) next(line []byte, file string) {
	var e Entry
	before := c.report.Last
	hash := HashOf(line)
	if json.Unmarshal(line, &e) != nil || e.Number == 0 {
		c.problem("%s: the entry after number %d can't be read", file, before.Number)
		c.report.Last.Hash = hash
		return
	}
	switch want := before.Number + 1; {
	case e.Number > want:
		c.problem("%s: %s", file, missing(want, e.Number-1))
	case e.Number < want:
		c.problem("%s: entry %d comes after entry %d", file, e.Number, before.Number)
	case e.Previous != before.Hash:
		c.problem("%s: entry %d does not follow from the one before it: one of them was changed", file, e.Number)
	}
	if e.Number == c.kept.Number && hash != c.kept.Hash {
		c.list(fmt.Sprintf("%s: entry %d is not the one that was written: it was changed, or one before it", file, e.Number))
	}
	c.acknowledge(e)
	if c.report.Entries++; c.report.First == 0 {
		c.report.First = e.Number
	}
	c.report.Last = Head{e.Number, hash}
}

func missing(from, to int64) string {
	if from == to {
		return fmt.Sprintf("entry %d is missing", from)
	}
	return fmt.Sprintf("entries %d to %d are missing", from, to)
}
