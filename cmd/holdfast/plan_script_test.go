package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// cmdStaff writes people into the database of the node on the folder control,
// which may run.
func cmdStaff(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: staff ID...")
	}
	s, err := store.Open(context.Background(), filepath.Join(ts.MkAbs("control"), "state.db"))
	ts.Check(err)
	var staff []continuity.Person
	for _, id := range args {
		staff = append(staff, continuity.Person{ID: id, Names: map[string]string{"en": id}})
	}
	_, err = s.People().Import(context.Background(), continuity.Actor{Kind: "user", ID: "script"}, staff, "")
	ts.Check(err)
	ts.Check(s.Close())
}

func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE FROM TO")
	}
	before := ts.ReadFile(args[0])
	after := strings.Replace(before, args[1], args[2], 1)
	if after == before {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(after), 0o600))
}
