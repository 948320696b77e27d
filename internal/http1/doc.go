// Package http1 speaks HTTP/1.1 (and 1.0) to clients and upstreams: one task or
// goroutine a connection, one write a message, and an exact account of whether
// a byte of a request or of a response has left. Policy lives elsewhere.
//
// On Linux a plain TCP connection is a task of a poll loop (package loop), and
// its requests use connections to the upstream of that same loop; all others
// have a goroutine. Both run the same code, and a handler that is going to block
// says so by Request.Waiter.
//
// # Server
//
// A [Server] reads one request after the other from each connection and calls
// its [Handler] for it, in order, also when they were sent in a pipeline. It is
// as strict as RFC 9110 and 9112 allow: whatever two parsers could read
// differently (bare LF, folded lines, space before a colon, a doubled or
// missing Host, any doubt about the length) is answered with a bare status and
// the connection is closed. Nothing is repaired.
//
// A head is copied once into a string of which every field is a part, so
// strings taken out of a [Request] live as long as they are wanted; the
// Request itself, its Header slice and its Body belong to the connection and
// end with the handler. A handler that has kept no string may say so to a
// [Spender], and the head's memory is used again. The same goes for a response
// that was made in a [Memory], by its Free.
//
// # Hop-by-hop fields
//
// Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding and Upgrade
// never pass, nor do the fields that Connection names, with one exception: a
// field that carries the meaning of the message end to end (Host, Content-*,
// Authorization, Cookie, Idempotency-Key, conditions, ranges, forwarding and
// trace fields; see protected) stays although Connection names it. Otherwise a
// sender could have us strip the credentials or the identity that the next hop
// decides by. Content-Length and Expect are taken out too: Request.Length and
// the server itself speak for them. The only Upgrade that a handler sees is a
// WebSocket's, by [Request].Upgrade; any other request to leave HTTP is answered
// as a plain one. TE becomes Request.TakesTrailers.
//
// # Bodies
//
// "Expect: 100-continue" is answered when the handler first reads the body. A
// body that the handler left unread is discarded up to a small bound, above it
// the connection closes. Trailers are checked, and those that may
// stand there pass on if the next recipient takes them; see [Trailered].
//
// # Other protocols
//
// A [Server] does the handshake of a *tls.Conn and hands connections that turn
// out to be HTTP/2, by ALPN or by their preface, to Server.HTTP2.
//
// # Clients that go away
//
// Nothing reads a connection while its handler works, so the steady state pays
// nothing for this: twice a second the server looks, without blocking, at the
// connections whose handler has been at work since its last look, and cancels
// Exchange.Context of those whose client has closed. A client that closes its
// sending side only counts as gone; data sent ahead hides a close until the
// handler's answer fails.
//
// # Client
//
// A [Pool] holds connections to one upstream and makes exactly one attempt for
// each call. Its errors are [SentError]s that say whether any byte of the
// request was handed to the kernel. It takes another connection only when a
// pooled one turns out dead before it accepted a single byte; after the first
// byte it never tries again. As a write on a connection that the upstream has
// just closed succeeds, idle connections retire before the upstream's own time
// is over and are looked at before they are used again.
//
// A request body up to 64 KiB is read before a connection is taken and leaves
// in one write with its head; a longer one streams. An answer that refuses it
// (3xx and up) ends the sending at once, an early success is delivered when the
// sending is done: request and response bodies do not flow at the same time.
package http1
