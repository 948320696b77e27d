package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// foreign are the English words that commands under zh said, with the command.
type foreign map[string]string

var (
	// between parts a text into words; ids stay whole.
	between = regexp.MustCompile(`[^A-Za-z0-9._/:@+-]+`)
	latin   = regexp.MustCompile(`^[A-Za-z][A-Za-z.:-]*[A-Za-z]$`)
)

// cmdZh runs a command in Chinese and collects the English words of what it says, but
// for those of the script's file allowed, what was typed, and what has digits or
// slashes in it, as ids have, and flags. Without a command it fails where there were any.
func cmdZh(ts *testscript.TestScript, neg bool, args []string) {
	found := ts.Value("foreign").(foreign)
	if len(args) == 0 {
		for _, word := range slices.Sorted(maps.Keys(found)) {
			ts.Logf("%s: %s", word, found[word])
		}
		if len(found) > 0 {
			ts.Fatalf("%d English words in Chinese texts", len(found))
		}
		return
	}
	err := ts.Exec("holdfast", append([]string{"--lang", "zh"}, args...)...)
	if (err != nil) != neg {
		ts.Fatalf("%v: %v", args, err)
	}
	allowed := strings.Fields(ts.ReadFile("allowed"))
	for _, word := range between.Split(ts.ReadFile("stdout")+"\n"+ts.ReadFile("stderr"), -1) {
		if strings.HasPrefix(word, "--") || (args[0] == "event" || args[0] == "warning") && strings.Contains(word, ".") {
			continue // a flag; a name as --action takes it; a warning's id
		}
		word = strings.Trim(word, ".:-/")
		if latin.MatchString(word) && !slices.Contains(allowed, word) && !slices.Contains(args, word) {
			found[word] = strings.Join(args, " ")
		}
	}
}
