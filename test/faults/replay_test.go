package faults

var replayFaults = []fault{
	{
		name: "a broken minute taken as the capacity of a drain", file: "internal/replay/drainer.go",
		from: "max(d.Meter.Capacity(), measuredMargin*d.Meter.Demand())", to: "d.Meter.Capacity()",
		suite: "./internal/replay", run: "TestRule6_1_ADrain",
	},
	{
		name: "an answer that broke off before it left is given up", file: "internal/relay/pass.go",
		from: "case p.keep && result.Status/100 == 2 && brokeOff(result.Body, err):", to: "case false && brokeOff(result.Body, err):",
		suite: "./internal/relay", run: "TestRule4_3",
	},
	{
		name: "doubt repeated though nothing dedupes", file: "internal/replay/verdict.go",
		from: "case id.By == continuity.IdempotentNone:", to: "case false:",
		suite: "./internal/replay", run: "TestRule4_5",
	},
	{
		name: "repeated after the upstream forgot", file: "internal/replay/verdict.go",
		from: "since+route.Timeouts.Connect+route.Timeouts.Attempt >= id.Remembers", to: "since < 0",
		suite: "./internal/replay", run: "TestRule4_5",
	},
	{
		name: "time without a relay not counted", file: "internal/ledger/outside.go",
		from: "s.away += s.missed(e.At, e.Clock)", to: "s.away += 0",
		suite: "./internal/replay", run: "TestRule4_5",
	},
	{
		name: "doubt decided without asking", file: "internal/replay/deliver.go",
		from: "if st.State == continuity.InDoubt {", to: "if false {",
		suite: "./internal/replay", run: "TestRule4_5",
	},
	{
		name: "clean failure forgets an earlier doubt", file: "internal/replay/verdict.go",
		from: "if c.Claimed.State == continuity.InDoubt {\n\t\t// Its", to: "if false {\n\t\t// Its",
		suite: "./internal/replay", run: "TestRule4_2",
	},
	{
		name: "poison in doubt made dead", file: "internal/replay/verdict.go",
		from: "if c.Route.Poison.Dead && !c.doubted() {", to: "if c.Route.Poison.Dead {",
		suite: "./internal/replay", run: "TestRule3_6",
	},
	{
		name: "another Idempotency-Key for each attempt", file: "internal/replay/deliver.go",
		from: "Value: rec.IdempotencyKey}", to: "Value: rec.IdempotencyKey + time.Now().Format(time.RFC3339Nano)}",
		suite: "./internal/replay", run: "TestRule4_6|TestRule3_1_And4",
	},
	{
		name: "lost taken for clean", file: "internal/replay/verdict.go",
		from: "return c.doubt(Lost, continuity.ReasonLost, 0, nil)", to: "return c.unreached(res)",
		suite: "./internal/replay", run: "TestRule3_1_And4",
	},
	{
		name: "server error taken for refused", file: "internal/replay/verdict.go",
		from: "case status >= 300 && status <= 499:", to: "case status >= 300 && status <= 599:",
		suite: "./internal/replay", run: "TestRule2_3|TestRule3_1_And4",
	},
	{
		name: "backlog burnt on an upstream that is down", file: "internal/replay/drainer.go",
		from: "case d.distrust.unreached > 0:", to: "case false:",
		suite: "./internal/replay", run: "TestRule4_2",
	},
	{
		name: "refused credentials do not pause", file: "internal/replay/deliver.go",
		from: "if v.Pause != \"\" {", to: "if false {",
		suite: "./internal/replay", run: "TestRule2_3",
	},
	{
		name: "stop does not wait for outcomes", file: "internal/replay/drainer.go",
		from: "d.work.Wait()", to: "d.abort()",
		suite: "./internal/replay", run: "TestStop|TestRule3_1_And4",
	},
	{
		name: "trial sends as many as it may", file: "internal/replay/drainer.go",
		from: "case mode == continuity.ReplayTrial, !d.distrust.since.IsZero():", to: "case !d.distrust.since.IsZero():",
		suite: "./internal/replay", run: "TestReplayObeys",
	},
	{
		name: "live traffic not given way", file: "internal/replay/ramp.go",
		from: "max(capacity-live, replayShare*capacity)", to: "capacity",
		suite: "./internal/replay", run: "TestRule6_1",
	},
	{
		name: "replay starved by live traffic", file: "internal/replay/ramp.go",
		from: "max(capacity-live, replayShare*capacity)", to: "max(capacity-live, 0)",
		suite: "./internal/replay", run: "TestRule6_1",
	},
	{
		name: "one bad key slows the ramp", file: "internal/replay/ramp.go",
		from: "e.Again && e.Sign != Unreached:", to: "false:",
		suite: "./internal/replay", run: "TestRule3_6",
	},
	{
		name: "one bad key takes the route down", file: "internal/replay/deliver.go",
		from: "case (sign == Lost || sign == Failed) && !again:", to: "case sign == Lost || sign == Failed:",
		suite: "./internal/replay", run: "TestRule3_6",
	},
	{
		name: "Retry-After ignored by the ramp", file: "internal/replay/ramp.go",
		from: "\t\tr.until = until\n", to: "",
		suite: "./internal/replay", run: "TestRule6_2|TestRule3_6",
	},
	{
		name: "Retry-After ignored by the key", file: "internal/replay/verdict.go",
		from: "max(backoff(c.Failures+1, c.Jitter), asked)), resp),", to: "backoff(c.Failures+1, c.Jitter)), resp),",
		suite: "./internal/replay", run: "TestRule2_3",
	},
	{
		name: "ramp does not halve", file: "internal/replay/ramp.go",
		from: "if slow := r.normal.slow(&seen.took); slow || seen.failing() {", to: "if false {",
		suite: "./internal/replay", run: "TestRule6_2",
	},
	{
		name: "latency not looked at", file: "internal/replay/ramp.go",
		from: "if slow := r.normal.slow(&seen.took); slow || seen.failing() {", to: "if seen.failing() {",
		suite: "./internal/replay", run: "TestRule6_2",
	},
	{
		name: "late answers judge the trial", file: "internal/replay/deliver.go",
		from: "current := !began.Before(d.entered)", to: "current := true",
		suite: "./internal/replay", run: "TestWhatIsAnsweredLate",
	},
}
