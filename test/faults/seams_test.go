package faults

// seamFaults break what stands beside the path of a request: its loop, its
// signature, its caller, and what is said of it.
var seamFaults = []fault{
	{
		name: "timers that ring late", file: "internal/loop/timers_linux.go",
		from: "if h[child].rings < h[least].rings {", to: "if h[child].rings > h[least].rings {",
		suite: "./internal/loop", run: "TestTimers",
	},
	{
		name: "signature of a caller not compared", file: "internal/caller/hmac.go",
		from: "if !hmac.Equal(given, Sign(", to: "if false && !hmac.Equal(given, Sign(",
		suite: "./internal/caller", run: "TestHMAC",
	},
	{
		name: "old signatures of a caller taken", file: "internal/caller/hmac.go",
		from: "off > s.window || off < -s.window", to: "off < -s.window",
		suite: "./internal/caller", run: "TestHMAC",
	},
	{
		name: "refused token used again", file: "internal/sign/token.go",
		from: "	if t.value == value {", to: "	if t.value != value {",
		suite: "./internal/sign", run: "TestTokens",
	},
	{
		name: "what was brought back out of its order", file: "internal/restore/scan.go",
		from: "return cmp.Compare(a.Order, b.Order)", to: "return cmp.Compare(b.Order, a.Order)",
		suite: "./internal/restore", run: "TestRule12",
	},
	{
		name: "a webhook's URL kept in its file", file: "internal/webhook/state.go",
		from: "return hex.EncodeToString(sum[:])", to: "return url + hex.EncodeToString(sum[:])",
		suite: "./internal/webhook", run: "TestGone",
	},
}
