// Package loopback chooses addresses for servers that are to go away and come
// back at the same place. Port 0 would do for one that stays; but as soon as it
// has gone, the kernel may lend its port to any outgoing connection of the
// machine. So these lie below the ports that are lent.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The range: above the ports of usual services, below those that Linux and
// other systems lend.
const (
	first = 12000
	last  = 32000
	tries = 100
)

// Address returns "127.0.0.1:port" of a port on which nothing listens.
func Address() (string, error) {
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first)) // #nosec G404 -- chance, not secrecy
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("loopback: no free port from %d to %d", first, last)
}

// Addresses returns n different ones.
func Addresses(n int) ([]string, error) {
	seen := map[string]bool{}
	var all []string
	for len(all) < n {
		address, err := Address()
		if err != nil {
			return nil, err
		}
		if !seen[address] {
			seen[address] = true
			all = append(all, address)
		}
	}
	return all, nil
}
