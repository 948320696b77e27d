package config

import (
	"mime"
	"net"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/internal/continuity"
	"holdfast/internal/jsonpointer"
	"holdfast/internal/yamldoc"
)

func parseAddress(text string, _ reflect.StructTag) (any, *fault) {
	if !validAddress(text, true) {
		return nil, yamldoc.Wrong("config.address")
	}
	return text, nil
}

// validAddress reports whether text is host:port; an empty host, every
// interface, only where that is allowed.
func validAddress(text string, every bool) bool {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return false
	}
	host, port := text[:at], text[at+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6()
	}
	return host == "" && every || hostForm.MatchString(host)
}

func parseUpstream(text string, _ reflect.StructTag) (any, *fault) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, yamldoc.Wrong("config.upstream")
	}
	base := u.Scheme + "://"
	switch {
	case u.User != nil:
		return nil, &fault{ID: "config.upstream-user", From: len(base)}
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#"):
		return nil, &fault{ID: "config.upstream-path", From: utf8.RuneCountInString(base + u.Host), Args: []any{"base", base + u.Host}}
	}
	host := u.Host
	if u.Port() == "" {
		host += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	}
	if !validAddress(host, false) || strings.HasSuffix(host, ":0") {
		return nil, yamldoc.Wrong("config.upstream")
	}
	return base + host, nil
}

func isHTTPS(upstream string) bool { return strings.HasPrefix(upstream, "https://") }

// upstreamHost is an upstream's host:port.
func upstreamHost(upstream string) string {
	_, host, _ := strings.Cut(upstream, "://")
	return host
}

// parseCIDR reads a range of addresses, or one address.
func parseCIDR(text string, _ reflect.StructTag) (any, *fault) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return nil, yamldoc.Wrong("config.cidr")
	}
	return p.Masked(), nil
}

// parseName reads what a certificate can be for.
func parseName(text string, tag reflect.StructTag) (any, *fault) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.String(), nil
	}
	return parseHost(text, tag)
}

func parseHTTPS(text string, _ reflect.StructTag) (any, *fault) {
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, yamldoc.Wrong("config.https")
	}
	return text, nil
}

func parseHost(text string, _ reflect.StructTag) (any, *fault) {
	host := strings.ToLower(text)
	switch {
	case strings.Contains(host, "*"):
		return nil, yamldoc.Wrong("config.host-wild")
	case strings.Contains(host, ":") || strings.Contains(host, "/"):
		return nil, yamldoc.Wrong("config.host-port")
	case !hostForm.MatchString(host):
		return nil, yamldoc.Wrong("config.host")
	}
	return host, nil
}

func parsePath(text string, _ reflect.StructTag) (any, *fault) {
	rest, below := strings.CutSuffix(text, "/**")
	switch {
	case !strings.HasPrefix(text, "/"):
		return nil, yamldoc.Wrong("config.path", "near", "/"+text)
	case strings.ContainsAny(text, "?#"):
		return nil, &fault{ID: "config.path-query", From: utf8.RuneCountInString(text[:strings.IndexAny(text, "?#")])}
	case strings.Contains(rest, "*"):
		near := path.Clean(rest[:strings.IndexByte(rest, '*')])
		return nil, &fault{
			ID: "config.path-wild", From: utf8.RuneCountInString(rest[:strings.IndexByte(rest, '*')]),
			Args: []any{"near", strings.TrimSuffix(near, "/") + "/**"},
		}
	case !below && strings.HasSuffix(text, "/") && text != "/":
		return nil, yamldoc.Wrong("config.path-slash", "near", text+"**")
	}
	return text, nil
}

func parseTarget(text string, _ reflect.StructTag) (any, *fault) {
	if !strings.HasPrefix(text, "/") {
		return nil, yamldoc.Wrong("config.path", "near", "/"+text)
	}
	if strings.ContainsAny(text, "# ") {
		return nil, yamldoc.Wrong("config.target")
	}
	return text, nil
}

func parseMethod(text string, _ reflect.StructTag) (any, *fault) {
	if slices.Contains(methods, text) {
		return text, nil
	}
	if near, ok := yamldoc.Nearest(strings.ToUpper(text), methods); ok {
		return nil, yamldoc.Wrong("config.method-near", "near", near)
	}
	return nil, yamldoc.Wrong("config.method", "words", methods)
}

func parseSelector(text string, tag reflect.StructTag) (any, *fault) {
	source, arg, _ := strings.Cut(text, ":")
	switch {
	case text == "none":
		return continuity.Selector{}, nil
	case source == "header" && headerName.MatchString(arg):
		return continuity.Selector{Source: continuity.SourceHeader, Name: arg}, nil
	case source == "path":
		if n, err := strconv.Atoi(arg); err == nil && n >= 1 && n <= 64 && strconv.Itoa(n) == arg {
			return continuity.Selector{Source: continuity.SourcePath, Index: n}, nil
		}
	case source == "json":
		pointer, bad := parsePointer(arg, tag)
		if bad == nil {
			return continuity.Selector{Source: continuity.SourceJSON, Name: pointer.(string)}, nil
		}
		if strings.HasPrefix(arg, "$") || arg != "" && !strings.HasPrefix(arg, "/") {
			return nil, yamldoc.Wrong("config.selector-pointer", "near", "json:"+likelyPointer(arg))
		}
	case source == "form" && arg != "":
		return continuity.Selector{Source: continuity.SourceForm, Name: arg}, nil
	case source == "xml" && xmlPath.MatchString(arg):
		return continuity.Selector{Source: continuity.SourceXML, Name: arg}, nil
	case strings.HasPrefix(text, "/"):
		return nil, yamldoc.Wrong("config.selector-pointer", "near", "json:"+text)
	}
	return nil, yamldoc.Wrong("config.selector")
}

var xmlPath = regexp.MustCompile(`^(/[^/ ]+){1,64}$`)

// parseField reads a field of the body by which a repeat is recognised.
func parseField(text string, tag reflect.StructTag) (any, *fault) {
	s, bad := parseSelector(text, tag)
	if bad != nil && bad.ID == "config.selector-pointer" {
		return nil, bad
	}
	if bad == nil {
		switch selector := s.(continuity.Selector); selector.Source {
		case continuity.SourceJSON:
			return selector.Name, nil
		case continuity.SourceForm, continuity.SourceXML:
			return text, nil
		}
	}
	return nil, yamldoc.Wrong("config.field")
}

func parseBodyPointer(text string, tag reflect.StructTag) (any, *fault) {
	s, bad := parseSelector(text, tag)
	if bad != nil && bad.ID == "config.selector-pointer" {
		return nil, bad
	}
	if bad != nil || s.(continuity.Selector).Source != continuity.SourceJSON {
		return nil, yamldoc.Wrong("config.body-pointer")
	}
	return s.(continuity.Selector).Name, nil
}

// likelyPointer guesses the JSON pointer behind a JSONPath or a bare name.
func likelyPointer(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "$"), ".")
	return "/" + strings.TrimPrefix(strings.ReplaceAll(text, ".", "/"), "/")
}

func parsePointer(text string, _ reflect.StructTag) (any, *fault) {
	if !strings.HasPrefix(text, "/") || text == "/" {
		return nil, yamldoc.Wrong("config.pointer", "near", likelyPointer(strings.TrimPrefix(text, "json:")))
	}
	if _, err := jsonpointer.Parse(text); err != nil {
		return nil, yamldoc.Wrong("config.pointer-escape")
	}
	return text, nil
}

func parseMedia(text string, _ reflect.StructTag) (any, *fault) {
	media, _, err := mime.ParseMediaType(text)
	if main, sub, ok := strings.Cut(media, "/"); err != nil || !ok || main == "" || sub == "" {
		return nil, yamldoc.Wrong("config.media")
	}
	return text, nil
}

func parseStatus(text string, _ reflect.StructTag) (any, *fault) {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	if len(text) == 3 && strings.HasSuffix(strings.ToLower(text), "xx") {
		low, high = text[:1]+"00", text[:1]+"99"
	}
	a, errLow := strconv.Atoi(low)
	b, errHigh := strconv.Atoi(high)
	if errLow != nil || errHigh != nil || len(low) != 3 || len(high) != 3 || a < 200 || b > 599 || a > b {
		return nil, yamldoc.Wrong("config.status")
	}
	return continuity.StatusRange{Low: a, High: b}, nil
}

func parseHeaderName(text string, _ reflect.StructTag) (any, *fault) {
	if !headerName.MatchString(text) {
		return nil, yamldoc.Wrong("config.header-name")
	}
	return text, nil
}

// parseSecure reads the address of something that keys or credentials come from:
// in plain text only on this machine.
func parseSecure(text string, tag reflect.StructTag) (any, *fault) {
	if _, bad := parseURL(text, tag); bad != nil {
		return nil, bad
	}
	if u, err := url.Parse(text); err == nil && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "80")) {
		return nil, yamldoc.Wrong("config.url-plain")
	}
	return text, nil
}

func parseNetwork(text string, _ reflect.StructTag) (any, *fault) {
	if _, err := netip.ParsePrefix(text); err != nil {
		return nil, yamldoc.Wrong("config.network")
	}
	return text, nil
}
