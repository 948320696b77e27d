package outgoing

import (
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

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8") // 0.0.0.0 connects to this machine
	reserved    = netip.MustParsePrefix("240.0.0.0/4")
	inside      = prefixes("100.64.0.0/10", "198.18.0.0/15", "192.0.0.0/24", "fec0::/10") // shared, for benchmarks, for protocols, of a site
	translated  = prefixes("64:ff9b::/96", "::ffff:0:0:0/96")
	local       = netip.MustParsePrefix("64:ff9b:1::/48") // of translators, of any length
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

// carried are the IPv4 addresses that an IPv6 address carries to a translator or
// through a tunnel.
func carried(a netip.Addr) (all []netip.Addr) {
	if !a.Is6() || a.Is4In6() {
		return nil
	}
	b := a.As16()
	carry := func(b ...byte) { all = append(all, netip.AddrFrom4([4]byte(b))) }
	holds := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case slices.ContainsFunc(translated, holds), holds(compatible) && !a.IsLoopback():
		carry(b[12:]...)
	case holds(local): // RFC 6052: where it stands goes by the length; the ninth byte is left out
		for _, v := range [][]byte{{b[6], b[7], b[9], b[10]}, {b[7], b[9], b[10], b[11]}, b[9:13], b[12:]} {
			if v[0] != 0 { // else it stands elsewhere
				carry(v...)
			}
		}
	case holds(sixToFour):
		carry(b[2:6]...)
	case holds(teredo):
		carry(^b[12], ^b[13], ^b[14], ^b[15])
	}
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe { // ISATAP, of any network
		carry(b[12:]...)
	}
	return all
}

func private(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || slices.ContainsFunc(inside, func(p netip.Prefix) bool { return p.Contains(a) })
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

// mayAsk refuses a name that no rule could let in before its name server is asked:
// whether there is such a name is nobody's business then, and not to find it is
// no news of the service.
func (p *Policy) mayAsk(host string, port uint16) error {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || p.Might(host, port) {
		return nil // an address is judged when it connects
	}
	return refused(host, netip.Addr{}, Unlisted)
}

// Check says whether a connection to an address may be made, on behalf of the
// host that was named: a name, or the address itself.
func (p Policy) Check(host string, address netip.Addr, port uint16) error {
	if never(address) || slices.ContainsFunc(carried(address), never) {
		return refused(host, address, Never)
	}
	own := PrivateAddress(address)
	plain := address.Unmap()
	listed := false
	host = canonical(host)
	for _, rule := range p.rules {
		if !rule.covers(port) {
			continue
		}
		if rule.net.IsValid() && rule.net.Contains(plain) {
			if p.narrow && own && !reaches(p.own, plain, port) {
				return refused(host, address, Private)
			}
			return nil
		}
		listed = listed || rule.names(host)
	}
	switch {
	case !listed:
		return refused(host, address, Unlisted)
	case own:
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

// PrivateAddress says whether an address is one of the company's own machines:
// loopback, RFC 1918, unique local, shared and the like.
func PrivateAddress(address netip.Addr) bool {
	return private(address.Unmap()) || slices.ContainsFunc(carried(address), private)
}

func refused(host string, address netip.Addr, why string) error {
	at := host
	if address.IsValid() {
		at = address.String()
	}
	if host == "" {
		host = at
	}
	return continuity.E(continuity.CodeOutgoing, nil, "host", host, "address", at, "why", why)
}
