package faults

var outboundFaults = []fault{
	{
		name: "refused inside a 200 counted as delivered", file: "internal/replay/verdict.go",
		from: "return c.ended(continuity.Refused, continuity.ReasonRefused, resp), true", to: "return v, false",
		suite: "./internal/replay", run: "Body|Said|Rule4_3|Rule2_3",
	},
	{
		name: "webhook forgotten before it got through", file: "internal/webhook/courier.go",
		from: "	r.item.out = false\n", to: "	r.item.out = false\n	c.remove(r.item)\n",
		suite: "./internal/webhook", run: "TestRule8_3|TestWhatAnEndpoint",
	},
	{
		name: "webhook position saved without what waits", file: "internal/webhook/courier.go",
		from: "store(c.path, c.state); err != nil", to: "store(c.path, saved{Next: c.state.Next, URL: c.state.URL, Gone: c.state.Gone}); err != nil",
		suite: "./internal/webhook", run: "TestRule8_3",
	},
}
