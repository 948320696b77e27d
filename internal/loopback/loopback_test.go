package loopback_test

import (
	"net"
	"testing"

	"holdfast/internal/loopback"
)

// A port that an outgoing connection may take is of no use.
func TestNoneIsAmongThePortsThatAreLent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lent := l.Addr().(*net.TCPAddr).Port
	all, err := loopback.Addresses(50)
	if err != nil || len(all) != 50 {
		t.Fatalf("%d, %v", len(all), err)
	}
	seen := map[string]bool{}
	for _, address := range all {
		tcp, err := net.ResolveTCPAddr("tcp", address)
		if err != nil || tcp.Port >= 32768 || tcp.Port >= lent && lent >= 32768 || seen[address] {
			t.Errorf("%s, %v", address, err)
		}
		seen[address] = true
	}
}
