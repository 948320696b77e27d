package relay_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// offWire are tests that need no wire: once is enough.
const offWire = "TestRule3_4_|TestExplain|Path"

// The tests run once for each wire: what is promised is promised on all of them.
func TestMain(m *testing.M) {
	code := m.Run()
	if flag.Lookup("test.bench").Value.String() != "" || flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code)
	}
	if flag.Lookup("test.skip").Value.String() == "" {
		_ = flag.Set("test.skip", offWire) // it is one
	}
	for _, now = range wires[1:] {
		if code == 0 {
			fmt.Println("again, over", now.name)
			code = m.Run()
		}
	}
	os.Exit(code)
}
