package sms

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		text string
		want Length
	}{
		{"", Length{0, 1, GSM}},
		{strings.Repeat("a", 160), Length{160, 1, GSM}},
		{strings.Repeat("a", 161), Length{161, 2, GSM}},
		{strings.Repeat("a", 306), Length{306, 2, GSM}},
		{strings.Repeat("a", 307), Length{307, 3, GSM}},
		{strings.Repeat("€", 80), Length{80, 1, GSM}},
		{strings.Repeat("€", 81), Length{81, 2, GSM}},
		{strings.Repeat("€", 152), Length{152, 2, GSM}},
		{strings.Repeat("€", 153), Length{153, 3, GSM}}, // 76 in a part of 153: none is cut in two
		{strings.Repeat("字", 70), Length{70, 1, UCS2}},
		{strings.Repeat("字", 71), Length{71, 2, UCS2}},
		{strings.Repeat("字", 134), Length{134, 2, UCS2}},
		{strings.Repeat("字", 135), Length{135, 3, UCS2}},
		{strings.Repeat("a", 70) + "字", Length{71, 2, UCS2}},
		{strings.Repeat("😀", 35), Length{35, 1, UCS2}},
		{strings.Repeat("😀", 36), Length{36, 2, UCS2}},
		{strings.Repeat("😀", 67), Length{67, 3, UCS2}}, // 33 in a part of 67
		{"é^{}", Length{4, 1, GSM}},
		{"`", Length{1, 1, UCS2}},
	} {
		if got := Measure(c.text); got != c.want {
			t.Errorf("%d of %.3q: %+v, want %+v", len([]rune(c.text)), c.text, got, c.want)
		}
	}
}

func TestSignatures(t *testing.T) {
	for sign, want := range map[string]string{"": "恢复", "某公司": "【某公司】恢复", "【某公司】": "【某公司】恢复"} {
		if got := Signed(sign, "恢复"); got != want {
			t.Errorf("%q: %q", sign, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string][2]string{
		"13800138000": {"+8613800138000", "13800138000"}, "+86 138-0013-8000": {"+8613800138000", "13800138000"},
		"0086 13800138000": {"+8613800138000", "13800138000"}, "0571 8888 6666": {"+8657188886666", "057188886666"},
		"+852 6123 4567": {"+85261234567", "85261234567"}, "+1 (415) 555 2671": {"+14155552671", "14155552671"},
	} {
		got, err := Number(text)
		if err != nil || got != want[0] || Local(got) != want[1] {
			t.Errorf("%s: %s %s, %v", text, got, Local(got), err)
		}
	}
	for _, text := range []string{"", "li.wei", "+0123456", "+86", "138;00138000", "+86138001380001234567"} {
		f, ok := errors.AsType[*notify.Failure](second(Number(text)))
		if !ok || f.Code != notify.FailAddress || f.Retry {
			t.Errorf("%q: %v", text, f)
		}
	}
}

func second(_ string, err error) error { return err }

func TestWhoMayCallBack(t *testing.T) {
	tools := notifytest.Tools(t, map[string]string{"BACK": "s3cret", "NONE": ""})
	known := &Callbacks{Key: secret.Ref{Name: "BACK"}}
	near := &Callbacks{Key: secret.Ref{Name: "BACK"}, From: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	for _, c := range []struct {
		name, target, from string
		who                *Callbacks
		ok                 bool
	}{
		{"the secret", "/in/x?key=s3cret", "198.51.100.1:9", known, true},
		{"another", "/in/x?key=secret", "198.51.100.1:9", known, false},
		{"a part", "/in/x?key=s3cre", "198.51.100.1:9", known, false},
		{"none", "/in/x", "198.51.100.1:9", known, false},
		{"nobody", "/in/x?key=s3cret", "198.51.100.1:9", nil, false},
		{"no secret kept", "/in/x?key=", "198.51.100.1:9", &Callbacks{Key: secret.Ref{Name: "NONE"}}, false},
		{"a secret that is gone", "/in/x?key=s3cret", "198.51.100.1:9", &Callbacks{Key: secret.Ref{Name: "MISSING"}}, false},
		{"from there", "/in/x?key=s3cret", "203.0.113.7:9", near, true},
		{"from there, by six", "/in/x?key=s3cret", "[2001:db8::7]:9", near, true},
		{"from there, mapped", "/in/x?key=s3cret", "[::ffff:203.0.113.7]:9", near, true},
		{"from elsewhere", "/in/x?key=s3cret", "198.51.100.1:9", near, false},
		{"from nowhere", "/in/x?key=s3cret", "@", near, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", c.target, nil)
		r.RemoteAddr = c.from
		if err := c.who.Admit(r, tools); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLimitsOfSettings(t *testing.T) {
	kind := notify.Kind{PerNumber: []notify.Room{{Count: 1, Within: time.Minute}}}
	for _, c := range []struct {
		settings any
		want     []notify.Room
	}{
		{nil, kind.PerNumber}, {bounded{nil}, kind.PerNumber}, {bounded{&Limits{}}, kind.PerNumber},
		{bounded{&Limits{Minute: 3, Day: 50}}, []notify.Room{{Count: 3, Within: time.Minute}, {Count: 50, Within: 24 * time.Hour}}},
	} {
		if diff := cmp.Diff(c.want, notify.PerNumber(kind, c.settings)); diff != "" {
			t.Error(diff)
		}
	}
}

type bounded struct{ l *Limits }

func (b bounded) Rooms() []notify.Room { return b.l.Rooms() }

func TestCodesAndTimes(t *testing.T) {
	if got := Code("isv.X_1-2 13800138000\n<b>字"); got != "isv.X_1-213800138000b" {
		t.Error(got)
	}
	if got := Code(strings.Repeat("x", 200)); len(got) != 80 {
		t.Error(len(got))
	}
	if got := Time("2026-03-02 08:00:00"); !got.Equal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
	if got := Time("yesterday"); !got.IsZero() {
		t.Error(got)
	}
}
