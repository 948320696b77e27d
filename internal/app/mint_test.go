package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/loopback"
)

// bank is an upstream that goes away and comes back, and keeps the tokens it saw.
type bank struct {
	t       *testing.T
	address string
	srv     *httptest.Server
	answers chan int // statuses to come; then 201
	seen    chan string
}

func (b *bank) open() {
	b.t.Helper()
	l, err := net.Listen("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.srv = httptest.NewUnstartedServer(b)
	b.srv.Listener.Close()
	b.srv.Listener = l
	b.srv.Start()
}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	b.seen <- r.Header.Get("Authorization") + r.Header.Get("Cookie")
	status := http.StatusCreated
	select {
	case status = <-b.answers:
	default:
	}
	w.WriteHeader(status)
}

func (b *bank) close() { b.srv.CloseClientConnections(); b.srv.Close() }

func (b *bank) next() string {
	b.t.Helper()
	select {
	case token := <-b.seen:
		return token
	case <-time.After(patience):
		b.t.Fatal("nothing came")
		return ""
	}
}

// A caller's token is not kept. What is sent later bears one of the relay's own
// for that caller, a new one at each attempt; the system behind verifies it by the
// relay's public key. Nothing of either stands in the journal, in any other file
// or in the log.
func TestRule10_1_CredentialsAreMintedForTheCallerVerifiedAtAcceptance(t *testing.T) {
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{t: t, address: address, answers: make(chan int, 10), seen: make(chan string, 100)}
	b.open()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("s", 32)
	for name, text := range map[string]string{
		"jwt.secret": secret, "mint.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := write(t, dir, strings.NewReplacer(
		"poison: {attempts: 1, then: dead}", "poison: {attempts: 5}",
		"caller: public", "caller: {jwt: {secret: jwt.secret, issuer: 'https://login.example', audience: orders}}",
		"hold: {state: on, bytes: 8MiB}", `hold:
      state: on
      bytes: 8MiB
      credentials: mint
      mint: {key: {file: mint.pem}, key_id: relay-1, algorithm: ES256, issuer: 'https://relay.example', audience: bank, lifetime: 30s, scopes: [order:write]}`,
	).Replace(orders(address)))
	var logged bytes.Buffer
	var logging sync.Mutex
	a := New(Options{ConfigFile: file, Version: "test", Logger: slog.New(slog.NewJSONHandler(locked{&logging, &logged}, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	own, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": "https://login.example", "aud": "orders", "sub": "alice", "scope": "order:read order:write", "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	post := func(no, token string) (int, continuity.Receipt) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+"/orders/1", strings.NewReader(`{"no":"`+no+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "session=delicious")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, last, _ := strings.Cut(res.Header.Get("Location"), "/receipts/")
		receipt, _ := continuity.ParseReceipt(last)
		return res.StatusCode, receipt
	}
	if status, _ := post("A", own); status != http.StatusCreated || b.next() != "Bearer "+own+"session=delicious" {
		t.Fatalf("while a client waits, its own credentials go: %d", status)
	}
	b.close()
	if status, _ := post("A", ""); status != http.StatusUnauthorized {
		t.Fatalf("held for nobody: %d", status)
	}
	status, receipt := post("A", own)
	if status != http.StatusAccepted {
		t.Fatalf("held: %d", status)
	}
	b.answers <- http.StatusTooManyRequests // and once more
	b.open()
	defer b.close()
	var minted []string
	ids := map[string]bool{}
	for range 2 {
		token, ok := strings.CutPrefix(b.next(), "Bearer ")
		if !ok || strings.Contains(token, "session") {
			t.Fatalf("replayed with %q", token)
		}
		minted = append(minted, token)
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var c jwt.Claims
		all := map[string]any{}
		if err := parsed.Claims(key.Public(), &c, &all); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(jwt.Expected{Issuer: "https://relay.example", Subject: "alice", AnyAudience: []string{"bank"}, Time: time.Now()}); err != nil {
			t.Error(err)
		}
		if parsed.Headers[0].KeyID != "relay-1" || all["scope"] != "order:write" || c.Expiry.Time().Sub(c.IssuedAt.Time()) != 30*time.Second {
			t.Errorf("header %+v, claims %v", parsed.Headers[0], all)
		}
		ids[c.ID] = true
	}
	if len(ids) != 2 {
		t.Error("two attempts share a token")
	}
	if state := ended(t, a, receipt); state != continuity.Delivered {
		t.Errorf("%s", state)
	}

	// The system behind no longer trusts the relay's key: replay waits for a
	// person, and the record is not refused.
	b.close()
	status, receipt = post("B", own)
	if status != http.StatusAccepted {
		t.Fatalf("held: %d", status)
	}
	b.answers <- http.StatusUnauthorized
	b.open()
	minted = append(minted, strings.TrimPrefix(b.next(), "Bearer "))
	for deadline := time.Now().Add(patience); ; {
		if r := route(t, a); r.Drain.Paused == "credentials" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("replay goes on: %+v", route(t, a).Drain)
		}
	}
	if st, ok := a.ledger.Status(receipt); !ok || st.State.Ended() {
		t.Errorf("refused for our lack: %+v", st)
	}
	ring, err := keyring.Load(a.home.MasterKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	at := a.home
	stop(t, a)

	secrets := append([]string{own, "delicious", strings.Split(own, ".")[2]}, minted...)
	for _, token := range minted {
		secrets = append(secrets, strings.Split(token, ".")[2])
	}
	tells := func(where string, text []byte) {
		for _, s := range secrets {
			if bytes.Contains(text, []byte(s)) {
				t.Errorf("%s holds a credential", where)
			}
		}
	}
	files, _, err := journal.Open(journal.Options{Dir: at.JournalDir, SegmentBytes: at.SegmentBytes, MaxBytes: at.Limits.Bytes, Ring: ring, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	records := 0
	for s, err := range files.All(0) { // what is in there once it is decrypted
		if err != nil {
			t.Fatal(err)
		}
		tells("the journal", s.Payload)
		if e, err := ledger.Decode(s); err != nil {
			t.Error(err)
		} else if s.Kind == continuity.KindAccepted {
			records++
			if !bytes.Contains(s.Payload, []byte("jwt:alice")) {
				t.Errorf("for whom? %s", fmt.Sprint(e.Kind))
			}
		}
	}
	if records != 2 {
		t.Errorf("%d records", records)
	}
	err = filepath.WalkDir(at.DataDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		tells(filepath.Base(path), text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	logging.Lock()
	defer logging.Unlock()
	tells("the log", logged.Bytes())
}
