// Package nethttp is the complete path beside the lean one: what internal/http1
// hands over is served here by net/http, which speaks HTTP/2. Both paths end in
// the same [http1.Handler], so one engine serves both.
//
// A [Server] takes connections that are known to speak HTTP/2: by ALPN, with
// their handshake done, or by its preface. Each request is translated into an
// [http1.Request] and held to what the lean path demands of its own (see
// [http1.Check]): a request that HTTP/1.1 could not carry, or that two parsers
// could read differently once it were written down, is refused and never passed
// on. On top of that net/http refuses what HTTP/2 itself forbids: fields that
// belong to a connection, upper case in names, a body that is longer or shorter
// than stated.
//
// What is sent and received flows as it comes: each piece that the handler's
// body gives is flushed. A response that breaks off resets its stream. Trailers
// pass both ways, those of a request of HTTP/2 only if its Trailer field announced
// them, as net/http drops the others.
//
// A Server that is to end retires its connections first: clients learn by GOAWAY
// to open no further streams, and none is refused. [Handler] is the same path
// under a server of net/http's own, HTTP/1 included.
//
// Floods are bounded: streams at once, bytes and fields of a header list, bytes
// buffered for a stream and for a connection, requests waiting behind a rapid
// reset, the time that a body may make its reader wait. Nothing is ever
// decompressed but header fields. Extended CONNECT (WebSocket over HTTP/2) is
// not offered: browsers open a connection of HTTP/1.1 for it then.
package nethttp
