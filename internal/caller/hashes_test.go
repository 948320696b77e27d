package caller

import (
	"strings"
	"testing"
)

// A hash that the library would panic on is a line that can't be read: a password
// compared with it would leave all who ask the same waiting.
func TestHashesThatCannotBeComparedAreRefused(t *testing.T) {
	const good = "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZWhhc2g"
	if _, err := parseKeys([]byte("anna:" + good + "\n")); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"t=0", "p=0"} {
		name := bad[:2]
		text := strings.Replace(good, name+"1", bad, 1)
		if table, err := parseKeys([]byte("anna:" + text + "\n")); err == nil {
			func() {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("%s: %v", bad, v)
					}
				}()
				_, _ = newPasswords(nil).compare("x", table.passwords["anna"])
				t.Errorf("%s is taken", bad)
			}()
		}
	}
}
