package identity_test

import (
	"reflect"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
)

func TestReadKey(t *testing.T) {
	json := continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"}
	header := continuity.Selector{Source: continuity.SourceHeader, Name: "X-Order"}
	path := func(n int) continuity.Selector { return continuity.Selector{Source: continuity.SourcePath, Index: n} }
	gzip := []continuity.Field{{Name: "content-encoding", Value: "gzip"}}
	for name, tt := range map[string]struct {
		selector continuity.Selector
		request  identity.Request
		want     string
		code     continuity.Code
	}{
		"string":                  {json, identity.Request{Body: []byte(`{"order_no":"A-1"}`)}, "A-1", ""},
		"number as written":       {json, identity.Request{Body: []byte(`{"order_no":10000000000000000001}`)}, "10000000000000000001", ""},
		"number with a point":     {json, identity.Request{Body: []byte(`{"order_no":1.50}`)}, "1.50", ""},
		"missing":                 {json, identity.Request{Body: []byte(`{"order":"A-1"}`)}, "", ""},
		"empty":                   {json, identity.Request{Body: []byte(`{"order_no":""}`)}, "", ""},
		"null":                    {json, identity.Request{Body: []byte(`{"order_no":null}`)}, "", ""},
		"true":                    {json, identity.Request{Body: []byte(`{"order_no":true}`)}, "", ""},
		"object":                  {json, identity.Request{Body: []byte(`{"order_no":{"a":1}}`)}, "", ""},
		"no body":                 {json, identity.Request{}, "", ""},
		"form":                    {json, identity.Request{Body: []byte(`order_no=A-1`)}, "", continuity.CodeBadBody},
		"doubled":                 {json, identity.Request{Body: []byte(`{"order_no":"A-1","order_no":"A-2"}`)}, "", continuity.CodeBadBody},
		"packed":                  {json, identity.Request{Header: gzip, Body: []byte(`{"order_no":"A-1"}`)}, "", continuity.CodeBadBody},
		"identity coding":         {json, identity.Request{Header: []continuity.Field{{Name: "Content-Encoding", Value: "Identity"}}, Body: []byte(`{"order_no":"A-1"}`)}, "A-1", ""},
		"header":                  {header, identity.Request{Header: []continuity.Field{{Name: "x-order", Value: "7"}}}, "7", ""},
		"header, body packed":     {header, identity.Request{Header: append([]continuity.Field{{Name: "X-Order", Value: "7"}}, gzip...), Body: []byte("\x1f\x8b")}, "7", ""},
		"header missing":          {header, identity.Request{}, "", ""},
		"header empty":            {header, identity.Request{Header: []continuity.Field{{Name: "X-Order"}}}, "", ""},
		"header twice, the same":  {header, identity.Request{Header: []continuity.Field{{Name: "X-Order", Value: "7"}, {Name: "x-order", Value: "7"}}}, "7", ""},
		"header twice, different": {header, identity.Request{Header: []continuity.Field{{Name: "X-Order", Value: "7"}, {Name: "x-order", Value: "8"}}}, "", ""},
		"path":                    {path(2), identity.Request{Target: "/orders/A-1/lines?x=/9"}, "A-1", ""},
		"path, last":              {path(2), identity.Request{Target: "/orders/A-1?x=1"}, "A-1", ""},
		"path, escaped":           {path(2), identity.Request{Target: "/orders/%41%2F1"}, "A/1", ""},
		"path, badly escaped":     {path(2), identity.Request{Target: "/orders/%4"}, "", ""},
		"path, too short":         {path(3), identity.Request{Target: "/orders/A-1"}, "", ""},
		"path, empty part":        {path(2), identity.Request{Target: "/orders//A-1"}, "", ""},
		"none":                    {continuity.Selector{}, identity.Request{Body: []byte(`{`)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, found, err := identity.Read(tt.selector, tt.request)
			if got != tt.want || found != (tt.want != "") || continuity.CodeOf(err) != tt.code {
				t.Errorf("read %q, %v, %v; want %q, code %q", got, found, err, tt.want, tt.code)
			}
		})
	}
}

func TestReaderReadsEverythingAtOnce(t *testing.T) {
	route := &continuity.Route{
		ID:  "orders",
		Key: continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"},
		Hold: continuity.Hold{Except: []continuity.Except{
			{Pointer: "/kind", In: []string{"limited", "7"}},
			{Pointer: "/lottery"},
		}},
		Identity: continuity.Identity{Fields: []string{"/order_no", "/at"}},
	}
	r, err := identity.NewReader(route)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		body string
		want identity.Facts
	}{
		"all":            {`{"order_no":"A","at":5,"kind":"plain"}`, identity.Facts{Ordered: true, Key: "A", HasKey: true, Fields: []string{"A", "5"}}},
		"a field lacks":  {`{"order_no":"A"}`, identity.Facts{Ordered: true, Key: "A", HasKey: true}},
		"excepted":       {`{"order_no":"A","at":5,"kind":"limited"}`, identity.Facts{Ordered: true, Key: "A", HasKey: true, Excepted: true, Fields: []string{"A", "5"}}},
		"by a number":    {`{"kind":7}`, identity.Facts{Ordered: true, Excepted: true}},
		"by being there": {`{"lottery":null}`, identity.Facts{Ordered: true, Excepted: true}},
		"no body":        {``, identity.Facts{Ordered: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Read(identity.Request{Body: []byte(tt.body)})
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("read %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
	if _, err := identity.NewReader(&continuity.Route{Identity: continuity.Identity{Fields: []string{"no"}}}); err == nil {
		t.Error("a route with a bad pointer is taken")
	}
}
