package storage

import (
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/fault"
)

func TestAddressesOfAnInbox(t *testing.T) {
	const inbox = "s3://lake/store/incoming/"
	for _, c := range []struct{ files, want string }{
		{inbox + "1/x", "1/x"},
		{"s3a://lake/store/incoming/1/day=1/part 0.parquet", "1/day=1/part 0.parquet"},
		{inbox + "1/a/%2e%2e/b", "1/a/%2e%2e/b"}, // nothing is decoded
		{inbox + "2/x", "file_outside"}, {inbox + "11/x", "file_outside"}, {inbox + "1", "file_outside"},
		{inbox + "1/", "file_outside"}, {inbox + "1/../2/x", "file_outside"}, {inbox + "1/a/../../2/x", "file_outside"},
		{inbox + "1//x", "file_outside"}, {inbox + "1/./x", "file_outside"}, {inbox + "1/x/", "file_outside"},
		{inbox + "1/x?a", "file_outside"}, {inbox + "1/x#a", "file_outside"}, {inbox + "1/a\\..\\x", "file_outside"},
		{inbox + "1/x\x00", "file_outside"}, {inbox + "1/\xff", "file_outside"},
		{"s3://other/store/incoming/1/x", "file_outside"},
		{"https://lake/store/incoming/1/x", "file_outside"}, {"1/x", "file_outside"}, {"", "file_outside"},
		{"s3://lake/store/incoming/../objects/1/x", "file_outside"}, {"S3://lake/store/incoming/1/x", "file_outside"},
		{inbox + "1/x " + inbox + "1/x", "file_twice"}, {inbox + "1/x s3a://lake/store/incoming/1/x", "file_twice"},
	} {
		list := []string{c.files}
		if two := strings.Split(c.files, " "+"s3"); len(two) == 2 {
			list = []string{two[0], "s3" + two[1]}
		}
		names, err := inboxNames(list, inbox, "1")
		got := strings.Join(names, " ")
		if e, ok := err.(*fault.Error); ok {
			got = e.Code
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", list, got, c.want)
		}
	}
	names, err := inboxNames([]string{"file:/data/incoming/7/x"}, "file:///data/incoming/", "7")
	if err != nil || names[0] != "7/x" {
		t.Error(names, err)
	}
}

func TestTheDirectoryOfFiles(t *testing.T) {
	for want, names := range map[string][]string{
		"1/job/": {"1/job/a", "1/job/b"}, "1/": {"1/job/a", "1/jobs/a"}, "1/j/k/": {"1/j/k/x"},
	} {
		var files []reference
		for _, name := range names {
			files = append(files, reference{Pinned: blob.Pinned{Name: name}})
		}
		if got := directoryOf(files); got != want {
			t.Errorf("%v: %s", names, got)
		}
	}
}
