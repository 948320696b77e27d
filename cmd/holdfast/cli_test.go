package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

func TestEveryCodeHasAnExitStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/continuity/errors.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		code, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		n++
		if status := exitStatuses[continuity.Code(code)]; status == exitOK || status == exitFindings {
			t.Errorf("%s ends with %d", code, status)
		}
		return true
	})
	if n < 20 {
		t.Errorf("only %d codes found", n)
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		c := &cli{streams: streams{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, env: func(string) string { return "" }, lang: lang}
		var visit func(cmd *cobra.Command)
		visit = func(cmd *cobra.Command) {
			if cmd.Hidden {
				return // processes of the demos, started by those
			}
			usage := cmd.UsageString() + cmd.Long + cmd.Short
			if strings.Contains(usage, "cli.") || strings.Contains(usage, "<no value>") {
				t.Errorf("%s %s lacks a text: %s", lang, cmd.CommandPath(), usage)
			}
			if strings.Contains(usage, "(default )") || lang == catalogue.Zh && strings.Contains(usage, "(default") {
				t.Errorf("%s %s names a default that is none, or in English: %s", lang, cmd.CommandPath(), usage)
			}
			if cmd.Name() != "help" && !strings.Contains(cmd.Example, "holdfast ") {
				t.Errorf("%s %s lacks an example", lang, cmd.CommandPath())
			}
			for _, sub := range cmd.Commands() {
				visit(sub)
			}
		}
		visit(c.root())
	}
}

func TestLanguage(t *testing.T) {
	for name, tc := range map[string]struct {
		args string
		env  map[string]string
		want catalogue.Lang
	}{
		"none":              {"status", nil, catalogue.En},
		"LANG":              {"status", map[string]string{"LANG": "zh_CN.UTF-8"}, catalogue.Zh},
		"LC_ALL beats LANG": {"status", map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, catalogue.En},
		"flag beats both":   {"status --lang zh", map[string]string{"LC_ALL": "C"}, catalogue.Zh},
		"flag with =":       {"--lang=en status", map[string]string{"LC_ALL": "zh_CN"}, catalogue.En},
		"after --":          {"status -- --lang zh", nil, catalogue.En},
	} {
		t.Run(name, func(t *testing.T) {
			if got := language(strings.Fields(tc.args), func(n string) string { return tc.env[n] }); got != tc.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestTablesAlignByScreenColumns(t *testing.T) {
	tb := table{head: []string{"路由", "MODE", "N"}, right: []int{2}}
	tb.add("orders", "暂存", "5")
	tb.add("退货", "pass\x1b[31m", "1,200")
	want := "路由    MODE           N\n" +
		"orders  暂存           5\n" +
		"退货    pass [31m  1,200\n"
	if diff := cmp.Diff(want, tb.aligned()); diff != "" {
		t.Error(diff)
	}
	tb = table{head: []string{"MODE"}, none: "Nothing yet."}
	if got := tb.aligned(); got != "Nothing yet.\n" {
		t.Errorf("an empty table: %q", got)
	}
}

func TestSetFields(t *testing.T) {
	const body = `{"no":"0138","qty":1,"big":12345678901234567890,"a/b":{"~":[true,null]},"text":"<&>"}`
	for name, tc := range map[string]struct {
		set  []string
		want string // empty: refused
	}{
		"number":          {[]string{"/qty=2"}, strings.Replace(body, `"qty":1`, `"qty":2`, 1)},
		"text stays text": {[]string{"/no=0139"}, strings.Replace(body, "0138", "0139", 1)},
		"quoted text":     {[]string{`/no="x y"`}, strings.Replace(body, "0138", "x y", 1)},
		"Chinese":         {[]string{"/text=杭州"}, strings.Replace(body, "<&>", "杭州", 1)},
		"escaped pointer": {[]string{"/a~1b/~0/0=false"}, strings.Replace(body, "true", "false", 1)},
		"several":         {[]string{"/qty=3", "/no=1"}, strings.NewReplacer(`"qty":1`, `"qty":3`, "0138", "1").Replace(body)},
		"an equals sign":  {[]string{"/text=a=b"}, strings.Replace(body, "<&>", "a=b", 1)},
		"unknown field":   {[]string{"/quantity=1"}, ""},
		"no JSON value":   {[]string{"/qty=many"}, ""},
		"no pointer":      {[]string{"qty=1"}, ""},
		"no value":        {[]string{"/qty"}, ""},
		"beyond an array": {[]string{"/a~1b/~0/2=false"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := setFields([]byte(body), tc.set)
			if (err == nil) != (tc.want != "") || string(got) != tc.want {
				t.Errorf("got %s, %v", got, err)
			}
			if err != nil && continuity.CodeOf(err) != continuity.CodeInvalid {
				t.Errorf("the code is %s", continuity.CodeOf(err))
			}
		})
	}
	if _, err := setFields([]byte("no JSON"), []string{"/a=1"}); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("not JSON: %v", err)
	}
}

func TestDifferenceShowsOldAndNew(t *testing.T) {
	var out bytes.Buffer
	c := &cli{streams: streams{err: &out}}
	c.difference([]byte(`{"a":1,"b":{"c":"x"},"gone":true}`), []byte(`{"b":{"c":"y"},"a":1,"new":[2]}`))
	want := "- /b/c: \"x\"\n+ /b/c: \"y\"\n- /gone: true\n+ /new: [\n+ /new/0: 2\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestSpans(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0.0 s", 9.94: "9.9 s", 12: "12 s", 59.7: "1 min 00 s", 61: "1 min 01 s", 3 * 3600: "3 h 00 min", 26 * 3600: "1 d 02 h",
	} {
		if got := span(seconds); got != want {
			t.Errorf("%v: got %q, want %q", seconds, got, want)
		}
	}
}
