package faults

var protocolFaults = []fault{
	{
		name: "anybody believed about clients", file: "internal/relay/client.go",
		from: "if err != nil || !t.Trusts(peer.Addr()) {", to: "if err != nil {",
		suite: "./internal/relay", run: "TestRule11_2",
	},
	{
		name: "part of a TLS record not owned up to", file: "internal/upstream/tls.go",
		from: "if err != nil && n == 0 && c.counted.written.Load() > before {", to: "if err != nil && n == 0 && c.counted.written.Load() < before {",
		suite: "./internal/upstream", run: "TestRule4_2",
	},
	{
		name: "memory of kept heads used again", file: "internal/http1/texts.go",
		from: "if spent {", to: "if true {",
		suite: "./internal/http1", run: "TestKeptStringsStay",
	},
	{
		name: "heads of passed requests not given back", file: "internal/relay/pass.go",
		from: "f.spent = f.route.forgets && !f.noted", to: "f.spent = false",
		suite: "./internal/app", run: "TestPassingAllocatesNothing",
	},
	{
		name: "two lengths taken for one", file: "internal/http1/check.go",
		from: "if !ok || stated >= 0 {", to: "if !ok {",
		suite: "./internal/nethttp", run: "TestRule11_2",
	},
	{
		name: "cut answers of HTTP/2 look whole", file: "internal/nethttp/exchange.go",
		from: "panic(http.ErrAbortHandler) // resets the stream, and nothing else", to: "return",
		suite: "./internal/nethttp", run: "TestRule11_1",
	},
}
