package faults

// controlFaults break what the control plane promises.
var controlFaults = []fault{
	{
		name: "scope not asked for", file: "internal/controlapi/server.go",
		from: `if err == nil && scope != "" && !caller.Scopes.Has(scope) {`, to: `if err == nil && scope == "none" && !caller.Scopes.Has(scope) {`,
		suite: "./internal/controlapi", run: "TestNothingWithoutAScope",
	},
	{
		name: "repeat answered to another caller", file: "internal/controlapi/answers.go",
		from: `Caller: caller.Actor.Kind + ":" + caller.Actor.ID, Key: key`, to: `Caller: caller.Actor.Kind, Key: key`,
		suite: "./internal/controlapi", run: "TestRepeatsAreDoneOnce",
	},
	{
		name: "token keeps what its maker lost", file: "internal/access/tokens.go",
		from: "return set.Within(u.Role.Scopes()), u, nil", to: "return set, u, nil",
		suite: "./internal/access", run: "TestTokensShrinkWithTheirMaker",
	},
	{
		name: "warning ends because nothing is known", file: "internal/warning/decide.go",
		from: "if !s.Known {", to: "if !s.Known && false {",
		suite: "./internal/warning", run: "TestLife|TestChecksUnknown",
	},
	{
		name: "warnings written by who led once", file: "internal/warning/engine.go",
		from: "Via: e.o.Node}, Leader: &lease}", to: "Via: e.o.Node}}",
		suite: "./internal/warning", run: "TestFenced",
	},
	{
		name: "verdicts written by who led once", file: "internal/watch/keeper.go",
		from: "Changes: part, Leader: &lease}", to: "Changes: part}",
		suite: "./internal/watch", run: "TestKeeper",
	},
	{
		name: "vote of who is cut off", file: "internal/watch/agree.go",
		from: "if !v.Isolated {", to: "if !v.Isolated || true {",
		suite: "./internal/watch", run: "TestAgree|TestVotes",
	},
	{
		name: "job's claim not renewed", file: "internal/job/runner.go",
		from: "r.renew(working, t, until, stop)", to: "_ = until",
		suite: "./internal/job", run: "TestLongJobKeepsItsClaim",
	},
	{
		name: "check kept out by its own word", file: "internal/relay/checked.go",
		from: `return f.check != "" && s.health &&`, to: "return false && s.health &&",
		suite: "./internal/relay", run: "TestACheckPassesItsOwnWord",
	},
	{
		name: "address judged before it is looked up", file: "internal/outgoing/guard.go",
		from: "return g.policy.Load().Check(host, ap.Addr(), ap.Port())", to: "_, _ = host, ap\n\t\treturn nil",
		suite: "./internal/outgoing", run: "TestRebinding",
	},
	{
		name: "event without the one before it", file: "internal/store/commit.go",
		from: "e.Seq, e.Prev = w.seq+1, w.hash", to: "e.Seq = w.seq + 1",
		suite: "./internal/store", run: "TestConformance/SQLite",
	},
	{
		name: "copy of a log read again", file: "internal/logs/follow.go",
		from: "case f.copied(t):", to: "case false && f.copied(t):",
		suite: "./internal/logs", run: "TestNoFileIsReadTwice|TestRotation|TestAnyOrder|TestAProcessThatWasAway",
	},
}
