package sensitive_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/sensitive"
)

// Test numbers that issuers and providers publish.
const visa, amex, unionpay = "4111111111111111", "378282246310005", "6212345678900000003"

func find(t *testing.T, rules continuity.Sensitive, target, contentType, body string, header ...continuity.Field) sensitive.Finding {
	t.Helper()
	f := sensitive.New(&continuity.Route{Sensitive: rules, Key: continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"}})
	if contentType != "" {
		header = append(header, continuity.Field{Name: "Content-Type", Value: contentType})
	}
	found, _ := f.Find(sensitive.Request{Target: target, Header: header, Body: []byte(body)})
	return found
}

func TestRule10_3_CardNumbersAndCodesAreFoundWhereTheyStand(t *testing.T) {
	for name, c := range map[string]struct{ body, where, kind string }{
		"plain":             {`{"card":{"no":"` + visa + `"}}`, "/card/no", "card-number"},
		"a number":          {`{"n":` + visa + `}`, "/n", "card-number"},
		"grouped":           {`{"note":"pay with 4111 1111 1111 1111 12/27"}`, "/note", "card-number"},
		"hyphens":           {`["x",{"a":"3782-822463-10005"}]`, "/1/a", "card-number"},
		"19 digits":         {`{"a":"` + unionpay + `"}`, "/a", "card-number"},
		"full width":        {`{"a":"４１１１１１１１１１１１１１１１"}`, "/a", "card-number"},
		"escaped":           {`{"a":"\u0034111111111111111"}`, "/a", "card-number"},
		"a doubled name":    {`{"a":"` + visa + `","a":"x"}`, "/a", "card-number"},
		"in a name":         {`{"` + visa + `":1}`, "/411111******1111", "card-number"},
		"a code":            {`{"card":{"CVV":"123"}}`, "/card/CVV", "verification-code"},
		"a code as number":  {`{"sms_code":445566}`, "/sms_code", "verification-code"},
		"a code, camel":     {`{"verifyCode":"4455"}`, "/verifyCode", "verification-code"},
		"a Chinese code":    {`{"短信验证码":"4455"}`, "/短信验证码", "verification-code"},
		"the key is exempt": {`{"order_no":"` + visa + `"}`, "", ""},
		"wrong check digit": {`{"a":"4111111111111112"}`, "", ""},
		"no issuer":         {`{"a":"1234567812345670"}`, "", ""},
		"a longer row":      {`{"a":"99` + visa + `99"}`, "", ""},
		"a barcode":         {`{"ean":"4006381333931"}`, "", ""},
		"a coupon":          {`{"code":"SUMMER24","postal_code":"100020"}`, "", ""},
		"an empty code":     {`{"otp":""}`, "", ""},
		"two phones":        {`{"t":"13800138000 13900139000"}`, "", ""},
		"broken JSON":       {`{"a":"` + visa + `"`, "/a", "card-number"},
		"text":              {"card=" + amex, "body", "card-number"},
	} {
		got := find(t, continuity.Sensitive{}, "/orders", "", c.body)
		if got.Where != c.where || got.Kind != c.kind {
			t.Errorf("%s: found %+v", name, got)
		}
	}
	for name, c := range map[string]struct {
		target, contentType, body string
		header                    []continuity.Field
		want                      sensitive.Finding
	}{
		"form":               {"/o", "application/x-www-form-urlencoded; charset=utf-8", "a=1&no=4111+1111%2D1111-1111", nil, sensitive.Finding{Where: "no", Kind: "card-number"}},
		"code":               {"/o", "application/x-www-form-urlencoded", "otp=123456", nil, sensitive.Finding{Where: "otp", Kind: "verification-code"}},
		"JSON called a form": {"/o", "application/x-www-form-urlencoded", `{"card":{"cvv":"123"},"a":"x&y=1"}`, nil, sensitive.Finding{Where: "/card/cvv", Kind: "verification-code"}},
		"a form like JSON":   {"/o", "application/x-www-form-urlencoded", "4=1&otp=123456", nil, sensitive.Finding{Where: "otp", Kind: "verification-code"}},
		"query":              {"/o?x=1&pan=" + visa, "", "", nil, sensitive.Finding{Where: "pan", Kind: "card-number"}},
		"path":               {"/cards/" + visa, "", "", nil, sensitive.Finding{Where: "path:2", Kind: "card-number"}},
		"header":             {"/o", "", "", []continuity.Field{{Name: "X-Pan", Value: visa}}, sensitive.Finding{Where: "X-Pan", Kind: "card-number"}},
		"gzipped":            {"/o", "", "\x1f\x8b", []continuity.Field{{Name: "Content-Encoding", Value: "gzip"}}, sensitive.Finding{Where: "Content-Encoding", Kind: "unread"}},
	} {
		if got := find(t, continuity.Sensitive{}, c.target, c.contentType, c.body, c.header...); got != c.want {
			t.Errorf("%s: found %+v", name, got)
		}
	}
}

func TestDeclaredFieldsAndNumbers(t *testing.T) {
	rules := continuity.Sensitive{Fields: []string{"/buyer/*/id_card"}, Headers: []string{"x-secret"}, Query: []string{"token"}, Numbers: []string{"/parcels/*/no"}}
	body := `{"buyer":[{"id_card":"110"}]}`
	if got := find(t, rules, "/o", "", body); got != (sensitive.Finding{Where: "/buyer/0/id_card", Kind: "field"}) {
		t.Error(got)
	}
	if got := find(t, rules, "/o?token=x", "", "{}"); got.Where != "token" {
		t.Error(got)
	}
	if got := find(t, rules, "/o", "", "{}", continuity.Field{Name: "X-Secret", Value: "1"}); got.Where != "X-Secret" {
		t.Error(got)
	}
	if got := find(t, rules, "/o", "", `{"parcels":[{"no":"`+visa+`"}]}`); got.Kind != "" {
		t.Error(got)
	}
	rules.Allow = true
	if got := find(t, rules, "/o?a="+visa, "", `{"x":"`+visa+`"}`); got.Kind != "" {
		t.Error(got)
	}
	if got := find(t, rules, "/o", "", body); got.Kind != "field" {
		t.Error(got)
	}
}

func TestDroppedTakesOutNothingElse(t *testing.T) {
	f := sensitive.New(&continuity.Route{Sensitive: continuity.Sensitive{
		Fields: []string{"/card", "/list/*/pin", "/tags/1"}, Headers: []string{"X-Secret"}, Query: []string{"token"}, Drop: true,
	}})
	req := sensitive.Request{
		Target: "/o?a=1&token=2&b=%20", Header: []continuity.Field{{Name: "A", Value: "1"}, {Name: "x-secret", Value: "2"}},
		Body: []byte(`{"n": 1.50, "card" : {"no":[1,2]}, "list":[{"pin":"1","x":"\u00e9<"}], "tags":["a","b","c"],"z":null}`),
	}
	if found, is := f.Find(req); is {
		t.Fatal(found)
	}
	got, changed, ok := f.Dropped(req)
	want := `{"n":1.50,"list":[{"x":"\u00e9<"}],"tags":["a",null,"c"],"z":null}`
	if !changed || !ok || string(got.Body) != want || got.Target != "/o?a=1&b=%20" || len(got.Header) != 1 {
		t.Errorf("%v %v %s %s %v", changed, ok, got.Body, got.Target, got.Header)
	}
	plain := sensitive.Request{Target: "/o", Body: []byte(`{ "a": 1 }`)}
	if got, changed, ok := f.Dropped(plain); changed || !ok || string(got.Body) != `{ "a": 1 }` {
		t.Errorf("%v %v %s", changed, ok, got.Body)
	}
	form := sensitive.Request{Header: []continuity.Field{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}, Body: []byte("a=1&card=2")}
	if got, changed, _ := f.Dropped(form); !changed || string(got.Body) != "a=1" {
		t.Errorf("%v %s", changed, got.Body)
	}
	form.Body = []byte(`{"card":1,"a":2}`)
	if got, changed, ok := f.Dropped(form); !changed || !ok || string(got.Body) != `{"a":2}` {
		t.Errorf("%v %v %s", changed, ok, got.Body)
	}
	form.Body = []byte("4=1&card=2")
	if got, changed, ok := f.Dropped(form); !changed || !ok || string(got.Body) != "4=1" {
		t.Errorf("%v %v %s", changed, ok, got.Body)
	}
}

func TestRule10_3_WhatIsShownIsMasked(t *testing.T) {
	if got := sensitive.Mask("card 4111 1111 1111 1111, " + amex + "."); got != "card 4111 11** **** 1111, 378282*****0005." {
		t.Error(got)
	}
	f := sensitive.New(&continuity.Route{Sensitive: continuity.Sensitive{Fields: []string{"/id"}, Query: []string{"token"}}})
	if got := f.Target("/p/" + visa + "?token=abc&otp=123456&x=4111%201111%201111%201111&y"); got != "/p/411111******1111?token=***&otp=***&x=4111 11** **** 1111&y" {
		t.Error(got)
	}
	if got := f.Body(`{"id":{"a":[7]},"c":"` + visa + `","cvv":123,"n":1.0}`); got != `{"id":{"a":["***"]},"c":"411111******1111","cvv":"***","n":1.0}` {
		t.Error(got)
	}
	if got := f.Body("no JSON " + visa); got != "no JSON 411111******1111" {
		t.Error(got)
	}
	var out bytes.Buffer
	log := slog.New(sensitive.NewHandler(slog.NewTextHandler(&out, nil))).With("with", visa).WithGroup("g")
	log.Info("message "+visa, "text", visa, "error", errors.New("at "+visa), slog.Group("in", "x", visa))
	if strings.Contains(out.String(), visa) || strings.Count(out.String(), "411111******1111") != 5 {
		t.Error(out.String())
	}
}

func BenchmarkFind(b *testing.B) {
	f := sensitive.New(&continuity.Route{})
	req := sensitive.Request{Target: "/orders?x=1", Body: []byte(`{"order_no":"A-1","lines":[{"sku":"S-1","count":2,"price":"12.50","note":"` + strings.Repeat("x ", 400) + `"}]}`)}
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, is := f.Find(req); is {
			b.Fatal("found")
		}
	}
}
