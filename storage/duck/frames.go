//go:build duckdb_arrow

package duck

import (
	"bufio"
	"encoding/binary"
	"io"
)

// frameWriter writes bytes in frames, each after its length (four bytes, little endian). An empty frame marks the end,
// whatever the bytes are.
type frameWriter struct{ out *bufio.Writer }

func (f frameWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := f.length(len(p)); err != nil {
		return 0, err
	}
	return f.out.Write(p)
}

func (f frameWriter) length(n int) error {
	var head [4]byte
	binary.LittleEndian.PutUint32(head[:], uint32(n))
	_, err := f.out.Write(head[:])
	return err
}

// end writes the empty frame.
func (f frameWriter) end() error {
	if err := f.length(0); err != nil {
		return err
	}
	return f.out.Flush()
}

// frameReader reads what a frameWriter wrote, up to the empty frame.
type frameReader struct {
	in    io.Reader
	left  int // bytes left of the frame
	ended bool
}

func (f *frameReader) Read(p []byte) (int, error) {
	if f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.in.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, unexpectedEOF(err)
}

// next reads the length of the next frame.
func (f *frameReader) next() error {
	if f.ended {
		return io.EOF
	}
	var head [4]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return unexpectedEOF(err)
	}
	f.left = int(binary.LittleEndian.Uint32(head[:]))
	if f.ended = f.left == 0; f.ended {
		return io.EOF
	}
	return nil
}

// unexpectedEOF makes an early end of the input an error.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
