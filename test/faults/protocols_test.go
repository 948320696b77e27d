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
		from: "\t\tf.spend()\n", to: "",
		suite: "./internal/app", run: "TestPassingAllocatesNothing",
	},
	{
		name: "two lengths taken for one", file: "internal/http1/check.go",
		from: "if !ok || stated >= 0 {", to: "if !ok {",
		suite: "./internal/nethttp", run: "TestRule11_2",
	},
	{
		name: "HTTP/2 connections counted no longer once handed over", file: "internal/http1/server.go",
		from: "if !c.handed {", to: "if c != nil {",
		suite: "./internal/nethttp", run: "TestConnectionsPerAddress",
	},
	{
		name: "streams refused that cross the farewell of HTTP/2", file: "internal/nethttp/retire.go",
		from: "binary.BigEndian.PutUint32(frame[frameHead:], math.MaxInt32)", to: "binary.BigEndian.PutUint32(frame[frameHead:], math.MaxInt8)",
		suite: "./internal/nethttp", run: "TestRule11_3",
	},
	{
		name: "streams go on without their readers", file: "internal/relay/pass.go",
		from: "ok && p.keep && result.Length < 0 {", to: "ok && p.keep && result.Length < -1 {",
		suite: "./internal/relay", run: "TestRule11_1_Events",
	},
	{
		name: "cut answers of HTTP/2 look whole", file: "internal/nethttp/exchange.go",
		from: "panic(http.ErrAbortHandler) // resets the stream, and nothing else", to: "return",
		suite: "./internal/nethttp", run: "TestRule11_1",
	},
}
