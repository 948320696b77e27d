//go:build !unix

package listener

import "errors"

// Exec is not possible here.
func (*Handover) Exec(string, []string, []string) error {
	return errors.New("listener: this system can't put one program in the place of another")
}
