package config

import (
	"regexp"

	"holdfast/internal/yamldoc"
)

// kinds are the ways in which the texts of relay.yaml are read.
var kinds = yamldoc.Basic()

func init() { // not a literal: kinds are built of each other
	for name, kind := range map[string]yamldoc.Kind{
		"address":     {Parse: parseAddress, Schema: yamldoc.Pattern(`^.*:[0-9]+$`)},
		"upstream":    {Parse: parseUpstream, Schema: yamldoc.Pattern(`^https?://[^/?#@]+$`)},
		"cidr":        {Parse: parseCIDR, Schema: yamldoc.Pattern(`^[0-9a-fA-F:.]+(/[0-9]+)?$`)},
		"name":        {Parse: parseName, Schema: yamldoc.Pattern(`^[0-9A-Za-z:.-]+$`)},
		"https":       {Parse: parseHTTPS, Schema: yamldoc.Pattern(`^https://.+$`)},
		"file":        {Parse: kinds["text"].Parse, Schema: yamldoc.Pattern(`^.+$`), Free: true},
		"host":        {Parse: parseHost, Schema: yamldoc.Pattern(hostPattern)},
		"path":        {Parse: parsePath, Schema: yamldoc.Pattern(`^/[^*?#]*(/\*\*)?$`)},
		"target":      {Parse: parseTarget, Schema: yamldoc.Pattern(`^/[^#]*$`)},
		"method":      {Parse: parseMethod, Schema: yamldoc.Enum(methods)},
		"selector":    {Parse: parseSelector, Schema: yamldoc.Pattern(`^(none|header:.+|path:[1-9][0-9]*|json:/.*|form:.+|xml:/.+)$`)},
		"field":       {Parse: parseField, Schema: yamldoc.Pattern(`^(json:/.*|form:.+|xml:/.+)$`)},
		"body":        {Parse: parseBodyPointer, Schema: yamldoc.Pattern(`^json:/.*$`)},
		"pointer":     {Parse: parsePointer, Schema: yamldoc.Pattern(`^/.*$`)},
		"authority":   {Parse: parseAuthority, Schema: yamldoc.Pattern(`^[^/?#@ ]+$`)},
		"prefix":      {Parse: parsePrefix, Schema: yamldoc.Pattern(`^/[^?#* ]*[^/?#* ]$`)},
		"url":         {Parse: parseURL, Schema: yamldoc.Pattern(`^https?://[^/?#@]+(/.*)?$`)},
		"network":     {Parse: parseNetwork, Schema: yamldoc.Pattern(`^[0-9A-Fa-f.:]+/[0-9]+$`)},
		"header":      {Parse: parseHeaderName, Schema: yamldoc.Pattern("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")},
		"media":       {Parse: parseMedia, Schema: yamldoc.Pattern(`^[^/ ]+/[^/ ]+.*$`)},
		"user":        {Parse: parseUser, Schema: yamldoc.Pattern(`^(cookie|caller|header:.+)$`)},
		"headers":     {Parse: parseHeaderMatch, Schema: yamldoc.Pattern(`^[^:]+(:.*)?$`)},
		"link":        {Parse: parseLink, Schema: yamldoc.Pattern(`^[a-z]+:.+$`)},
		"status":      {Parse: parseStatus, Schema: statusSchema},
		"secure":      {Parse: parseSecure, Schema: yamldoc.Pattern(`^https?://[^/?#@]+(/.*)?$`)},
		"currency":    {Parse: parseCurrency, Schema: yamldoc.Pattern(`^([A-Z]{3}|json:/.*)$`)},
		"money":       {Parse: parseMoney, Schema: moneySchema},
		"date":        {Parse: parseDate, Schema: yamldoc.Pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)},
		"code":        {Parse: parseCode, Schema: yamldoc.Pattern(`^[A-Z]{3}$`)},
		"clock":       {Parse: parseClock, Schema: yamldoc.Pattern(`^([01][0-9]|2[0-4]):[0-5][0-9]$`)},
		"credentials": {Parse: parseCredentials, Schema: credentialsSchema},
		"zone":        {Parse: parseZone, Schema: yamldoc.Pattern(`^.+$`)},
	} {
		kinds[name] = kind
	}
}

const hostPattern = `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`

var (
	hostForm   = regexp.MustCompile(hostPattern)
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 token
	methods    = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)
