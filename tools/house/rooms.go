package main

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// plan is the page that says where everything is.
const plan = "docs/architecture.md"

var room = regexp.MustCompile(`^internal/[a-z0-9]+/`)

// unlisted returns a fault for each room that a newcomer can't find: one that the
// plan does not name.
func unlisted(tree fs.FS, files []string) ([]string, error) {
	text, err := fs.ReadFile(tree, plan)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, name := range files {
		dir := strings.TrimSuffix(room.FindString(name), "/")
		if dir == "" || strings.Contains(string(text), "`"+dir+"`") {
			continue
		}
		if fault := plan + " does not name " + dir; !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	return faults, nil
}
