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
}
