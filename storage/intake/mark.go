package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// byteOrderMark begins text files that Windows programs write as UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// skipMark returns the text of a file of about so many bytes without its byte order mark, if it has one.
func skipMark(f io.Reader, size int64) (io.Reader, error) {
	in := bufio.NewReaderSize(f, int(min(max(size+1, 4<<10), 64<<10)))
	start, err := in.Peek(len(byteOrderMark))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.Equal(start, byteOrderMark) {
		_, err = in.Discard(len(byteOrderMark))
		return in, err
	}
	return in, nil
}
