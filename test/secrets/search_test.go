package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// forms are the ways in which a text may hide: as it is, in JSON, in a URL, in
// hex, and in base64, wherever it begins among the three bytes of a group.
func forms(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	found := map[string]string{
		"plain": secret, "json": string(bytes.Trim(quoted, `"`)), "url": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			whole := enc.EncodeToString(append(make([]byte, shift), secret...))
			bits := 8 * (shift + len(secret))
			found[fmt.Sprint(name, shift)] = whole[(8*shift+5)/6 : bits/6] // what its neighbours can't change
		}
	}
	return found
}

// secrets are what was planted, by what it is.
type secrets map[string]string

// in names the secrets that a text shows, in whatever form, but for those that
// may stand there.
func (s secrets) in(text []byte, but ...string) []string {
	var found []string
	for name, secret := range s {
		if slices.Contains(but, name) {
			continue
		}
		for form, as := range forms(secret) {
			if at := bytes.Index(text, []byte(as)); at >= 0 {
				found = append(found, fmt.Sprintf("%s (%s) in ...%q", name, form, text[max(0, at-150):min(len(text), at+len(as)+50)]))
				break
			}
		}
	}
	return found
}

func TestSearchFindsEveryForm(t *testing.T) {
	s := secrets{"it": `pä"ss/wörd+1`}
	for form, text := range forms(s["it"]) {
		if len(s.in([]byte("x"+text+"y"))) == 0 {
			t.Errorf("not found as %s", form)
		}
	}
	for shift := range 4 {
		text := "Basic " + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("u", shift)+":"+s["it"]+"-"))
		if len(s.in([]byte(text))) == 0 {
			t.Errorf("not found behind %d bytes", shift+1)
		}
	}
	if found := s.in([]byte(`pass/word+1 cGFzcw==`)); len(found) > 0 {
		t.Error(found)
	}
}
