package sms

import (
	"strings"
	"time"
)

// Code keeps what a provider calls a failure fit to be shown: it bears no text of
// anybody's.
func Code(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, text)
	return text[:min(len(text), 80)]
}

// Time is a time as Chinese providers write it, without its zone.
func Time(text string) time.Time {
	at, err := time.ParseInLocation(time.DateTime, text, time.FixedZone("", 8*3600))
	if err != nil {
		return time.Time{}
	}
	return at
}
