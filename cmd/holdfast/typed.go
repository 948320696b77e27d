package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/controlapi"
	"holdfast/internal/problem"
)

// flagsOf are the flags that fill a field of a request under another name.
var flagsOf = map[string][]string{
	"audience": {"to"}, "next_update": {"next"}, "next": {"next"}, "end": {"until", "for", "by"}, "minutes": {"for"}, "start": {"at"}, "shown": {"to", "at", "by"},
	"reason": {"why", "reason", "note"}, "why": {"why", "reason"}, "text": {"text", "broken"}, "person": {"who"}, "to": {"person"}, "expected": {"time"}, "grade": {"grade"}, "until": {"until", "for"},
	"note": {"note", "broken"}, "from": {"from", "at"}, "failed": {"failed"},
}

// argument finds what a usage line names between brackets.
var argument = regexp.MustCompile(`[<\[]([a-zA-Z-]+)[>\]]`)

// typed is what of a command line filled a field of the request, by the field's JSON
// pointer: a flag, or an argument as the usage line names it; empty: nothing did.
func typed(cmd *cobra.Command, pointer string) string {
	if cmd == nil {
		return ""
	}
	parts := strings.Split(strings.Trim(pointer, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		name := strings.ReplaceAll(parts[i], "_", "-")
		names := append([]string{name}, flagsOf[parts[i]]...)
		if i+1 < len(parts) { // a text in a language
			names = append([]string{name + "-" + parts[i+1]}, names...)
		}
		for _, name := range names {
			if cmd.LocalNonPersistentFlags().Lookup(name) != nil {
				return "--" + name
			}
		}
		for _, found := range argument.FindAllStringSubmatch(cmd.Use, -1) {
			if slices.Contains(names, strings.ToLower(found[1])) {
				return found[0]
			}
		}
	}
	return ""
}

// place is a part of a request that was refused, as whoever typed it knows it.
func place(cmd *cobra.Command, f controlapi.FieldError) string {
	if f.Line == 0 && (f.Pointer != "" || f.In == "path" || f.In == "query") {
		if name := typed(cmd, f.Pointer+"/"+f.Name); name != "" {
			return name + ": " + f.Detail
		}
	}
	return f.String()
}

// reasonFlag is the flag that says why, where an error asks for that.
func reasonFlag(cmd *cobra.Command, args map[string]any) string {
	id, _ := args[problem.DetailID].(string)
	if word := id[strings.LastIndex(id, ".")+1:]; word == "why" || word == "reason" {
		if name := typed(cmd, word); strings.HasPrefix(name, "--") {
			return name
		}
	}
	return ""
}
