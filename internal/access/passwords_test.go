package access

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"holdfast/internal/continuity"
)

func TestPasswordRules(t *testing.T) {
	for password, want := range map[string]string{
		"elevenchars":                "access.password.short",
		"十一个字也不够长的密码":                "access.password.short",
		"twelve chars":               "",
		"十二个字就足够长了的密码吧":              "",
		strings.Repeat("ab cd ", 43): "access.password.long",
		"with\nnewline in":           "access.password.characters",
		"not utf8 \xff\xff\xff\xff":  "access.password.characters",
		"Password1234!":              "access.password.common",
		"P@ssw0rd2026!!":             "access.password.common",
		"passwordpassword":           "access.password.common",
		"woaini1314520":              "access.password.common",
		"qwertyuiop123":              "access.password.common",
		"1qaz2wsx3edc":               "access.password.common",
		"123456789012":               "access.password.common",
		"aaaaaaaabbbb":               "access.password.common",
		"2026zhongguo!":              "access.password.common",
		"li.wei.1234567":             "access.password.common",
		"Holdfast2026!":              "access.password.common",
		"correct horse battery":      "",
		"vessel-of-nine-oars":        "",
	} {
		err := checkPassword("li.wei", password)
		got := ""
		if e := new(continuity.Error); errors.As(err, &e) {
			got = e.Args["detail_id"].(string)
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error repeats %q", password)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}

// TestUnknownUsersTakeAsLong compares what is done, as time on a shared machine
// tells nothing: an unknown name's password is hashed with the same parameters.
func TestUnknownUsersTakeAsLong(t *testing.T) {
	cost := &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	p := newPasswords(cost)
	if same, err := p.same(t.Context(), "x", ""); same || err != nil {
		t.Fatal(same, err)
	}
	asked, salt, key, err := argon2id.DecodeHash(p.nobody())
	if err != nil || *asked != *cost || len(salt) != 16 || len(key) != 32 {
		t.Fatal(asked, err)
	}
	hash, err := p.hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := p.same(t.Context(), "x", hash); !same || err != nil {
		t.Fatal(same, err)
	}
	if _, err := p.same(t.Context(), "x", strings.Replace(hash, "m=64", "m=4000000", 1)); err == nil {
		t.Error("a hash may ask for any memory")
	}
	for range cap(p.turns) {
		p.turns <- struct{}{}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.same(ended, "x", hash); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range cap(p.waiting) {
		p.waiting <- struct{}{}
	}
	if _, err := p.same(t.Context(), "x", hash); continuity.CodeOf(err) != continuity.CodeLoginWait {
		t.Error(err)
	}
}

func TestTriesWaitLongerAndLonger(t *testing.T) {
	a, now := &attempts{}, time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	home, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	begin := func(user string, from netip.Addr) int64 {
		t.Helper()
		err := a.begin(user, from, now)
		if e := new(continuity.Error); errors.As(err, &e) {
			return e.Args["seconds"].(int64)
		}
		return 0
	}
	for i := range 5 {
		if s := begin("ann", home); s != 0 {
			t.Fatal(i, s)
		}
	}
	for _, want := range []int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		s := begin("ann", home)
		if s != want {
			t.Fatalf("waits %d s, want %d", s, want)
		}
		if begin("ann", home) != want { // who is refused has not tried
			t.Fatal("a refused try counts")
		}
		if begin("ann", other) != 0 {
			t.Fatal("others wait too")
		}
		a.undo("ann", other)
		now = now.Add(time.Duration(s)*time.Second - 1)
		if begin("ann", home) == 0 {
			t.Fatal("too soon")
		}
		now = now.Add(1)
		if begin("ann", home) != 0 {
			t.Fatal("waits on")
		}
	}
	now = now.Add(time.Hour)
	a.succeeded("ann", home)
	for range 2 {
		if begin("ann", home) != 0 {
			t.Fatal("who got in waits")
		}
	}

	// One address that tries many users, and one user tried from everywhere.
	from := netip.MustParseAddr("2001:db8::1")
	for i := range 20 {
		if begin(string(rune('a'+i)), from) != 0 {
			t.Fatal(i)
		}
	}
	if begin("z", netip.MustParseAddr("2001:db8::ffff")) == 0 || begin("z", netip.MustParseAddr("2001:db8:0:1::1")) != 0 {
		t.Fatal("a network of one customer is one address")
	}
	for i := range 200 {
		now = now.Add(30 * time.Second)
		if s := begin("bob", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})); s != 0 {
			t.Fatal("strangers keep a user out", i, s)
		}
	}
	if s := begin("bob", home); s == 0 || s > 30 {
		t.Fatal(s)
	}
	for i := range mostAttempts + 2000 {
		_ = a.begin("many", netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Duration(i)*time.Minute))
		if len(a.known) > mostAttempts+3 {
			t.Fatal(len(a.known))
		}
	}
}

func TestBearerSecrets(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		id, text, hash := issue(tokenPrefix)
		whole := text.Reveal()
		prefix, parsed, ok := parse(whole)
		if !ok || prefix != tokenPrefix || parsed != id || !proven(whole, hash) || seen[whole] || len(whole) != 80 || strings.Contains(hash, whole[21:40]) {
			t.Fatal(whole, prefix, parsed, ok)
		}
		seen[whole] = true
		for i := range whole {
			b := []byte(whole)
			b[i] ^= 1
			if _, _, ok := parse(string(b)); ok {
				t.Fatalf("a mistake at %d is not seen", i)
			}
		}
	}
	if proven("", "") || proven("x", "") {
		t.Error("nothing proves something")
	}
}
