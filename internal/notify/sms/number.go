package sms

import (
	"regexp"
	"strings"

	"holdfast/internal/notify"
)

var (
	form   = regexp.MustCompile(`^\+[1-9][0-9]{5,14}$`)
	mobile = regexp.MustCompile(`^1[0-9]{10}$`)
)

// Number is a phone number as E.164 has it; one without its country's is Chinese.
// An error is a *notify.Failure.
func Number(text string) (string, error) {
	n := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -()", r) {
			return -1
		}
		return r
	}, text)
	switch {
	case strings.HasPrefix(n, "00"):
		n = "+" + n[2:]
	case !strings.HasPrefix(n, "+"):
		n = "+86" + strings.TrimPrefix(n, "0")
	}
	if !form.MatchString(n) {
		return "", &notify.Failure{Code: notify.FailAddress}
	}
	return n, nil
}

// Local is a number as it is dialled within China; others keep their country's,
// without the plus.
func Local(number string) string {
	local, chinese := strings.CutPrefix(number, "+86")
	switch {
	case !chinese:
		return strings.TrimPrefix(number, "+")
	case mobile.MatchString(local):
		return local
	}
	return "0" + local // a line
}
