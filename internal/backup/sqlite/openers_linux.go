package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// openers names the other processes that have a database open, as far as we may see. One
// without a log can be open and not locked.
func openers(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	var who []string
	own := strconv.Itoa(os.Getpid())
	seen := map[string]bool{own: true}
	for _, link := range links {
		pid := strings.Split(link, "/")[2]
		if seen[pid] {
			continue
		}
		if to, err := os.Readlink(link); err == nil && to == real {
			seen[pid] = true
			name, _ := os.ReadFile("/proc/" + pid + "/comm") // #nosec G304 -- of a process; without it the number says it
			who = append(who, fmt.Sprintf("%s %s", strings.TrimSpace(string(name)), pid))
		}
	}
	return strings.Join(who, ", ")
}
