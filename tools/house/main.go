// House checks what no other linter knows: the project's own rules about its
// Go files, and that each dependency has been decided upon. It reads the files
// that git tracks below the current directory, prints one line for each fault, and exits with 1 if there was any.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.go").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "house: git ls-files:", err)
		os.Exit(2)
	}
	var files []string
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(name); err == nil { // tracked, but deleted in the work tree
			files = append(files, name)
		}
	}
	faults, err := check(os.DirFS("."), files)
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	missing, err := undecided(os.DirFS("."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	faults = append(faults, missing...)
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}
