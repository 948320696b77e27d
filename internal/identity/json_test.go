package identity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
)

func pointer(t testing.TB, text string) identity.Pointer {
	t.Helper()
	p, err := identity.ParsePointer(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJSONReadsValues(t *testing.T) {
	const body = "\t{ \"a\" : {\"b\":[ 1, \"zwei\", {\"c\":12345678901234567890.10} ]}, \"sl/ash\":\"x\", \"til~de\":true,\n" +
		`"":null, "esc\u0061ped":"\ud83d\ude00\"\\\/\b\f\n\r\t\u4e2d", "o":{}, "l":[] } `
	for _, tt := range []struct {
		pointer string
		want    identity.Value
	}{
		{"", identity.Value{Kind: identity.Object}},
		{"/a/b/0", identity.Value{Kind: identity.Number, Text: "1"}},
		{"/a/b/1", identity.Value{Kind: identity.String, Text: "zwei"}},
		{"/a/b/2/c", identity.Value{Kind: identity.Number, Text: "12345678901234567890.10"}},
		{"/a/b/3", identity.Value{}},
		{"/a/b/01", identity.Value{}},
		{"/a/b/-", identity.Value{}},
		{"/a/b", identity.Value{Kind: identity.Array}},
		{"/sl~1ash", identity.Value{Kind: identity.String, Text: "x"}},
		{"/til~0de", identity.Value{Kind: identity.Bool, Text: "true"}},
		{"/", identity.Value{Kind: identity.Null, Text: "null"}},
		{"/escaped", identity.Value{Kind: identity.String, Text: "😀\"\\/\b\f\n\r\t中"}},
		{"/o", identity.Value{Kind: identity.Object}},
		{"/o/x", identity.Value{}},
		{"/l/0", identity.Value{}},
		{"/missing", identity.Value{}},
	} {
		got, err := identity.JSON([]byte(body), pointer(t, "/a"), pointer(t, tt.pointer))
		if err != nil {
			t.Fatalf("%s: %v", tt.pointer, err)
		}
		if got[1] != tt.want {
			t.Errorf("%q: %+v, want %+v", tt.pointer, got[1], tt.want)
		}
	}
}

func TestJSONIsStrict(t *testing.T) {
	many := func(last string) string {
		var b strings.Builder
		b.WriteString("{")
		for n := range 100 {
			b.WriteString(`"n` + strings.Repeat("x", n) + `":1,`)
		}
		return b.String() + last + "}"
	}
	for name, body := range map[string]string{
		"nothing":                     "",
		"spaces only":                 " \n",
		"trailing data":               `{"a":1} x`,
		"two values":                  `{"a":1}{"a":2}`,
		"byte order mark":             "\ufeff{}",
		"invalid UTF-8":               "{\"a\":\"\xff\"}",
		"overlong UTF-8":              "{\"a\":\"\xc0\xaf\"}",
		"a surrogate in UTF-8":        "{\"a\":\"\xed\xa0\x80\"}",
		"a lone high surrogate":       `{"a":"\ud800"}`,
		"a lone low surrogate":        `{"a":"\udc00"}`,
		"a high surrogate and a word": `{"a":"\ud800abcdef"}`,
		"two high surrogates":         `{"a":"\ud800\ud800"}`,
		"doubled name":                `{"a":1,"a":2}`,
		"doubled name by an escape":   `{"a":1,"\u0061":2}`,
		"doubled name, deep":          `{"x":[{"y":{"a":1,"b":2,"a":1}}]}`,
		"doubled name among many":     many(`"n":2`),
		"doubled late name of many":   many(`"z":2,"z":2`),
		"single quotes":               `{'a':1}`,
		"bare name":                   `{a:1}`,
		"comment":                     `{"a":1/**/}`,
		"trailing comma":              `{"a":1,}`,
		"trailing comma in a list":    `[1,]`,
		"missing comma":               `{"a":1 "b":2}`,
		"missing comma in a list":     `[1 2]`,
		"missing colon":               `{"a" 1}`,
		"missing value":               `{"a":}`,
		"open object":                 `{"a":1`,
		"open list":                   `[1`,
		"open string":                 `{"a":"b`,
		"open escape":                 `{"a":"\`,
		"open unicode escape":         `{"a":"\u12`,
		"not hexadecimal":             `{"a":"\u12g4"}`,
		"unknown escape":              `{"a":"\x41"}`,
		"newline in a string":         "{\"a\":\"\n\"}",
		"newline after an escape":     "{\"a\":\"\\t\n\"}",
		"leading zero":                `{"a":01}`,
		"plus sign":                   `{"a":+1}`,
		"bare minus":                  `{"a":-}`,
		"point without digits":        `{"a":1.}`,
		"exponent without digits":     `{"a":1e+}`,
		"not a number":                `{"a":NaN}`,
		"hexadecimal number":          `{"a":0x10}`,
		"capital literal":             `{"a":True}`,
		"cut literal":                 `nul`,
		"too deep":                    strings.Repeat("[", 65) + strings.Repeat("]", 65),
		"too deep objects":            strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := identity.JSON([]byte(body), pointer(t, "/a"))
			if continuity.CodeOf(err) != continuity.CodeBadBody {
				t.Errorf("%s: error %v, want code bad-body", body, err)
			}
		})
	}
	if _, err := identity.JSON([]byte(strings.Repeat("[", 64)+strings.Repeat("]", 64)), pointer(t, "/a")); err != nil {
		t.Errorf("64 levels: %v", err)
	}
	if _, err := identity.JSON([]byte(many(`"z":2`)), pointer(t, "/a")); err != nil {
		t.Errorf("101 different names: %v", err)
	}
}

// FuzzJSON holds the scanner to encoding/json: what it accepts is valid and
// reads the same; what it refuses and encoding/json accepts is one of the
// things that strictness is about.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"order_no":"A-1","amount":12.50}`, `{"order_no":12345678901234567890}`, `{"a":{"order_no":1},"order_no":"x"}`,
		`{"order_no":1,"order\u005fno":2}`, `[{"order_no":null}]`, `"\ud800"`, `"\ud83d\ude00"`, "{\"order_no\":\"\xff\"}", `{"order_no":-0.0e-1}`,
		strings.Repeat("[", 70) + strings.Repeat("]", 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := identity.JSON(body, pointer(t, "/order_no"), pointer(t, "/0/order_no"))
		if err != nil {
			if strictly(body) {
				t.Fatalf("refused %q: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list, _ := v.([]any)
		if len(list) > 0 {
			compare(t, list[0], got[1])
		}
		compare(t, v, got[0])
	})
}

func compare(t *testing.T, holder any, got identity.Value) {
	t.Helper()
	object, _ := holder.(map[string]any)
	want := identity.Value{}
	switch v := object["order_no"].(type) {
	case string:
		want = identity.Value{Kind: identity.String, Text: v}
	case json.Number:
		want = identity.Value{Kind: identity.Number, Text: v.String()}
	default:
		if got.Scalar() {
			t.Fatalf("read %+v where there is %v", got, v)
		}
		return
	}
	if got != want {
		t.Fatalf("read %+v, want %+v", got, want)
	}
}

// strictly is a second, slower reading of what strict JSON is.
func strictly(body []byte) bool {
	if !json.Valid(body) || !utf8.Valid(body) || bytes.Contains(bytes.ToLower(body), []byte(`\ud`)) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	type level struct {
		names map[string]bool
		name  bool // a name comes next
	}
	var open []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		top := len(open) - 1
		switch delim, _ := token.(json.Delim); delim {
		case '{', '[':
			if top >= 0 {
				open[top].name = open[top].names != nil
			}
			next := level{}
			if delim == '{' {
				next = level{map[string]bool{}, true}
			}
			if open = append(open, next); len(open) > 64 {
				return false
			}
			continue
		case '}', ']':
			open = open[:top]
			continue
		}
		if top < 0 || open[top].names == nil {
			continue
		}
		if open[top].name {
			name := token.(string)
			if open[top].names[name] {
				return false
			}
			open[top].names[name] = true
		}
		open[top].name = !open[top].name
	}
}

func TestParsePointer(t *testing.T) {
	for _, bad := range []string{"a", "a/b", "/~", "/~2", "/a~", strings.Repeat("/a", 65)} {
		if _, err := identity.ParsePointer(bad); err == nil {
			t.Errorf("%q is taken for a JSON pointer", bad)
		}
	}
}

// Strings are looked through by eights: a byte that ends one, or may not stand
// in it, is found wherever it stands.
func TestJSONFindsEveryByteOfAString(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 128 {
				text := bytes.Repeat([]byte("x"), length)
				text[at] = byte(c)
				body := append(append([]byte(`{"a":"`), text...), `"}`...)
				_, err := identity.JSON(body, pointer(t, "/a"))
				if want := json.Valid(body); (err == nil) != want {
					t.Fatalf("%q: %v, want valid %v", body, err, want)
				}
			}
		}
	}
}
