package outgoing

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// Why a place is refused; the argument "why" of CodeOutgoing.
const (
	Never    = "never"    // no rule lets such an address in
	Private  = "private"  // a private address that only a name's rule lets in
	Unlisted = "unlisted" // no rule names it
)

// credentials are addresses outside link-local at which clouds hand them out.
var credentials = addresses(
	"fd00:ec2::254",   // Amazon
	"fd20:ce::254",    // Google
	"fd00:42::42",     // Scaleway
	"100.100.100.200", // Alibaba
	"192.0.0.192",     // Oracle
	"168.63.129.16",   // Azure
)

func addresses(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8") // 0.0.0.0 connects to this machine
	reserved    = netip.MustParsePrefix("240.0.0.0/4")
	shared      = netip.MustParsePrefix("100.64.0.0/10")
	translated  = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48")}
	sixToFour   = netip.MustParsePrefix("2002::/16")
	teredo      = netip.MustParsePrefix("2001::/32")
	compatible  = netip.MustParsePrefix("::/96")
)

// never reports addresses that no rule lets in.
func never(a netip.Addr) bool {
	if a.Zone() != "" { // only link-local addresses have one
		return true
	}
	a = a.Unmap()
	return !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() ||
		thisNetwork.Contains(a) || reserved.Contains(a) || slices.Contains(credentials, a)
}

// within is the IPv4 address that an IPv6 address carries to a translator or
// through a tunnel.
func within(a netip.Addr) (inner netip.Addr, ok bool) {
	if !a.Is6() || a.Is4In6() {
		return a, false
	}
	b := a.As16()
	switch {
	case slices.ContainsFunc(translated, func(p netip.Prefix) bool { return p.Contains(a) }):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(a):
		var v [4]byte
		binary.BigEndian.PutUint32(v[:], ^binary.BigEndian.Uint32(b[12:]))
		return netip.AddrFrom4(v), true
	case compatible.Contains(a) && !a.IsLoopback():
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return a, false
}

func private(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || shared.Contains(a)
}

// Policy is a set of rules. It does not change; the zero value refuses all.
type Policy struct {
	rules  []Rule
	narrow bool   // private addresses and sockets have to be in own, too
	own    []Rule // of a plan
}

// NewPolicy makes one.
func NewPolicy(rules ...Rule) Policy { return Policy{rules: slices.Clone(rules)} }

// Narrow is a policy that lets in what this one does, but private addresses and
// sockets only where one of the rules in texts names them, too: who writes a plan
// says which of the company's own machines it concerns, within what the node
// allows. A text that can't be read lets nothing in; whoever checks plans reports
// it.
func (p Policy) Narrow(texts ...string) Policy {
	narrow := Policy{rules: p.rules, narrow: true}
	for _, text := range texts {
		if rule, err := ParseRule(text); err == nil {
			narrow.own = append(narrow.own, rule)
		}
	}
	return narrow
}

// Might says whether there is a rule by which a host could be reached on a port,
// as far as that can be said before its name is looked up.
func (p Policy) Might(host string, port uint16) bool {
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return p.Check(host, address, port) == nil
	}
	return slices.ContainsFunc(p.rules, func(r Rule) bool { return r.covers(port) && (r.net.IsValid() || r.names(canonical(host))) })
}

// Check says whether a connection to an address may be made, on behalf of the
// host that was named: a name, or the address itself.
func (p Policy) Check(host string, address netip.Addr, port uint16) error {
	inner, wrapped := within(address)
	if never(address) || wrapped && never(inner) {
		return refused(host, address, Never)
	}
	plain := address.Unmap()
	listed := false
	host = canonical(host)
	for _, rule := range p.rules {
		if !rule.covers(port) {
			continue
		}
		if rule.net.IsValid() && rule.net.Contains(plain) {
			if p.narrow && (private(plain) || wrapped && private(inner)) && !reaches(p.own, plain, port) {
				return refused(host, address, Private)
			}
			return nil
		}
		listed = listed || rule.names(host)
	}
	switch {
	case !listed:
		return refused(host, address, Unlisted)
	case private(plain) || wrapped && private(inner):
		return refused(host, address, Private)
	}
	return nil
}

// CheckSocket says whether a Unix socket may be connected to.
func (p Policy) CheckSocket(path string) error {
	named := func(r Rule) bool { return r.socket != "" && r.socket == path }
	if slices.ContainsFunc(p.rules, named) && (!p.narrow || slices.ContainsFunc(p.own, named)) {
		return nil
	}
	return continuity.E(continuity.CodeOutgoing, nil, "host", path, "address", path, "why", Unlisted)
}

// reaches says whether a rule of a network names an address.
func reaches(rules []Rule, address netip.Addr, port uint16) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.covers(port) && r.net.IsValid() && r.net.Contains(address) })
}

// PrivateAddress says whether an address is one of the company's own machines: loopback,
// RFC 1918, unique local, shared.
func PrivateAddress(address netip.Addr) bool {
	inner, wrapped := within(address)
	return private(address.Unmap()) || wrapped && private(inner)
}

func refused(host string, address netip.Addr, why string) error {
	if host == "" {
		host = address.String()
	}
	return continuity.E(continuity.CodeOutgoing, nil, "host", host, "address", address.String(), "why", why)
}
