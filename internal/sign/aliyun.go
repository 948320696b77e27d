package sign

import (
	"context"
	"crypto/sha1" // #nosec G505 -- what the old API wants
	"encoding/hex"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// aliyun signs with ACS3-HMAC-SHA256, the V3 signature of Alibaba Cloud
// (阿里云). The operation and its version are those of the client's x-acs
// fields, or else the route's.
type aliyun struct{ c continuity.Sign }

const acs3 = "ACS3-HMAC-SHA256"

// Sign implements Signer.
func (a aliyun) Sign(_ context.Context, r *Request) error {
	hash := sha256Hex(r.Body)
	for _, f := range []continuity.Field{
		{Name: "x-acs-date", Value: r.Now.UTC().Format("2006-01-02T15:04:05Z")}, {Name: "x-acs-signature-nonce", Value: r.Nonce},
		{Name: "x-acs-content-sha256", Value: hash},
	} {
		r.Set(f.Name, f.Value)
	}
	for _, f := range []continuity.Field{{Name: "x-acs-action", Value: a.c.Action}, {Name: "x-acs-version", Value: a.c.Version}} {
		if r.Get(f.Name) == "" && f.Value != "" {
			r.Set(f.Name, f.Value)
		}
	}
	canonical, names := canonicalFields(r, func(name string) bool {
		return name == "content-type" || strings.HasPrefix(name, "x-acs-")
	})
	path, query, _ := strings.Cut(r.Target, "?")
	request := strings.Join([]string{r.Method, canonicalPath(path), sorted(pairs(query)), canonical, names, hash}, "\n")
	signature := hex.EncodeToString(sha256HMAC([]byte(a.c.Secret.Reveal()), acs3+"\n"+sha256Hex([]byte(request))))
	r.Set("Authorization", acs3+" Credential="+a.c.ID+",SignedHeaders="+names+",Signature="+signature)
	return nil
}

// canonicalFields writes the signed fields, the host among them, one a line in
// the order of their names, and lists the names.
func canonicalFields(r *Request, signed func(name string) bool) (lines, names string) {
	values := map[string][]string{"host": {r.Host}}
	list := []string{"host"}
	for _, f := range r.Header {
		name := strings.ToLower(f.Name)
		if name == "host" || !signed(name) {
			continue
		}
		if values[name] == nil {
			list = append(list, name)
		}
		values[name] = append(values[name], strings.TrimSpace(f.Value))
	}
	slices.Sort(list)
	var b strings.Builder
	for _, name := range list {
		b.WriteString(name + ":" + strings.Join(values[name], ",") + "\n")
	}
	return b.String(), strings.Join(list, ";")
}

// canonicalPath encodes each part of a path anew.
func canonicalPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = escape(unescapePath(p))
	}
	return strings.Join(parts, "/")
}

// aliyunRPC signs with the older HMAC-SHA1 over the parameters of query and
// form.
type aliyunRPC struct{ c continuity.Sign }

// Sign implements Signer.
func (a aliyunRPC) Sign(_ context.Context, r *Request) error {
	path, raw, _ := strings.Cut(r.Target, "?")
	mine := []pair{
		{"AccessKeyId", a.c.ID}, {"SignatureMethod", "HMAC-SHA1"}, {"SignatureVersion", "1.0"}, {"SignatureNonce", r.Nonce},
		{"Timestamp", r.Now.UTC().Format("2006-01-02T15:04:05Z")},
	}
	for _, p := range []pair{{"Action", a.c.Action}, {"Version", a.c.Version}} {
		if p.value != "" && query(r.Target, p.name) == "" {
			mine = append(mine, p)
		}
	}
	own := func(p pair) bool {
		return p.name == "Signature" || slices.ContainsFunc(mine, func(m pair) bool { return m.name == p.name })
	}
	inQuery := append(slices.DeleteFunc(pairs(raw), own), mine...)
	all := slices.Clone(inQuery)
	if strings.HasPrefix(strings.ToLower(r.Get("Content-Type")), "application/x-www-form-urlencoded") {
		form := pairs(string(r.Body))
		if slices.ContainsFunc(form, own) {
			return unusable("aliyun-rpc", "the form holds fields of the signature")
		}
		all = append(all, form...)
	}
	text := r.Method + "&" + escape("/") + "&" + escape(sorted(all))
	signature := base64Of(mac(sha1.New, []byte(a.c.Secret.Reveal()+"&"), text))
	r.Target = path + "?" + sorted(inQuery) + "&Signature=" + escape(signature)
	return nil
}
