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
	{
		name: "what was to be minted is stored", file: "internal/relay/guard.go",
		from: "out.Header = f.route.unproven(out.Header)", to: "_ = f.route.unproven(out.Header)",
		suite: "./internal/relay", run: "TestRule10_1",
	},
	{
		name: "two scopes made of one", file: "internal/mint/mint.go",
		from: "if isScope(s) && (", to: "if s != \"\" && (",
		suite: "./internal/mint", run: "TestRule10_1",
	},
	{
		name: "one token for all attempts", file: "internal/mint/mint.go",
		from: "ID: rand.Text(),", to: "ID: rand.Text()[:0],",
		suite: "./internal/mint", run: "TestRule10_1",
	},
	{
		name: "repeats with a stale proof sent on", file: "internal/relay/claimed.go",
		from: "!errors.As(err, &refusal) || refusal.Claims == \"\"", to: "!errors.As(err, &refusal) || refusal.Claims != \"nobody\"",
		suite: "./internal/relay", run: "TestRule5_2",
	},
	{
		name: "another caller's repeat", file: "internal/relay/flight.go",
		from: "f.known, f.receipt = true, h.Receipt(r.ID, who, f.key)", to: "f.known, f.receipt = who != \"\" || true, h.Receipt(r.ID, \"\", f.key)",
		suite: "./internal/relay", run: "TestRule5_1",
	},
	{
		name: "receipt for anybody", file: "internal/relay/caller.go",
		from: "return err == nil && id.Name == rec.Caller", to: "return err == nil && id.Name != \"nobody\"",
		suite: "./internal/relay", run: "TestRule8_3",
	},
	{
		name: "unverified callers held", file: "internal/relay/keep.go",
		from: "if _, err := f.who(); err != nil {", to: "if _, err := f.who(); err != nil && false {",
		suite: "./internal/relay", run: "TestUnverified",
	},
	{
		name: "headers overwritten before the table of keys", file: "internal/journal/rotate.go",
		from: "f.replaceFile(keysName, marshalKeys(f.id, headers)); err != nil", to: "error(nil); err != nil",
		suite: "./internal/journal", run: "TestPowerCutWhileTheMasterKey",
	},
	{
		name: "secrets derived from the new master key", file: "internal/journal/rotate.go",
		from: "return each[len(each)-1], nil", to: "return each[0], nil",
		suite: "./internal/journal", run: "TestPowerCutWhileTheMasterKey",
	},
}
