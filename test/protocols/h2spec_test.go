package protocols

import (
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// exceptions are the cases that fail, each with the ADR that says why. At most
// two may be in here.
var exceptions = map[string]string{
	"http2/8.1.2.2/1": "0021: refused with 400, the stream is not reset after it",
	"http2/8.1.2.2/2": "0021: refused with 400, the stream is not reset after it",
}

// TestRule11_1_H2Spec holds both ways into HTTP/2 to every case of h2spec, the
// strict ones too; with -short the way without TLS to the main ones.
func TestRule11_1_H2Spec(t *testing.T) {
	if len(exceptions) > 2 {
		t.Fatal("too many exceptions")
	}
	at := relay(t, t.TempDir(), "listen:\n  - 127.0.0.1:0\n  - {address: \"127.0.0.1:0\", tls: {internal: [127.0.0.1]}}\n")
	ways := map[string]bool{"h2c": false}
	if !testing.Short() {
		ways["h2"] = true
	}
	for name, secured := range ways {
		t.Run(name, func(t *testing.T) {
			address := at[0]
			if secured {
				address = at[1]
			}
			host, text, _ := net.SplitHostPort(address)
			port, _ := strconv.Atoi(text)
			run(t, &config.Config{
				Host: host, Port: port, Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true, TLS: secured, Insecure: true,
			})
		})
	}
}

func run(t *testing.T, c *config.Config) {
	groups := []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()}
	stdout := os.Stdout // it prints as it goes
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = null
	for _, g := range groups {
		g.Test(c)
	}
	os.Stdout = stdout
	null.Close()
	passed, skipped := 0, 0
	for _, g := range groups {
		passed, skipped = passed+g.PassedCount, skipped+g.SkippedCount
		report(t, g)
	}
	t.Logf("%d cases passed, %d skipped", passed, skipped)
	if passed < 140 {
		t.Errorf("only %d cases passed: was the whole suite run?", passed)
	}
}

func report(t *testing.T, g *spec.TestGroup) {
	for n, c := range append(append([]*spec.TestCase(nil), g.Tests...), g.StrictTests...) {
		id := g.ID() + "/" + strconv.Itoa(n+1)
		switch r := c.Result; {
		case r == nil:
		case r.Failed && exceptions[id] == "":
			t.Errorf("%s %s: %s: %v", id, g.Name, c.Desc, r.Error)
		case r.Skipped:
			t.Logf("skipped: %s %s", id, c.Desc)
		case !r.Failed && exceptions[id] != "":
			t.Errorf("%s passes: it is no exception any more", id)
		}
	}
	for _, below := range g.Groups {
		report(t, below)
	}
}
