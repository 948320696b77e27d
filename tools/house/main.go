// House checks what no other linter knows: the project's own rules about its
// Go files, that each dependency has been decided upon, and that links between
// pages lead somewhere. It reads the files that git tracks below the current
// directory, prints one line for each fault, and exits with 1 if there was any.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	tree := os.DirFS(".")
	var faults []string
	files, err := tracked("*.go")
	if err == nil {
		faults, err = check(tree, files)
	}
	for _, more := range []func() ([]string, error){
		func() ([]string, error) { return unlisted(tree, files) },
		func() ([]string, error) { return undecided(tree) },
		func() ([]string, error) {
			pages, err := tracked("*.md")
			if err != nil {
				return nil, err
			}
			astray, err := broken(tree, pages)
			if err != nil {
				return nil, err
			}
			alone, err := unpaired(tree, pages)
			return append(astray, alone...), err
		},
	} {
		if err != nil {
			break
		}
		var found []string
		found, err = more()
		faults = append(faults, found...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}

// tracked lists the files of a pattern that belong to the project.
func tracked(pattern string) ([]string, error) {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern).Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var files []string
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(name); err == nil { // tracked, but deleted in the work tree
			files = append(files, name)
		}
	}
	return files, nil
}
