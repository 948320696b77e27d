package identity_test

import (
	"reflect"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
)

func TestReadForm(t *testing.T) {
	key := continuity.Selector{Source: continuity.SourceForm, Name: "out_trade_no"}
	for name, tt := range map[string]struct {
		body, want string
		code       continuity.Code
	}{
		"plain":         {"notify_id=7&out_trade_no=A-1", "A-1", ""},
		"escaped":       {"out_trade_no=A%2D1+x", "A-1 x", ""},
		"name escaped":  {"out%5Ftrade_no=A-1", "A-1", ""},
		"missing":       {"notify_id=7", "", ""},
		"empty":         {"out_trade_no=", "", ""},
		"twice":         {"out_trade_no=A&out_trade_no=A", "", ""},
		"no UTF-8":      {"out_trade_no=%ff", "", ""},
		"badly escaped": {"out_trade_no=%zz", "", continuity.CodeBadBody},
	} {
		t.Run(name, func(t *testing.T) {
			got, found, err := identity.Read(key, identity.Request{Body: []byte(tt.body)})
			if got != tt.want || found != (tt.want != "") || continuity.CodeOf(err) != tt.code {
				t.Errorf("read %q, %v, %v", got, found, err)
			}
		})
	}
}

func TestReadXML(t *testing.T) {
	key := continuity.Selector{Source: continuity.SourceXML, Name: "/xml/out_trade_no"}
	deep := strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70)
	for name, tt := range map[string]struct {
		body, want string
		code       continuity.Code
	}{
		"plain":          {"<xml><out_trade_no>A-1</out_trade_no></xml>", "A-1", ""},
		"CDATA":          {"<xml><a/><out_trade_no><![CDATA[A-1]]></out_trade_no>\n</xml>", "A-1", ""},
		"declared":       {`<?xml version="1.0" encoding="UTF-8"?><xml><out_trade_no>A&amp;1</out_trade_no></xml>`, "A&1", ""},
		"elsewhere":      {"<xml><o><out_trade_no>A-1</out_trade_no></o></xml>", "", ""},
		"twice":          {"<xml><out_trade_no>A</out_trade_no><out_trade_no>A</out_trade_no></xml>", "", ""},
		"with children":  {"<xml><out_trade_no>A<b/></out_trade_no></xml>", "", ""},
		"cut":            {"<xml><out_trade_no>A-1</out_trade_no>", "", continuity.CodeBadBody},
		"crossed":        {"<xml><out_trade_no>A-1</xml></out_trade_no>", "", continuity.CodeBadBody},
		"two roots":      {"<xml/><xml><out_trade_no>A</out_trade_no></xml>", "", continuity.CodeBadBody},
		"JSON":           {`{"out_trade_no":"A-1"}`, "", continuity.CodeBadBody},
		"document type":  {`<!DOCTYPE x [<!ENTITY e "A">]><xml><out_trade_no>&e;</out_trade_no></xml>`, "", continuity.CodeBadBody},
		"unknown entity": {`<xml><out_trade_no>&e;</out_trade_no></xml>`, "", continuity.CodeBadBody},
		"too deep":       {deep, "", continuity.CodeBadBody},
	} {
		t.Run(name, func(t *testing.T) {
			got, found, err := identity.Read(key, identity.Request{Body: []byte(tt.body)})
			if got != tt.want || found != (tt.want != "") || continuity.CodeOf(err) != tt.code {
				t.Errorf("read %q, %v, %v", got, found, err)
			}
		})
	}
}

func TestRule5_4_FieldsOfFormsAndXML(t *testing.T) {
	for field, body := range map[string]string{
		"form:notify_id":          "notify_id=N7&x=1",
		"xml:/xml/transaction_id": "<xml><transaction_id>N7</transaction_id></xml>",
		"/id":                     `{"id":"N7"}`,
	} {
		r, err := identity.NewReader(&continuity.Route{Identity: continuity.Identity{Fields: []string{field}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Read(identity.Request{Body: []byte(body)})
		if err != nil || !reflect.DeepEqual(got.Fields, []string{"N7"}) {
			t.Errorf("%s: %+v, %v", field, got, err)
		}
	}
	for _, bad := range []string{"xml:", "xml:/", "xml:a", "xml:/a//b", "form", "x"} {
		if _, err := identity.NewReader(&continuity.Route{Identity: continuity.Identity{Fields: []string{bad}}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzBodies(f *testing.F) {
	f.Add([]byte("<xml><a>1</a></xml>"))
	f.Add([]byte("a=1&b=%20"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, s := range []continuity.Selector{{Source: continuity.SourceXML, Name: "/xml/a"}, {Source: continuity.SourceForm, Name: "a"}} {
			if key, found, _ := identity.Read(s, identity.Request{Body: body}); found != (key != "") {
				t.Fatalf("%q: %q, %v", body, key, found)
			}
		}
	})
}
