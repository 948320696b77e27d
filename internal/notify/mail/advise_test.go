package mail

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"holdfast/internal/catalogue"
)

// names is a name server on this machine: records of names, as zone files have
// them. A name without records does not exist, one of "broken" can't be told.
type names map[string][]string

func (n names) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	answer := new(dns.Msg).SetReply(q)
	answer.Authoritative, answer.RecursionAvailable = true, true
	name := strings.ToLower(q.Question[0].Name)
	records, ok := n[name]
	switch {
	case strings.HasPrefix(name, "broken."):
		answer.Rcode = dns.RcodeServerFailure
	case !ok:
		answer.Rcode = dns.RcodeNameError
	}
	for _, text := range records {
		rr, err := dns.NewRR(name + " 60 IN " + text)
		if err != nil {
			panic(err)
		}
		if rr.Header().Rrtype == q.Question[0].Qtype {
			answer.Answer = append(answer.Answer, rr)
		}
	}
	_ = w.WriteMsg(answer)
}

// serve starts the name server, and returns who asks it.
func (n names) serve(t *testing.T) resolver {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{PacketConn: packets, Handler: n, NotifyStartedFunc: func() { close(started) }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-done
	})
	return rooted{&net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", packets.LocalAddr().String())
	}}}
}

// txt is a record of a text, in strings of 255 bytes.
func txt(text string) string {
	var b strings.Builder
	b.WriteString("TXT")
	for len(text) > 0 {
		n := min(len(text), 255)
		b.WriteString(" " + strconv.Quote(text[:n]))
		text = text[n:]
	}
	return b.String()
}

func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// includes are many records that include each other.
func includes(n names, many int) names {
	text := "v=spf1"
	for i := range many {
		name := "i" + strconv.Itoa(i) + ".example.net"
		text += " include:" + name
		n[name+"."] = []string{txt("v=spf1 -all")}
	}
	n["example.com."] = append(n["example.com."], txt(text+" -all"))
	return n
}

func TestAdvise(t *testing.T) {
	good := rsaKey(t, 2048)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server := func(more names) names {
		if more == nil {
			more = names{}
		}
		more["smtp.example.com."] = append(more["smtp.example.com."], "A 203.0.113.9")
		return more
	}
	signed := &DKIM{Selector: "m1"}
	const key = "m1._domainkey.example.com."
	for name, c := range map[string]struct {
		names names
		dkim  *DKIM
		from  string
		want  string
	}{
		"nothing":        {server(nil), nil, user, "warning spf-none, warning dkim-unknown, warning dmarc-none"},
		"all well":       {server(names{"example.com.": {txt("something else"), txt("v=spf1 a:smtp.example.com -all")}, key: {txt("v=DKIM1; k=rsa; p=" + good)}, "_dmarc.example.com.": {txt("v=DMARC1; p=reject")}}), signed, user, "ok spf-ok, ok dkim-ok, ok dmarc-ok"},
		"by an include":  {server(names{"example.com.": {txt("v=spf1 include:net.example.net ~all")}, "net.example.net.": {txt("v=spf1 ip4:203.0.113.0/24 -all")}}), nil, user, "ok spf-ok, warning dkim-unknown, warning dmarc-none"},
		"by a redirect":  {server(names{"example.com.": {txt("v=spf1 redirect=net.example.net")}, "net.example.net.": {txt("v=spf1 mx -all")}}), nil, user, "warning spf-server, warning dkim-unknown, warning dmarc-none"},
		"not named":      {server(names{"example.com.": {txt("v=spf1 ip4:198.51.100.1 -all")}, "_dmarc.example.com.": {txt("v=DMARC1; p=quarantine")}}), nil, user, "warning spf-server, warning dkim-unknown, warning dmarc-uncertain"},
		"private server": {names{"example.com.": {txt("v=spf1 ip4:198.51.100.1 -all")}, "smtp.example.com.": {"A 10.0.0.9"}}, nil, user, "warning spf-server-unknown, warning dkim-unknown, warning dmarc-none"},
		"ten look-ups":   {server(includes(names{}, 10)), nil, user, "warning spf-server, warning dkim-unknown, warning dmarc-none"},
		"eleven":         {server(includes(names{}, 11)), nil, user, "error spf-lookups, warning dkim-unknown, warning dmarc-none"},
		"empty look-ups": {server(names{"example.com.": {txt("v=spf1 a:x1.example.net a:x2.example.net a:x3.example.net -all")}}), nil, user, "error spf-void, warning dkim-unknown, warning dmarc-none"},
		"two records":    {server(names{"example.com.": {txt("v=spf1 -all"), txt("v=spf1 mx -all")}}), nil, user, "error spf-many, warning dkim-unknown, warning dmarc-none"},
		"broken":         {server(names{"example.com.": {txt("v=spf1 ipv4:203.0.113.9 -all")}}), nil, user, "error spf-broken, warning dkim-unknown, warning dmarc-none"},
		"includes none":  {server(names{"example.com.": {txt("v=spf1 include:none.example.net -all")}}), nil, user, "error spf-broken, warning dkim-unknown, warning dmarc-none"},
		"can't be told":  {server(names{"example.com.": {txt("v=spf1 include:broken.example.net -all")}}), &DKIM{Selector: "m1", Domain: "x.example"}, user, "warning spf-unread, error dkim-none, warning dmarc-none"},
		"anybody":        {server(names{"example.com.": {txt("v=spf1 +all")}}), nil, user, "error spf-anybody, warning dkim-unknown, warning dmarc-none"},
		"no end":         {server(names{"example.com.": {txt("v=spf1 a:smtp.example.com")}}), nil, user, "warning spf-neutral, ok spf-ok, warning dkim-unknown, warning dmarc-none"},

		"no key":        {server(names{"example.com.": {}}), signed, user, "warning spf-none, error dkim-none, warning dmarc-none"},
		"taken back":    {server(names{key: {txt("v=DKIM1; p=")}}), signed, user, "warning spf-none, error dkim-revoked, warning dmarc-none"},
		"no such key":   {server(names{key: {txt("v=DKIM1; p=AAAA")}}), signed, user, "warning spf-none, error dkim-broken, warning dmarc-none"},
		"two keys":      {server(names{key: {txt("v=DKIM1; p=AAAA"), txt("v=DKIM1; p=")}}), signed, user, "warning spf-none, error dkim-many, warning dmarc-none"},
		"short key":     {server(names{key: {txt("p=" + rsaKey(t, 1024))}}), signed, user, "warning spf-none, warning dkim-short, warning dmarc-none"},
		"small key":     {server(names{key: {txt("v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(edwards))}}), signed, user, "warning spf-none, ok dkim-ok, warning dmarc-none"},
		"key not told":  {server(nil), &DKIM{Selector: "m1", Domain: "example.com"}, "alerts@broken.example.com", "warning spf-unread, error dkim-none, warning dmarc-none"},
		"told of none":  {server(nil), &DKIM{Selector: "broken"}, user, "warning spf-none, warning dkim-unread, warning dmarc-none"},
		"only watching": {server(names{"_dmarc.example.com.": {txt("v=DMARC1; p=none; rua=mailto:x@example.com")}}), nil, user, "warning spf-none, warning dkim-unknown, warning dmarc-open"},
		"thrown away":   {server(names{key: {txt("p=")}, "_dmarc.example.com.": {txt("v=DMARC1; p=reject")}}), signed, user, "warning spf-none, error dkim-revoked, error dmarc-fails"},
		"no policy":     {server(names{"_dmarc.example.com.": {txt("v=DMARC1; rua=mailto:x@example.com")}}), nil, user, "warning spf-none, warning dkim-unknown, error dmarc-broken"},
		"two policies":  {server(names{"_dmarc.example.com.": {txt("v=DMARC1; p=none"), txt("v=DMARC1; p=reject")}}), nil, user, "warning spf-none, warning dkim-unknown, error dmarc-many"},
		"not aligned":   {server(names{"m1._domainkey.sender.example.": {txt("p=" + good)}, "_dmarc.example.com.": {txt("v=DMARC1; p=reject")}}), &DKIM{Selector: "m1", Domain: "sender.example"}, user, "warning spf-none, ok dkim-ok, error dmarc-unaligned"},
		"aligned":       {server(names{"m1._domainkey.mail.example.com.": {txt("p=" + good)}, "_dmarc.example.com.": {txt("v=DMARC1; p=reject")}}), &DKIM{Selector: "m1", Domain: "mail.example.com"}, user, "warning spf-none, ok dkim-ok, ok dmarc-ok"},
		"strictly not":  {server(names{"m1._domainkey.mail.example.com.": {txt("p=" + good)}, "_dmarc.example.com.": {txt("v=DMARC1; p=reject; adkim=s")}}), &DKIM{Selector: "m1", Domain: "mail.example.com"}, user, "warning spf-none, ok dkim-ok, error dmarc-unaligned"},
		"of the owner":  {server(names{"_dmarc.example.com.": {txt("v=DMARC1; p=none; sp=reject")}}), nil, "alerts@ops.example.com", "warning spf-none, warning dkim-unknown, warning dmarc-uncertain"},
	} {
		t.Run(name, func(t *testing.T) {
			n := channelOf(t, &Settings{Server: "smtp.example.com:587", From: c.from, DKIM: c.dkim}).(*channel)
			n.dns = c.names.serve(t)
			all, err := n.Advise(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range all {
				got = append(got, a.Level+" "+strings.TrimPrefix(a.Code, "notify.advice.mail-"))
				for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
					if text := catalogue.Text(lang, a.Code, a.Args); text == a.Code || strings.Contains(text, "<no value>") {
						t.Errorf("%s: %q", a.Code, text)
					}
				}
			}
			if said := strings.Join(got, ", "); said != c.want {
				t.Errorf("%s\nwant %s", said, c.want)
			}
		})
	}
}

// TestEveryAdviceHasAText finds the codes in the source.
func TestEveryAdviceHasAText(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "advise.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || !strings.HasPrefix(lit.Value, `"mail-`) {
			return true
		}
		found++
		code, err := strconv.Unquote(lit.Value)
		if id := "notify.advice." + code; err != nil || catalogue.Text(catalogue.Zh, id, nil) == id {
			t.Errorf("no text %s, %v", id, err)
		}
		return true
	})
	if found < 20 {
		t.Errorf("only %d codes found", found)
	}
}
