// Package listener makes what clients connect to: plain sockets, sockets behind
// a load balancer that speaks the PROXY protocol (v1 and v2), and sockets with
// TLS, whose certificates come from files, from an ACME authority or from a
// small authority of the relay's own.
//
// A listener from here hands out connections at once; who connects and the
// handshake are settled by whoever serves a connection, in its own goroutine and
// within its own time, so that a slow client holds up nobody.
//
// # Certificates
//
// Files are looked at again when they change, at most once a second and by the
// next handshake; while the new ones can't be used, the old ones stay. ACME
// certificates are ordered at the first handshake for a configured name, proven
// by tls-alpn-01 on the same port, renewed after two thirds of their life, and
// kept with the account's key in the data folder. The relay's own authority has
// a root that is made once and kept in the data folder, readable by its owner
// only; what it certifies lives for a month, in memory, and is made anew after
// two thirds of that.
//
// # PROXY protocol
//
// With it, only trusted proxies can connect at all, and each must say who it
// connects for. Otherwise anybody could choose the address that limits and
// blocks go by.
package listener
