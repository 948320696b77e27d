package faults

var trustFaults = []fault{
	{
		name: "card number stored", file: "internal/relay/keep.go",
		from: "return f.storable()", to: "return nil",
		suite: "./internal/relay", run: "TestRule10_3",
	},
	{
		name: "check digit not looked at", file: "internal/sensitive/card.go",
		from: "return sum%10 == 0", to: "return true",
		suite: "./internal/sensitive", run: "TestRule10_3",
	},
}
