package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
)

func TestRule10_1_CredentialsAreStoredMintedOrNeither(t *testing.T) {
	verified := "{mtls: {ca: clients.pem}}"
	block := "mint: {key: {env: K}, algorithm: ES256, issuer: relay, audience: orders}}"
	got := route(t, "caller: public", "caller: "+verified, "age: 24h}", "credentials: mint, "+block).Hold
	want := &continuity.Mint{
		Algorithm: "ES256", Issuer: "relay", Audience: []string{"orders"}, Lifetime: time.Minute, Header: "Authorization", Subject: "{name}",
	}
	if diff := cmp.Diff(want, got.Mint); diff != "" || got.Credentials {
		t.Errorf("stored %v, -want +got:\n%s", got.Credentials, diff)
	}
	for word, stored := range map[string]bool{"true": true, "false": false} {
		if got := route(t, "age: 24h}", "credentials: "+word+"}").Hold; got.Credentials != stored || got.Mint != nil {
			t.Errorf("%s: %+v", word, got)
		}
	}
	wantProblems(t, found("age: 24h}", "credentials: mint, "+block), "config.mint-caller")
	wantProblems(t, found("age: 24h}", "credentials: yes}"), "config.bool-near")
	two := "{mtls: {ca: clients.pem}, api_key: {file: keys}}"
	wantProblems(t, found("caller: public", "caller: "+two, "age: 24h}", "credentials: mint, "+block), "config.mint-ways")
	wantProblems(t, found("caller: public", "caller: "+two, "age: 24h}", "credentials: mint, "+strings.Replace(block, "issuer", "subject: '{way}:{name}', issuer", 1)))
}

func TestKeysOfMinting(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	load := func(key, algorithm string) (*continuity.Mint, []string) {
		dir := t.TempDir()
		src := strings.NewReplacer("caller: public", "caller: {api_key: {file: keys}}", "age: 24h}",
			"credentials: mint, mint: {key: {file: mint.pem}, algorithm: "+algorithm+", issuer: relay, audience: orders}}").Replace(holding)
		for name, text := range map[string]string{"relay.yaml": src, "mint.pem": key, "keys": ""} {
			if text == "" && name == "mint.pem" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		relay, problems, err := Load(filepath.Join(dir, "relay.yaml"))
		if err != nil {
			t.Fatal(err, problems)
		}
		var ids []string
		for _, p := range problems {
			ids = append(ids, p.ID)
		}
		return relay.Routes[0].Hold.Mint, ids
	}
	m, problems := load(key, "ES256")
	wantProblems(t, problems)
	if m.Key.Reveal() != strings.TrimSpace(key) || strings.Contains(fmt.Sprintf("%+v %#v", m, *m), "BEGIN") {
		t.Error("the key is not there, or shown")
	}
	for _, bad := range []string{"RS256", "ES384", "HS256"} {
		m, problems = load(key, bad)
		wantProblems(t, problems, "config.mint-key", "config.mint-off")
		if m == nil || m.Key != "" {
			t.Errorf("%s: a key that does not fit is used, or credentials are stored after all", bad)
		}
	}
	m, problems = load("", "ES256")
	wantProblems(t, problems, "config.file-missing", "config.mint-off")
	if m == nil {
		t.Error("a route that can't mint stores credentials after all")
	}
}
