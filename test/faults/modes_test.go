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
		name: "rights of nobody count in admission", file: "internal/admission/request.go",
		from: "return ok && slices.ContainsFunc(names,", to: "return (ok || true) && slices.ContainsFunc(names,",
		suite: "./internal/admission", run: "TestClassIsTheVerified",
	},
	{
		name: "live requests take replay's tenth", file: "internal/replay/room.go",
		from: "if d.Route.Capacity <= 0 || !d.busy() {", to: "if d.Route.Capacity >= 0 || !d.busy() {",
		suite: "./internal/replay", run: "TestRule6_1_LiveLeaves",
	},
	{
		name: "content of what is pending goes, too", file: "internal/ledger/retention.go",
		from: "case st.State.Pending(), st.State == continuity.Dead && !st.Told:", to: "case st.State == continuity.Dead && !st.Told:",
		suite: "./internal/ledger", run: "TestRule10_3_Retention",
	},
	{
		name: "private response kept for others", file: "internal/stale/policy.go",
		from: "said.NoCachePresent || said.PrivatePresent", to: "said.NoCachePresent",
		suite: "./internal/relay", run: "TestReply",
	},
}
