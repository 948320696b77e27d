package faults

// incidentFaults forget what an incident has reminded of, or what it came of.
var incidentFaults = []fault{
	{
		name: "time warned of from when it was noticed", file: "internal/incident/impact.go",
		from: "if !d.by(d.Since().Add(whole * time.Duration(part.percent) / 100)) {", to: "if !d.by(d.Known().Add(whole * time.Duration(part.percent) / 100)) {",
		suite: "./internal/incident", run: "TestMergeSplitReopen|TestExercise|TestClocks",
	},
	{
		name: "what began before opens what was resolved", file: "internal/incident/declare.go",
		from: "if !fires || last != nil && !f.once && !f.since.After(ended) {", to: "if !fires {",
		suite: "./internal/incident", run: "TestMergeSplitReopen",
	},
	{
		name: "command passes unrecorded", file: "internal/incident/roles.go",
		from: "if last != h.Person {", to: "if last == \"\" {",
		suite: "./internal/incident", run: "TestCommandPassesOn",
	},
	{
		name: "person's grade overruled", file: "internal/incident/impact.go",
		from: "if d.GradedBy != nil || d.Partial", to: "if d.Partial",
		suite: "./internal/incident", run: "TestAPersonsGradeStands",
	},
	{
		name: "what is down called restored", file: "internal/incident/acts_command.go",
		from: "if still.any() && despite == \"\" {", to: "if false {",
		suite: "./internal/incident", run: "TestWhatIsBadIsNotResolved",
	},
	{
		name: "a minute lost twice", file: "internal/incident/loss.go",
		from: "left, in = rest, append(in, o.ID)", to: "in = append(in, o.ID)",
		suite: "./internal/incident", run: "TestWhatTwoIncidentsHitCountsOnce",
	},
}
