package httpsend

import (
	"net/url"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/secret"
)

// Secret fetches a secret for one attempt; an error is a *notify.Failure.
func Secret(tools notify.Tools, ref secret.Ref) (string, error) {
	text, err := tools.Secret(ref)
	if err != nil || strings.TrimSpace(text.Reveal()) == "" {
		return "", &notify.Failure{Code: notify.FailSettings, Said: "secret"}
	}
	return strings.TrimSpace(text.Reveal()), nil
}

// Hook is the address of a webhook out of a secret: the whole address, as the
// provider shows it, or its key alone, which stands behind base. The address is as
// secret as its key.
func Hook(tools notify.Tools, ref secret.Ref, base string) (*url.URL, error) {
	text, err := Secret(tools, ref)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(text, "://") {
		text = base + url.QueryEscape(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &notify.Failure{Code: notify.FailSettings, Said: "address"}
	}
	return u, nil
}

// Optional fetches a secret that may be absent.
func Optional(tools notify.Tools, ref *secret.Ref) (continuity.Secret, error) {
	if ref == nil {
		return "", nil
	}
	text, err := Secret(tools, *ref)
	return continuity.Secret(text), err
}
