package faults

// modesFaults break what keeps a request with one upstream.
var modesFaults = []fault{
	{
		name: "gated key diverted", file: "internal/relay/divert.go",
		from: "case l.Gated(f.tag()):", to: "case false:",
		suite: "./internal/relay", run: "TestRule4_7",
	},
	{
		name: "lost at the standby, kept for the first upstream", file: "internal/relay/pass.go",
		from: "sender, f.at = r.standby.sender, r.standby.upstream", to: "sender = r.standby.sender",
		suite: "./internal/relay", run: "TestRule4_7",
	},
	{
		name: "private response kept for others", file: "internal/stale/policy.go",
		from: "said.NoCachePresent || said.PrivatePresent", to: "said.NoCachePresent",
		suite: "./internal/relay", run: "TestReply",
	},
}
