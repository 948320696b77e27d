// Package outgoing is the door through which the control plane reaches other
// machines: checks, webhooks, vendors' notices. What people write into plans and
// forms decides where Holdfast connects to, so a place is refused unless a rule
// lets it in.
//
// A rule names a host, a network or a Unix socket, with ports (ParseRule). A rule
// of a host lets in its public addresses only: what its name server says may
// change at any time, and must not become a way to the company's own machines.
// A private address (loopback, RFC 1918, unique local, shared) is reached by a
// rule of a network, or of the address itself.
//
// Some addresses are refused whatever the rules say: link-local ones, those at
// which clouds hand out credentials, multicast and the unspecified address, also
// where they are wrapped in an IPv6 address (NAT64, 6to4, Teredo).
//
// The address is judged at the moment when the socket connects, after the name
// was looked up, so no second look-up can slip in another. A client follows no
// redirect to another host, asks no proxy of the environment, and bounds what it
// reads. What it refuses is a *continuity.Error with CodeOutgoing.
package outgoing
