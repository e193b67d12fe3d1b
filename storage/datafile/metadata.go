package datafile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// A footer is a FileMetaData structure in Thrift's compact protocol (parquet.thrift). Two of its fields are read here
// and the others skipped. No length in it is trusted.
const (
	rowsField  = 3
	pairsField = 5
)

// Types of values in the compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12
)

const (
	maxPair    = 4 << 10 // bytes of a key or value; longer ones read as ""
	maxNesting = 32      // of structures; Parquet's have fewer than ten levels
)

var errMetadata = errors.New("its footer can't be read")

// readMetadata returns the number of rows and the key-value metadata in a footer.
func readMetadata(r io.Reader) (rows int64, pairs map[string]string, err error) {
	t := &thrift{bufio.NewReader(r)}
	pairs = map[string]string{}
	err = t.fields(func(id int64, typ byte) error {
		switch {
		case id == rowsField && typ == thriftI64:
			rows, err = binary.ReadVarint(t)
			return err
		case id == pairsField && typ == thriftList:
			return t.pairs(pairs)
		}
		return t.skip(typ, 0)
	})
	if err != nil {
		return 0, nil, errMetadata
	}
	return rows, pairs, nil
}

// thrift reads the compact protocol.
type thrift struct{ *bufio.Reader }

// fields calls each for every field of a structure, with its id and type. each must read or skip the value.
func (t *thrift) fields(each func(id int64, typ byte) error) error {
	var id int64
	for {
		head, err := t.ReadByte()
		if err != nil || head&15 == thriftStop {
			return err
		}
		if step := int64(head >> 4); step > 0 {
			id += step
		} else if id, err = binary.ReadVarint(t); err != nil {
			return err
		}
		if err := each(id, head&15); err != nil {
			return err
		}
	}
}

// list reads the header of a list: the number of its values and their type.
func (t *thrift) list() (n uint64, typ byte, err error) {
	head, err := t.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	if n = uint64(head >> 4); n == 15 {
		n, err = binary.ReadUvarint(t)
	}
	return n, head & 15, err
}

// pairs reads the key-value metadata.
func (t *thrift) pairs(into map[string]string) error {
	n, typ, err := t.list()
	if err != nil || typ != thriftStruct {
		return errors.Join(err, errMetadata)
	}
	for range n {
		var pair [2]string
		if err := t.fields(func(id int64, typ byte) (err error) {
			if typ != thriftBinary || id < 1 || id > 2 {
				return t.skip(typ, 0)
			}
			pair[id-1], err = t.text()
			return err
		}); err != nil {
			return err
		}
		into[pair[0]] = pair[1]
	}
	return nil
}

// text reads a string. One that is too long is skipped and returned as "".
func (t *thrift) text() (string, error) {
	n, err := binary.ReadUvarint(t)
	if err != nil {
		return "", err
	}
	if n > maxPair {
		return "", t.pass(n)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(t, text)
	return string(text), err
}

// pass skips bytes. It reads them instead of moving on, so that a length past the end is an error.
func (t *thrift) pass(n uint64) error {
	if n > 1<<31 { // more than any footer has, and Discard takes an int
		return errMetadata
	}
	_, err := t.Discard(int(n))
	return err
}

// skip skips a value. Booleans that are fields have none: their type is the value.
func (t *thrift) skip(typ byte, depth int) error {
	if depth > maxNesting {
		return errMetadata
	}
	switch typ {
	case thriftTrue, thriftFalse:
		return nil
	case thriftByte:
		return t.pass(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := binary.ReadVarint(t)
		return err
	case thriftDouble:
		return t.pass(8)
	case thriftBinary:
		n, err := binary.ReadUvarint(t)
		if err != nil {
			return err
		}
		return t.pass(n)
	case thriftStruct:
		return t.fields(func(_ int64, typ byte) error { return t.skip(typ, depth+1) })
	case thriftList, thriftSet:
		return t.skipList(depth)
	}
	return errMetadata // maps too: Parquet has none
}

// skipList skips the elements of a list or a set. A list may claim more of them than it has: the first that is missing
// ends it.
func (t *thrift) skipList(depth int) error {
	n, typ, err := t.list()
	if err != nil {
		return err
	}
	if typ == thriftTrue || typ == thriftFalse {
		typ = thriftByte // in a list, each is a byte
	}
	for range n {
		if err := t.skip(typ, depth+1); err != nil {
			return err
		}
	}
	return nil
}
