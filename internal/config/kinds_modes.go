package config

import (
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// ParseNetwork reads 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.
func ParseNetwork(text string) (netip.Prefix, bool) {
	p, bad := parseCIDR(text, "")
	if bad != nil {
		return netip.Prefix{}, false
	}
	return p.(netip.Prefix), true
}

// parseHeaderMatch reads "Name", "Name: value" or "Name: beginning*".
func parseHeaderMatch(text string, _ reflect.StructTag) (any, *fault) {
	f, ok := ParseHeaderMatch(text)
	if !ok {
		return nil, yamldoc.Wrong("config.header-match")
	}
	return f, nil
}

// ParseHeaderMatch reads which header fields a block refuses.
func ParseHeaderMatch(text string) (continuity.Field, bool) {
	name, value, _ := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	return continuity.Field{Name: name, Value: value}, headerName.MatchString(name) && !strings.ContainsAny(value, "\r\n\x00")
}

// linkSchemes are those that a page may lead to.
var linkSchemes = []string{"http", "https", "tel", "mailto", "sms", "weixin", "wxwork", "dingtalk", "feishu", "lark"}

func parseLink(text string, _ reflect.StructTag) (any, *fault) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(linkSchemes, u.Scheme) || strings.ContainsAny(text, " \r\n\t<>\"") {
		return nil, yamldoc.Wrong("config.link", "words", linkSchemes)
	}
	return text, nil
}
