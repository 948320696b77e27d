package identity_test

import (
	"regexp"
	"testing"

	"holdfast/internal/identity"
)

// Keys that are made together are as different as others, and as long.
func TestRandomKeysDiffer(t *testing.T) {
	form := regexp.MustCompile(`^[A-Z2-7]{26}$`)
	seen := map[string]bool{}
	for range 1000 {
		key := identity.RandomKey()
		if seen[key] || !form.MatchString(key) {
			t.Fatalf("%q, after %d others", key, len(seen))
		}
		seen[key] = true
	}
}
