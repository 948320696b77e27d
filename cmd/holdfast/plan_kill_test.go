package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/endpoint"
	"holdfast/internal/store"
)

const killedPlan = `schema: holdfast/plan@1
id: shop
name: Web shop
owner: li.wei
profile: small
impact:
  - {process: orders, department: sales, mtd: 90d, rto: ROUNDm, rpo: 1m, meanwhile: by-phone}
interim:
  - {id: by-phone, how: Orders come by phone., approved_by: li.wei, approved_on: 2026-03-02}
grades:
  SEV-1: {recover_within: 1h}
roles:
  commander: {people: [li.wei], may: [declare]}
channels:
  - {id: phones, kind: phone, standby: true}
scenarios:
  - {id: shop-down, name: Shop down, causes: [software], trigger: {person: true}, grade: SEV-1, runbook: restart}
runbooks:
  - id: restart
    steps:
      - {id: call, say: Call the hosting provider., owner: commander, within: 10m}
`

// TestPlanAppliedWholeOrNotAtAll kills a real node at random moments of applying:
// what was acknowledged holds, and whatever else happened, a version is there whole
// or not at all, and the chain of events is as it was written.
func TestPlanAppliedWholeOrNotAtAll(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	data := filepath.Join(t.TempDir(), "control")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(data, "state.db")
	look(t, db, func(s *store.Store) {
		li := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}}}
		if _, err := s.People().Import(t.Context(), continuity.Actor{Kind: "user", ID: "li.wei"}, li, ""); err != nil {
			t.Fatal(err)
		}
	})
	var holds int64
	cut, whole := 0, 0
	takes := patience // the first one is killed after its answer, which says how long one takes
	for round := 1; round <= 5; round++ {
		text := strings.Replace(killedPlan, "ROUND", strconv.Itoa(round), 1)
		after := patience
		if round > 1 {
			after = time.Duration(random.Int64N(int64(takes)))
		}
		took, acknowledged := applyAndKill(t, data, text, holds, after)
		if round == 1 {
			takes = took * 5 / 4
		}
		look(t, db, func(s *store.Store) {
			newest, applied, err := s.Plans().Numbers(t.Context(), "shop")
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case applied == holds && newest == holds && !acknowledged:
				cut++
			case applied == holds+1 && newest == applied:
				whole++
				wantWhole(t, s, applied, text)
			default:
				t.Fatalf("round %d: newest %d, applied %d, before %d, acknowledged %v", round, newest, applied, holds, acknowledged)
			}
			holds = applied
			if n, bad, err := s.VerifyEvents(t.Context()); err != nil || bad != 0 {
				t.Fatal(n, bad, err)
			}
		})
	}
	t.Logf("%d were cut off, %d came through", cut, whole)
}

// wantWhole requires that a version holds alone, with what it says.
func wantWhole(t *testing.T, s *store.Store, number int64, text string) {
	t.Helper()
	versions, _, err := s.Plans().Versions(t.Context(), "shop", "", 0)
	if err != nil || int64(len(versions)) != number {
		t.Fatal(versions, err)
	}
	for _, v := range versions {
		if (v.State == continuity.PlanApplied) != (v.Number == number) {
			t.Fatalf("version %d is %s while %d holds", v.Number, v.State, number)
		}
	}
	if texts, err := s.Plans().Texts(t.Context(), versions[number-1]); err != nil || texts.Plan != text {
		t.Fatal(texts, err)
	}
}

func look(t *testing.T, db string, see func(*store.Store)) {
	t.Helper()
	s, err := store.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	see(s)
}

// applyAndKill runs a node on the data, sends it a plan, and kills it so long after
// that, or when it has answered. It returns whether it has acknowledged the plan.
func applyAndKill(t *testing.T, data, text string, base int64, after time.Duration) (took time.Duration, acknowledged bool) {
	t.Helper()
	_ = os.Remove(filepath.Join(data, endpoint.Control)) // what the killed one left
	program, err := exec.LookPath("holdfast")
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	cmd := exec.Command(program, "control", "--listen", "127.0.0.1:0", "--data", data) // #nosec G204 -- this program
	cmd.Stderr, cmd.SysProcAttr = &log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // it was killed
	defer func() { _ = cmd.Process.Kill() }()
	var at endpoint.Endpoint
	tick, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for at.Address == "" || !strings.Contains(log.String(), "control node ready") {
		select {
		case <-tick.C:
			at, _ = endpoint.Read(data, endpoint.Control) // not yet
		case <-late:
			t.Fatalf("the node is not ready:\n%s", log.String())
		}
	}
	token, err := endpoint.ReadToken(at.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	node := controlapi.NewClient(at.Address, token, "li.wei", catalogue.En, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answered := make(chan error, 1)
	began := time.Now()
	go func() {
		_, err := controlapi.Post[controlapi.PlanResult](ctx, node, planPath("shop", "versions"), controlapi.PlanSubmission{PlanTexts: controlapi.PlanTexts{Plan: text}, Base: base})
		answered <- err
	}()
	moment := time.NewTimer(after)
	defer moment.Stop()
	select {
	case err = <-answered:
		answered <- err
	case <-moment.C:
	}
	took = time.Since(began)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err = <-answered
	if err != nil && continuity.CodeOf(err) != continuity.CodeUnreachable {
		t.Fatal(err)
	}
	return took, err == nil
}
