package faults

// planFaults let a plan hold that must not.
var planFaults = []fault{
	{
		name: "plan written over another's", file: "internal/planbook/submit.go",
		from: "(s.Base != held.Number || s.Hash", to: "(false || s.Hash",
		suite: "./internal/planbook", run: "TestConflictTellsWhatWouldBeLost",
	},
	{
		name: "plan approved by its author", file: "internal/store/plans.go",
		from: "if v.Author.Kind == actor.Kind && v.Author.ID == actor.ID {", to: "if false {",
		suite: "./internal/planbook", run: "TestPartsAreApprovedApart",
	},
	{
		name: "RTO beyond what can be borne", file: "internal/plan/check.go",
		from: "if row.MTD > 0 && row.RTO > row.MTD {", to: "if row.MTD > 0 && row.RTO > row.MTD && false {",
		suite: "./internal/plan", run: "TestCheckSaysWhatIsWrong/rto-over-mtd",
	},
	{
		name: "card with the number of who left", file: "internal/plan/paper/cards.go",
		from: `if who.HasLeft(time.Now()) {`, to: `if who.HasLeft(time.Time{}) {`,
		suite: "./internal/plan/paper", run: "TestWhoLeftIsNotCalled",
	},
}
