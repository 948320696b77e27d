package app

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// What may have been processed at one upstream is not sent to another because a
// configuration names it, unless it says that the system is the same.
func TestRule4_7_ReloadDoesNotMoveRecordsInDoubt(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0") // takes requests and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	go func() {
		for {
			c, err := hole.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			c.Close()
		}
	}()
	next := newShop(t)
	dir := t.TempDir()
	a := start(t, write(t, dir, orders(hole.Addr().String())))
	if status, _ := place(t, a, "1", `{"no":"A"}`); status != http.StatusAccepted {
		t.Fatal(status)
	}
	if n := a.ledger.Doubted("orders"); n != 1 {
		t.Fatalf("%d records in doubt", n)
	}
	moved := orders(next.address)
	write(t, dir, moved)
	result, err := client(t, a).Reload(t.Context())
	if err != nil || result.Applied || result.Problems[0].ID != "api.reload.moved" {
		t.Fatalf("%+v %v", result, err)
	}
	same := strings.Replace(moved, "    key:", "    moved: http://"+hole.Addr().String()+"\n    key:", 1)
	write(t, dir, same)
	if result, err = client(t, a).Reload(t.Context()); err != nil || !result.Applied {
		t.Fatalf("%+v %v", result, err)
	}
}
