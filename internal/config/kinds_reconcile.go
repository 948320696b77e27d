package config

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

func parseURL(text string, _ reflect.StructTag) (any, *fault) {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil:
		return nil, yamldoc.Wrong("config.url-user")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "":
		return nil, yamldoc.Wrong("config.url")
	}
	return text, nil
}

var codeForm = regexp.MustCompile(`^[A-Z]{3}$`)

func parseCode(text string, _ reflect.StructTag) (any, *fault) {
	if !codeForm.MatchString(text) {
		return nil, yamldoc.Wrong("config.currency-code")
	}
	return text, nil
}

func parseCurrency(text string, tag reflect.StructTag) (any, *fault) {
	if codeForm.MatchString(text) {
		return continuity.Currency{Code: text}, nil
	}
	if !strings.HasPrefix(text, "json:") && !strings.HasPrefix(text, "/") {
		return nil, yamldoc.Wrong("config.currency-code")
	}
	pointer, bad := parseBodyPointer(text, tag)
	if bad != nil {
		return nil, bad
	}
	return continuity.Currency{Pointer: pointer.(string)}, nil
}

const dayLong = 24 * time.Hour

// parseClock reads a time of day; 24:00 is the midnight that ends the day.
func parseClock(text string, _ reflect.StructTag) (any, *fault) {
	if text == "24:00" {
		return dayLong, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return nil, yamldoc.Wrong("config.clock")
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func parseZone(text string, _ reflect.StructTag) (any, *fault) {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" {
		return nil, yamldoc.Wrong("config.zone")
	}
	return zone, nil
}
