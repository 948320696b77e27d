package config

import (
	"reflect"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// parseUser reads by what users are told apart.
func parseUser(text string, _ reflect.StructTag) (any, *fault) {
	if text == "cookie" {
		return continuity.Selector{}, nil
	}
	if text == "caller" {
		return continuity.Selector{Source: continuity.SourceCaller}, nil
	}
	name, ok := strings.CutPrefix(text, "header:")
	if !ok || !headerName.MatchString(name) {
		return nil, yamldoc.Wrong("config.user")
	}
	return continuity.Selector{Source: continuity.SourceHeader, Name: name}, nil
}
