package duck

import (
	"bufio"
	"fmt"
	"os"
)

// ProcMemory reads an amount of memory, in bytes, from a file in /proc, such as MemTotal in /proc/meminfo or VmHWM in a
// process's status. It is 0 if there is none, as on systems other than Linux.
func ProcMemory(path, name string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kib int64
		if _, err := fmt.Sscanf(lines.Text(), name+": %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
