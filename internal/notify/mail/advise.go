package mail

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"golang.org/x/net/publicsuffix"

	"holdfast/internal/notify"
)

const maxAdvice = 30 * time.Second

// resolver is a *net.Resolver, asked for whole names.
type resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// rooted asks for names as they stand, without the machine's own domains behind
// them.
type rooted struct{ net *net.Resolver }

func root(name string) string { return strings.TrimSuffix(name, ".") + "." }

func (r rooted) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return r.net.LookupTXT(ctx, root(name))
}

func (r rooted) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return r.net.LookupMX(ctx, root(name))
}

func (r rooted) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	return r.net.LookupIPAddr(ctx, root(host))
}

func (r rooted) LookupAddr(ctx context.Context, at string) ([]string, error) {
	return r.net.LookupAddr(ctx, at)
}

// Levels of advice.
const (
	fine    = "ok"
	warning = "warning"
	wrong   = "error"
)

// advice is said of a domain.
func (c *channel) advice(level, code string, pairs ...any) notify.Advice {
	args := map[string]any{"domain": c.domain}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return notify.Advice{Level: level, Code: "notify.advice." + code, Args: args}
}

// Advise implements notify.Adviser: what the sender's domain says of who may send
// in its name, and what becomes of mails that nobody vouches for.
func (c *channel) Advise(ctx context.Context) ([]notify.Advice, error) {
	ctx, cancel := context.WithTimeout(ctx, maxAdvice)
	defer cancel()
	all, bySPF := c.lookSPF(ctx)
	key, byDKIM := c.lookDKIM(ctx)
	all = append(all, key)
	return append(all, c.lookDMARC(ctx, bySPF, byDKIM)...), nil
}

// vouches is what is known of one way to vouch for messages.
type vouches int

const (
	unknown vouches = iota
	no
	yes
)

// nobody are addresses at which no mail server is (RFC 5737, 3849): to judge one,
// all of a record has to be gone through.
var nobody = []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}

// lookSPF judges the domain's list of senders.
func (c *channel) lookSPF(ctx context.Context) ([]notify.Advice, vouches) {
	var all []notify.Advice
	for _, ip := range nobody {
		result, err := c.spf(ctx, ip)
		switch {
		case result == spf.TempError:
			return []notify.Advice{c.advice(warning, "mail-spf-unread")}, unknown
		case result == spf.None:
			return []notify.Advice{c.advice(warning, "mail-spf-none")}, no
		case errors.Is(err, spf.ErrMultipleRecords):
			return []notify.Advice{c.advice(wrong, "mail-spf-many")}, no
		case errors.Is(err, spf.ErrLookupLimitReached):
			return []notify.Advice{c.advice(wrong, "mail-spf-lookups")}, no
		case errors.Is(err, spf.ErrVoidLookupLimitReached):
			return []notify.Advice{c.advice(wrong, "mail-spf-void")}, no
		case result == spf.PermError:
			return []notify.Advice{c.advice(wrong, "mail-spf-broken")}, no
		case result == spf.Pass:
			return []notify.Advice{c.advice(wrong, "mail-spf-anybody")}, yes
		case result == spf.Neutral && len(all) == 0:
			all = append(all, c.advice(warning, "mail-spf-neutral"))
		}
	}
	named, by := c.lookServer(ctx)
	return append(all, named), by
}

// lookServer judges whether the list names the server that messages are handed to.
func (c *channel) lookServer(ctx context.Context) (notify.Advice, vouches) {
	host := hostOf(c.Server)
	var at []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		at = append(at, ip.Unmap())
	} else if found, err := c.dns.LookupIPAddr(ctx, host); err == nil {
		for _, f := range found {
			if ip, ok := netip.AddrFromSlice(f.IP); ok {
				at = append(at, ip.Unmap())
			}
		}
	}
	public := 0
	for _, ip := range at {
		if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		public++
		if result, _ := c.spf(ctx, ip.AsSlice()); result == spf.Pass {
			return c.advice(fine, "mail-spf-ok", "server", host), yes
		}
	}
	if public == 0 { // what others see of it is not known here
		return c.advice(warning, "mail-spf-server-unknown", "server", host), unknown
	}
	return c.advice(warning, "mail-spf-server", "server", host), unknown
}

func (c *channel) spf(ctx context.Context, ip net.IP) (spf.Result, error) {
	return spf.CheckHostWithSender(ip, c.domain, c.from, spf.WithContext(ctx), spf.WithResolver(c.dns))
}

// Lengths of RSA keys, in bits.
const (
	leastRSA = 1024 // receivers take no shorter one
	goodRSA  = 2048
)

// lookDKIM judges the key by which messages are signed.
func (c *channel) lookDKIM(ctx context.Context) (notify.Advice, vouches) {
	if c.DKIM == nil {
		return c.advice(warning, "mail-dkim-unknown"), unknown
	}
	name := c.DKIM.Selector + "._domainkey." + c.signer()
	records, err := c.texts(ctx, name, "DKIM1")
	switch {
	case err != nil:
		return c.advice(warning, "mail-dkim-unread", "name", name), unknown
	case len(records) == 0:
		return c.advice(wrong, "mail-dkim-none", "name", name), no
	case len(records) > 1:
		return c.advice(wrong, "mail-dkim-many", "name", name), no
	}
	key, there := records[0]["p"]
	if there && key == "" {
		return c.advice(wrong, "mail-dkim-revoked", "name", name), no
	}
	bits := keyBits(records[0]["k"], key)
	switch {
	case bits == 0:
		return c.advice(wrong, "mail-dkim-broken", "name", name), no
	case bits < leastRSA:
		return c.advice(wrong, "mail-dkim-weak", "name", name, "bits", bits), no
	case bits < goodRSA:
		return c.advice(warning, "mail-dkim-short", "name", name, "bits", bits), yes
	}
	return c.advice(fine, "mail-dkim-ok", "name", name), yes
}

// keyBits is how long a key is, as RSA's are counted; 0: it is none.
func keyBits(kind, key string) int {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(key), ""))
	if err != nil {
		return 0
	}
	switch kind {
	case "ed25519":
		if len(der) == ed25519.PublicKeySize {
			return goodRSA
		}
	case "", "rsa":
		public, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			if old, err := x509.ParsePKCS1PublicKey(der); err == nil {
				return old.N.BitLen()
			}
			return 0
		}
		if found, ok := public.(*rsa.PublicKey); ok {
			return found.N.BitLen()
		}
	}
	return 0
}

// signer is the domain in whose name messages are signed.
func (c *channel) signer() string {
	if c.DKIM.Domain != "" {
		return c.DKIM.Domain
	}
	return c.domain
}

// lookDMARC judges what receivers are asked to do with mails that nobody vouches
// for, and whether ours are among them.
func (c *channel) lookDMARC(ctx context.Context, bySPF, byDKIM vouches) []notify.Advice {
	policy, at := "p", c.domain
	records, err := c.texts(ctx, "_dmarc."+at, "DMARC1")
	if organisation := organisation(at); err == nil && len(records) == 0 && organisation != at {
		policy, at = "sp", organisation
		records, err = c.texts(ctx, "_dmarc."+at, "DMARC1")
	}
	switch {
	case err != nil:
		return []notify.Advice{c.advice(warning, "mail-dmarc-unread")}
	case len(records) == 0:
		return []notify.Advice{c.advice(warning, "mail-dmarc-none")}
	case len(records) > 1: // receivers go by none of them
		return []notify.Advice{c.advice(wrong, "mail-dmarc-many", "at", at)}
	}
	record := records[0]
	asked := strings.ToLower(record[policy])
	if asked == "" {
		asked = strings.ToLower(record["p"])
	}
	if asked != "none" && asked != "quarantine" && asked != "reject" {
		return []notify.Advice{c.advice(wrong, "mail-dmarc-broken", "at", at)}
	}
	if byDKIM == yes && !aligned(c.signer(), c.domain, record["adkim"]) {
		byDKIM = no
		if asked != "none" && bySPF != yes {
			return []notify.Advice{c.advice(wrong, "mail-dmarc-unaligned", "signer", c.signer(), "policy", asked)}
		}
	}
	switch {
	case asked == "none":
		return []notify.Advice{c.advice(warning, "mail-dmarc-open")}
	case bySPF == yes || byDKIM == yes: // the envelope's sender is the mail's: as to SPF, it is aligned
		return []notify.Advice{c.advice(fine, "mail-dmarc-ok", "policy", asked)}
	case bySPF == no && byDKIM == no:
		return []notify.Advice{c.advice(wrong, "mail-dmarc-fails", "policy", asked)}
	}
	return []notify.Advice{c.advice(warning, "mail-dmarc-uncertain", "policy", asked)}
}

// aligned reports whether a signature in one domain's name counts for another
// (RFC 7489, 3.1).
func aligned(signer, domain, mode string) bool {
	if strings.EqualFold(mode, "s") {
		return strings.EqualFold(signer, domain)
	}
	return strings.EqualFold(organisation(signer), organisation(domain))
}

// organisation is the domain that its owner registered.
func organisation(domain string) string {
	if found, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(domain)); err == nil {
		return found
	}
	return domain
}

// texts reads the records of a name that are of a version, by their tags. A name
// that does not exist has none.
func (c *channel) texts(ctx context.Context, name, version string) ([]map[string]string, error) {
	found, err := c.dns.LookupTXT(ctx, name)
	if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []map[string]string
	for _, text := range found {
		tags := map[string]string{}
		for tag := range strings.SplitSeq(text, ";") {
			name, value, ok := strings.Cut(tag, "=")
			if name = strings.TrimSpace(name); ok && tags[name] == "" {
				tags[name] = strings.TrimSpace(value)
			}
		}
		_, key := tags["p"]
		if v := tags["v"]; v == version || v == "" && version == "DKIM1" && key { // DKIM's keys need not say it
			all = append(all, tags)
		}
	}
	return all, nil
}
