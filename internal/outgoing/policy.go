package outgoing

import (
	"encoding/binary"
	"net/netip"
	"slices"

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
type Policy struct{ rules []Rule }

// NewPolicy makes one.
func NewPolicy(rules ...Rule) Policy { return Policy{slices.Clone(rules)} }

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
	if slices.ContainsFunc(p.rules, func(r Rule) bool { return r.socket != "" && r.socket == path }) {
		return nil
	}
	return continuity.E(continuity.CodeOutgoing, nil, "host", path, "address", path, "why", Unlisted)
}

func refused(host string, address netip.Addr, why string) error {
	if host == "" {
		host = address.String()
	}
	return continuity.E(continuity.CodeOutgoing, nil, "host", host, "address", address.String(), "why", why)
}
