package probe

import (
	"errors"
	"io"
	"strings"
	"testing"

	"holdfast/internal/outgoing"
)

func TestTrustThatCanNotBeHad(t *testing.T) {
	const planted = "s3cr3t-key"
	text := func(s string) Secret { return func() (string, error) { return s, nil } }
	none := func() (string, error) { return "", io.ErrUnexpectedEOF }
	for name, c := range map[string]struct {
		trust Trust
		want  error
	}{
		"no file of authorities":   {Trust{CA: none}, io.ErrUnexpectedEOF},
		"no authorities in it":     {Trust{CA: text("root:x:0:0")}, errTrust},
		"no certificate":           {Trust{Certificate: none, Key: text(planted)}, io.ErrUnexpectedEOF},
		"no key":                   {Trust{Certificate: text("x"), Key: none}, io.ErrUnexpectedEOF},
		"a key for something else": {Trust{Certificate: text("x"), Key: text(planted)}, errTrust},
	} {
		_, err := NewTools("here", outgoing.New(outgoing.Policy{}, nil), nil, nil).Trusting(c.trust)
		if !errors.Is(err, c.want) || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
