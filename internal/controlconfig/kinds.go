package controlconfig

import (
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"holdfast/internal/outgoing"
	"holdfast/internal/yamldoc"
)

var kinds = yamldoc.Basic()

const hostPattern = `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`

var hostForm = regexp.MustCompile(hostPattern)

func init() { // not a literal: kinds are built of each other
	for name, kind := range map[string]yamldoc.Kind{
		"address": {Parse: parseAddress, Schema: yamldoc.Pattern(`^.*:[0-9]+$`)},
		"file":    {Parse: kinds["text"].Parse, Schema: yamldoc.Pattern(`^.+$`), Free: true},
		"host":    {Parse: parseHost, Schema: yamldoc.Pattern(hostPattern)},
		"url":     {Parse: parseURL, Schema: yamldoc.Pattern(`^https?://[^/?#@]+(/.*)?$`)},
		"channel": {Parse: parseChannel, Schema: func(tag reflect.StructTag) map[string]any { return yamldoc.Enum(channelKinds)(tag) }},
		"target":  {Parse: parseTarget, Schema: yamldoc.Pattern(`^(/|folder:/|s3://|sftp://).+$`)},
		"network": {Parse: parseNetwork, Schema: yamldoc.Pattern(`^[0-9a-fA-F.:]+(/[0-9]+)?$`)},
		"rule":    {Parse: parseRule, Schema: yamldoc.Pattern(`^.+$`), Free: true},
	} {
		kinds[name] = kind
	}
}

// language is what is particular to control.yaml.
var language = &yamldoc.Language{
	Name: "control.yaml", Kinds: kinds, Entries: []string{"relays", "metrics.remote_write", "hooks", "channels", "commands", "backup.targets"}, Secret: secretScalar,
}

// secretScalar reports a secret written where a reference to one belongs.
func secretScalar(f *yamldoc.Findings, path string, n *yamldoc.Node) bool {
	switch path {
	case "database", "relays.token", "metrics.remote_write.token", "hooks.secret", "checks.mark", "backup.passphrase", "backup.targets.credentials", "backup.targets.prune":
		f.Error(n.At, "controlconfig.secret", "field", path)
		return true
	}
	return false
}

func parseAddress(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return nil, yamldoc.Wrong("controlconfig.address")
	}
	host, port := text[:at], text[at+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return nil, yamldoc.Wrong("controlconfig.address")
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if !strings.HasSuffix(inner, "]") || err != nil || !ip.Is6() {
			return nil, yamldoc.Wrong("controlconfig.address")
		}
	} else if host != "" && !hostForm.MatchString(host) {
		return nil, yamldoc.Wrong("controlconfig.address")
	}
	return text, nil
}

func parseHost(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if !hostForm.MatchString(text) {
		return nil, yamldoc.Wrong("controlconfig.host")
	}
	return strings.ToLower(text), nil
}

func parseURL(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return nil, yamldoc.Wrong("controlconfig.url")
	}
	if u.User != nil {
		return nil, yamldoc.Wrong("controlconfig.url-secret")
	}
	return strings.TrimSuffix(text, "/"), nil
}

func parseRule(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	rule, err := outgoing.ParseRule(text)
	if err != nil {
		return nil, yamldoc.Wrong("controlconfig.rule")
	}
	return rule, nil
}

// parseNetwork reads a network, or an address alone.
func parseNetwork(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network != network.Masked() {
		return nil, yamldoc.Wrong("wording.sms.network")
	}
	return network, nil
}

// loopback reports whether an address is this machine's own only.
func loopback(address string) bool {
	host := strings.Trim(address[:strings.LastIndexByte(address, ':')], "[]")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
