package flow_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/internal/catalogue"
	"holdfast/internal/watch/probe/flow"
)

func TestBadFlows(t *testing.T) {
	const head = "schema: holdfast/flow@1\nid: a\nbase: http://a.example\n"
	for src, want := range map[string]string{
		"schema: holdfast/flow@2\nid: a\nbase: http://a\nsteps: [{id: a, url: /}]":     "1:9 config.word-near",
		"schema: holdfast/flow@1\nid: a\nsteps: [{id: a, url: /}]":                     "1:1 config.missing",
		"schema: holdfast/flow@1\nid: a\nbase: http://u:p@a\nsteps: [{id: a, url: /}]": "3:7 config.url-user",
		"schema: holdfast/flow@1\nid: a\nbase: ftp://a\nsteps: [{id: a, url: /}]":      "3:7 config.url",
		head + "steps: []":                                                                                    "4:1 config.empty-list",
		head + "steps: [{id: a, url: b}]":                                                                     "4:22 flow.url",
		head + "steps: [{id: a, url: //b}]":                                                                   "4:22 flow.url",
		head + "steps: [{id: a, url: 'http://b/'}]":                                                           "4:22 flow.url",
		head + "steps: [{id: a, ulr: /}]":                                                                     "4:10 config.missing",
		head + "steps: [{id: a, url: /}, {id: a, url: /}]":                                                    "4:31 flow.twice",
		head + "steps: [{id: a, url: '/{{b}}'}]":                                                              "4:22 flow.unknown",
		head + "steps: [{id: a, url: '/{{runn}}'}]":                                                           "4:22 flow.unknown-near",
		head + "steps: [{id: a, url: '/{{run'}]":                                                              "4:22 flow.braces",
		head + "steps: [{id: a, url: '/{{account.secret}}'}]":                                                 "4:22 flow.secret-here",
		head + "steps: [{id: a, url: /, expect: {body: '{{account.secret}}'}}]":                               "4:40 flow.secret-here",
		head + "steps: [{id: a, url: /, method: POST}]":                                                       "4:8 flow.untidy",
		head + "steps: [{id: a, url: /, body: {text: a}}]":                                                    "4:25 flow.body-get",
		head + "steps: [{id: a, url: /, method: PUT, body: {text: '{{account.user}}', form: {a: b}}}]":        "4:38 flow.body-one",
		head + "steps: [{id: a, url: /, method: PUT, body: {form: {a: '{{account.user}}'}, type: a/b}}]":      "4:82 flow.type",
		head + "steps: [{id: a, url: /, method: PUT, body: {file: {size: 17MiB, name: '{{account.user}}'}}}]": "4:58 flow.file-size",
		head + "steps: [{id: a, url: /, method: PUT, body: {json: {a: '{{account.user}}', b: '{{c}}'}}}]":     "4:78 flow.unknown",
		head + "steps: [{id: a, url: /, method: PUT, body: {json: {a: '{{account.user}}', a: 1}}}]":           "4:75 flow.json-twice",
		head + "steps: [{id: a, url: /, method: PUT, body: {text: '{{account.user}}', type: a}}]":             "4:77 flow.media",
		head + "steps: [{id: a, url: /, headers: {Host: b}}]":                                                 "4:35 flow.own-header",
		head + "steps: [{id: a, url: /, headers: {Holdfast-Check: b}}]":                                       "4:35 flow.own-header",
		head + "steps: [{id: a, url: /, headers: {'A B': b}}]":                                                "4:35 config.header-name",
		head + "steps: [{id: a, url: /, expect: {status: 99}}]":                                               "4:42 config.status",
		head + "steps: [{id: a, url: /, expect: {body: '('}}]":                                                "4:40 flow.pattern",
		head + "steps: [{id: a, url: /, expect: {json: a}}]":                                                  "4:40 flow.pointer",
		head + "steps: [{id: a, url: /, expect: {json: [{at: /a, at_least: x}]}}]":                            "4:60 flow.figure",
		head + "steps: [{id: a, url: /, method: HEAD, expect: {body: a}}]":                                    "4:39 flow.head",
		head + "steps: [{id: a, url: /, save: {run: /a}}]":                                                    "4:32 flow.variable",
		head + "steps: [{id: a, url: /, save: {b: {json: /a, header: B}}}]":                                   "4:32 flow.save-one",
		head + "steps: [{id: a, url: /, save: {b: {pattern: a}}}]":                                            "4:45 flow.group",
		head + "vars: {b: c}\nsteps: [{id: a, url: /, save: {b: /a}}]":                                        "5:35 flow.save-var",
		head + "vars: {b: '{{c}}'}\nsteps: [{id: a, url: /}]":                                                 "4:11 flow.unknown",
		head + "vars: {b: '{{account.secret}}'}\nsteps: [{id: a, url: /}]":                                    "4:11 flow.secret-here",
		head + "steps: [{id: a, url: /, until: {every: 10ms, for: 5s}}]":                                      "4:40 flow.often",
		head + "steps: [{id: a, url: /, until: 1m}]":                                                          "4:32 flow.long",
		head + "steps: [{id: a, url: /, until: 5s, retry: 1}]":                                                "4:43 flow.until-retry",
		head + "steps: [{id: a, url: /, retry: 6}]":                                                           "4:32 config.range",
		head + "timeout: 11m\nsteps: [{id: a, url: /}]":                                                       "4:10 flow.long",
		head + "cleanup_timeout: 3m\nsteps: [{id: a, url: /}]":                                                "4:18 flow.long",
		head + "steps: [{id: a, url: /}]\ncleanup: [{id: b, url: /, partial: true}]":                          "5:36 flow.partial-after",
		head + "steps: [{id: a, url: /{{b}}}]":                                                                "",
		head + "steps:\n" + strings.Repeat("  - {id: a, url: /}\n", 41):                                       "",
	} {
		f, problems := flow.Parse("flow.yaml", []byte(src))
		if f != nil || len(problems) == 0 {
			t.Errorf("%s: read", src)
			continue
		}
		for _, p := range problems {
			for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
				for _, text := range []string{p.What(lang), p.Hint(lang)} {
					if strings.Contains(text, "<no value>") || strings.HasPrefix(text, "flow.") || strings.HasPrefix(text, "config.") {
						t.Errorf("%s: %s: %q", src, p.ID, text)
					}
				}
			}
		}
		p := problems[0]
		if got := fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.ID); want != "" && got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

func TestARepeatThatMayCountTwiceIsAWarning(t *testing.T) {
	f, problems := flow.Parse("flow.yaml", []byte("schema: holdfast/flow@1\nid: a\nbase: http://a\nsteps: [{id: a, url: /, method: POST, body: {form: {a: '{{account.user}}'}}, retry: 1}]\n"))
	if f == nil || len(problems) != 1 || problems[0].ID != "flow.retry-twice" || !f.Account || f.Cleans {
		t.Errorf("%+v, %+v", f, problems)
	}
}

func TestSchemaTakesFlows(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(flow.Schema(catalogue.En)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("x.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("x.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range examples(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.YAMLToJSON(src)
		if err != nil {
			t.Fatal(file, err)
		}
		in, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = schema.Validate(in)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if f, problems := flow.Parse(file, src); f == nil || len(problems) > 0 {
			t.Errorf("%s: %s", file, told(problems))
		}
	}
}

func TestSteps(t *testing.T) {
	f, _ := flow.Parse("order.yaml", []byte(wholeFlow(t)))
	steps, cleanup := f.Steps()
	if diff := cmp.Diff([][]string{{"login", "send", "read-back", "upload", "file-back"}, {"delete-order", "delete-file"}}, [][]string{steps, cleanup}); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse has to end with a flow or a problem, for whatever text.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/order.yaml", "../../../../examples/plans/flows/place-order.yaml"} {
		if src, err := os.ReadFile(file); err == nil {
			f.Add(src)
		}
	}
	f.Add([]byte("schema: holdfast/flow@1\nid: a\nbase: http://a\nsteps: [{id: a, url: '/{{run}}', save: {b: {pattern: '('}}}]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		flow, problems := flow.Parse("flow.yaml", src)
		failed := false
		for _, p := range problems {
			failed = failed || p.Severity == "error"
			if p.Line < 1 || p.Column < 1 {
				t.Errorf("%+v", p)
			}
		}
		if (flow == nil) != failed {
			t.Errorf("%v, %+v", flow, problems)
		}
	})
}
