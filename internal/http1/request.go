package http1

import (
	"net/netip"
	"strings"
)

// parseRequest reads a request head, its empty line included, into r and h.
// The target may hold bytes above 0x7f, as people's clients send them and they
// cannot change where a message ends; every other part is as the RFCs say.
func parseRequest(s string, r *Request, h *head, limits *Limits) *ProtocolError {
	i := 0
	for i < len(s) && tokenChar[s[i]] {
		i++
	}
	if i == 0 || i == len(s) || s[i] != ' ' {
		return errLine
	}
	method := s[:i]
	s = s[i+1:]
	for i = 0; i < len(s) && targetChar[s[i]]; i++ {
	}
	if i > limits.Target {
		return errTargetLong
	}
	if i == 0 || i == len(s) || s[i] != ' ' {
		return errLine
	}
	target := s[:i]
	s = s[i+1:]
	minor, s, err := parseVersion(s)
	if err != nil {
		return err
	}
	h.reset(minor)
	if err := h.parse(s, limits.Fields); err != nil {
		return err
	}
	if method == "CONNECT" {
		return errConnect
	}
	if h.hosts > 1 || h.hosts == 0 && minor > 0 || h.hosts == 1 && !validHost(h.host) {
		return errHost
	}
	target, host, err := parseTarget(method, target)
	if err != nil {
		return err
	}
	if host == "" {
		host = h.host
	}
	if h.expects != "" && minor > 0 && !fold(h.expects, "100-continue") {
		return errExpect
	}
	r.Method, r.Target, r.Host, r.Header, r.TakesTrailers, r.Upgrade = method, target, host, h.fields, h.trailers, ""
	switch {
	case h.chunked:
		r.Length = -1
	case h.length > 0:
		r.Length = h.length
		if limits.Body > 0 && h.length > limits.Body {
			return errBodyLarge
		}
	default:
		r.Length = 0
		if h.upgrades && minor > 0 && method == "GET" && fold(h.upgrade, webSocket) {
			r.Upgrade = webSocket
		}
	}
	return nil
}

// parseVersion reads "HTTP/1.x" and the end of its line.
func parseVersion(s string) (minor int, rest string, err *ProtocolError) {
	const length = len("HTTP/1.1\r\n")
	if len(s) < length || s[:5] != "HTTP/" || s[6] != '.' || s[8] != '\r' || s[9] != '\n' {
		return 0, "", errLine
	}
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	if !digit(s[5]) || !digit(s[7]) {
		return 0, "", errLine
	}
	if s[5] != '1' || s[7] > '1' {
		return 0, "", errVersion
	}
	return int(s[7] - '0'), s[length:], nil
}

// parseTarget returns the target in origin form (or *), and the host if the
// target names one.
func parseTarget(method, target string) (origin, host string, err *ProtocolError) {
	if target[0] == '/' {
		return target, "", checkPath(target)
	}
	if target == "*" {
		if method != "OPTIONS" {
			return "", "", errTarget
		}
		return target, "", nil
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !fold(scheme, "http") && !fold(scheme, "https") {
		return "", "", errTarget
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, origin = rest[:end], rest[end:]
	if !validHost(host) {
		return "", "", errTarget
	}
	switch {
	case origin == "" && method == "OPTIONS":
		origin = "*"
	case origin == "" || origin[0] == '?':
		origin = "/" + origin
	}
	return origin, host, checkPath(origin)
}

// checkPath refuses a path with a broken percent escape; in a query some
// clients send a bare percent sign.
func checkPath(target string) *ProtocolError {
	for i := 0; i < len(target) && target[i] != '?'; i++ {
		if target[i] == '%' && (i+2 >= len(target) || hexValue[target[i+1]] < 0 || hexValue[target[i+2]] < 0) {
			return errTarget
		}
	}
	return nil
}

// validHost reports whether s is a name or an address, with a port or without.
func validHost(s string) bool {
	if s == "" {
		return false
	}
	port := ""
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		addr, err := netip.ParseAddr(s[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return false
		}
		port = s[end+1:]
		if port != "" && port[0] != ':' {
			return false
		}
	} else {
		i := 0
		for i < len(s) && hostChar[s[i]] {
			i++
		}
		port = s[i:]
		if i == 0 || port != "" && port[0] != ':' {
			return false
		}
	}
	if len(port) > 6 {
		return false
	}
	for i := 1; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return true
}
