package outgoing

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rule lets in one host, one network or one Unix socket.
type Rule struct {
	host   string       // lower case, no final dot; "*.example.com" for every name below it
	net    netip.Prefix // valid: a network
	socket string       // a Unix socket's path
	ports  []ports      // empty: all
}

type ports struct{ first, last uint16 }

// ParseRule reads a rule: a host (shop.example.com), all names below one
// (*.example.com), an address, a network (10.0.0.0/8) or a socket
// (unix:/run/db.sock); all but a socket may have ports (:443, :80,8000-8099). An
// IPv6 address or network with ports stands in brackets ([fd00::/8]:443).
func ParseRule(text string) (Rule, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return Rule{}, fmt.Errorf("outgoing: %q: a socket's path begins with a slash", text)
		}
		return Rule{socket: path}, nil
	}
	place, portText := text, ""
	if inner, ok := strings.CutPrefix(text, "["); ok {
		var rest string
		if place, rest, ok = strings.Cut(inner, "]"); !ok || rest != "" && rest[0] != ':' {
			return Rule{}, fmt.Errorf("outgoing: %q: the brackets don't match", text)
		}
		portText = rest
	} else if strings.Count(text, ":") == 1 {
		i := strings.IndexByte(text, ':')
		place, portText = text[:i], text[i:]
	}
	rule := Rule{}
	if portText != "" {
		var err error
		if rule.ports, err = parsePorts(portText[1:]); err != nil {
			return Rule{}, fmt.Errorf("outgoing: %q: %w", text, err)
		}
	}
	if prefix, err := netip.ParsePrefix(place); err == nil {
		if prefix != prefix.Masked() {
			return Rule{}, fmt.Errorf("outgoing: %q: %s is meant, or an address without /%d", text, prefix.Masked(), prefix.Bits())
		}
		rule.net = prefix
		return rule, nil
	}
	if address, err := netip.ParseAddr(place); err == nil {
		address = address.Unmap().WithZone("")
		rule.net = netip.PrefixFrom(address, address.BitLen())
		return rule, nil
	}
	rule.host = canonical(place)
	if !validHost(rule.host) {
		return Rule{}, fmt.Errorf("outgoing: %q names no host, address or network", text)
	}
	return rule, nil
}

// Rules reads several.
func Rules(texts ...string) ([]Rule, error) {
	var rules []Rule
	for _, text := range texts {
		rule, err := ParseRule(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parsePorts(text string) ([]ports, error) {
	var all []ports
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || first == 0 || last < first {
			return nil, fmt.Errorf("%q are no ports", part)
		}
		all = append(all, ports{uint16(first), uint16(last)})
	}
	return all, nil
}

// canonical is how names are compared.
func canonical(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// validHost lets in names as they stand in the DNS, and a star for its first
// label if two others follow: *.com would be no rule.
func validHost(host string) bool {
	name := host
	if below, ok := strings.CutPrefix(host, "*."); ok {
		if name = below; !strings.Contains(name, ".") {
			return false
		}
	}
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	// A name of digits and dots is an address to some and a name to others.
	return strings.Trim(name, "0123456789.") != ""
}

func (r Rule) covers(port uint16) bool {
	return len(r.ports) == 0 || slices.ContainsFunc(r.ports, func(p ports) bool { return p.first <= port && port <= p.last })
}

func (r Rule) names(host string) bool {
	if below, ok := strings.CutPrefix(r.host, "*"); ok {
		return len(host) > len(below) && strings.HasSuffix(host, below)
	}
	return r.host != "" && r.host == host
}
