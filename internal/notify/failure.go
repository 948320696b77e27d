package notify

import (
	"errors"
	"time"
)

// Codes of failures; FailureText names their texts.
const (
	FailUnreachable = "unreachable" // no connection, no answer
	FailUncertain   = "uncertain"   // it may have been taken
	FailRefused     = "refused"     // the credentials, or leave to send
	FailAddress     = "address"     // there is no such address
	FailTemplate    = "template"    // the approved text is missing or does not fit
	FailContent     = "content"     // too long, or not allowed
	FailRate        = "rate"        // too many messages
	FailProvider    = "provider"    // its own trouble
	FailBalance     = "balance"     // nothing is paid for any more
	FailSettings    = "settings"    // the channel can't work as it is set up
	FailUnknown     = "unknown"
)

// Failure is why a message was not sent. It bears nothing that is secret, and
// nobody's address.
type Failure struct {
	Code   string
	Retry  bool          // the same may work later
	Maybe  bool          // it may have been taken all the same: a further attempt is a repeat
	After  time.Duration // the provider asked to wait
	Status int           // of HTTP, or of SMTP
	Said   string        // the provider's own code, such as 45009
}

func (f *Failure) Error() string {
	if f.Said != "" {
		return "notify: " + f.Code + " (" + f.Said + ")"
	}
	return "notify: " + f.Code
}

// FailureText is the id of what a code means.
func FailureText(code string) string { return "notify.failure." + code }

// FailureOf is the failure in an error; an error of another kind counts as one of
// the program, which nothing is known of.
func FailureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Code: FailUnknown, Retry: true, Maybe: true}
}
