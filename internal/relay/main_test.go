package relay_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// loops is what every server of these tests is given: the tests run once with
// poll loops and once with a goroutine for each connection.
var loops int

func TestMain(m *testing.M) {
	code := m.Run()
	if b := flag.Lookup("test.bench"); code == 0 && b.Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		fmt.Println("again, with a goroutine for each connection")
		loops = -1
		code = m.Run()
	}
	os.Exit(code)
}
