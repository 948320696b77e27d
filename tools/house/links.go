package main

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// broken returns a fault for each link between the project's pages that leads
// nowhere.
func broken(tree fs.FS, pages []string) ([]string, error) {
	var faults []string
	for _, page := range pages {
		text, err := fs.ReadFile(tree, page)
		if err != nil {
			return nil, err
		}
		for n, line := range strings.Split(string(text), "\n") {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if _, err := fs.Stat(tree, path.Join(path.Dir(page), m[1])); err != nil {
					faults = append(faults, fmt.Sprintf("%s:%d: %s is not there", page, n+1, m[1]))
				}
			}
		}
	}
	return faults, nil
}

// unpaired returns a fault for each page of two languages that does not lead to
// the other one.
func unpaired(tree fs.FS, pages []string) ([]string, error) {
	var faults []string
	for _, page := range pages {
		english, chinese := strings.CutSuffix(page, ".zh.md")
		if !chinese {
			continue
		}
		for from, to := range map[string]string{page: english + ".md", english + ".md": page} {
			text, err := fs.ReadFile(tree, from)
			if err != nil {
				return nil, err
			}
			if !strings.Contains(string(text), "]("+path.Base(to)+")") {
				faults = append(faults, fmt.Sprintf("%s: no link to %s", from, path.Base(to)))
			}
		}
	}
	slices.Sort(faults)
	return faults, nil
}
