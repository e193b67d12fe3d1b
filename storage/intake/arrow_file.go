package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// An Arrow file, which Feather is another name of, is an IPC stream between the magic bytes, padded to eight, and a
// footer that says where the batches are. It is read as that stream: batch after batch, without trusting the footer.

// fileMagic is the length of the magic bytes at the start of an Arrow file, with their padding.
const fileMagic = 8

// featherMagic begins files of the first version of Feather, which is another format.
const featherMagic = "FEA1"

// skipMagic skips what precedes the stream in an Arrow file, and reports whether it is one.
func skipMagic(in *bufio.Reader) (isFile bool, err error) {
	start, err := in.Peek(len(ipc.Magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if !bytes.Equal(start, ipc.Magic) {
		return false, nil
	}
	_, err = in.Discard(fileMagic)
	return true, err
}

// checkEnd requires the end-of-stream marker, or the magic bytes at the end of a file: without it, one cut between two
// batches would pass as complete.
func checkEnd(u Upload) error {
	f, err := os.Open(u.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	head, tail := make([]byte, fileMagic), make([]byte, min(8, u.Size))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := f.ReadAt(tail, u.Size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte(featherMagic)):
		return malformed("the file is Feather of version 1. Write it as version 2, which is the Arrow file format")
	case bytes.HasPrefix(head, ipc.Magic) && !bytes.HasSuffix(tail, ipc.Magic):
		return malformed("the Arrow file does not end with its footer: it was cut short, or something follows it")
	case bytes.HasPrefix(head, ipc.Magic):
	case !bytes.HasSuffix(tail, streamEnd(head)):
		return malformed("the Arrow stream does not end with its end-of-stream marker: " +
			"it was cut short, or it is not Arrow")
	}
	return nil
}

// streamEnd returns what a stream that starts with head ends with: the mark of a message and four zeros; before Arrow
// 0.15, whose messages have no mark, four zeros. Those alone are not enough in other streams: they may be the padding
// of a batch.
func streamEnd(head []byte) []byte {
	end := []byte{255, 255, 255, 255, 0, 0, 0, 0}
	if bytes.HasPrefix(head, end[:4]) {
		return end
	}
	return end[4:]
}
