package sensitive

import (
	"strings"
	"testing"
)

// What hides a number is found at every place in a row of letters, eight of
// which are looked at in one.
func TestNothingHidesAmongLetters(t *testing.T) {
	for _, hidden := range []string{`\u0034`, "4111111111111111", "４", "4111 1111 1111 1111", `","cvv":"`} {
		for before := range 40 {
			for _, after := range []int{0, 7, 8, 30} {
				body := `{"n":"` + strings.Repeat("x", before) + hidden + strings.Repeat("y", after) + `"}`
				if !suspect([]byte(body)) {
					t.Errorf("%s", body)
				}
			}
		}
	}
	for _, plain := range []string{`{"no":"` + strings.Repeat("abcdefgh", 20) + `"}`, `{"a":"123456 letters 7890123"}`, `{"a":"line\nline"}`} {
		if suspect([]byte(plain)) {
			t.Errorf("suspects %s", plain)
		}
	}
}
