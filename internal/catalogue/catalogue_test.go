package catalogue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// texts reads one locale file: id to text, the forms of a plural joined.
func texts(t *testing.T, file string) map[string]string {
	t.Helper()
	src, err := locales.ReadFile("locales/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(src, &raw); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	out := make(map[string]string, len(raw))
	for id, v := range raw {
		switch v := v.(type) {
		case string:
			out[id] = v
		case map[string]any:
			for _, form := range slices.Sorted(maps.Keys(v)) {
				text, ok := v[form].(string)
				if !ok || !slices.Contains([]string{"one", "other"}, form) {
					t.Errorf("%s: %s: form %q", file, id, form)
				}
				out[id] += text + "\n"
			}
		default:
			t.Errorf("%s: %s is no text", file, id)
		}
	}
	return out
}

// areas lists the areas that have locale files.
func areas(t *testing.T) []string {
	t.Helper()
	files, err := locales.ReadDir("locales")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range files {
		area, _, _ := strings.Cut(f.Name(), ".")
		names[area] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func all(t *testing.T) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, area := range areas(t) {
		maps.Copy(ids, texts(t, area+".en.yaml"))
	}
	return ids
}

var (
	actions      = regexp.MustCompile(`\{\{[^}]*\}\}`)
	placeholders = regexp.MustCompile(`\.([A-Za-z_][A-Za-z0-9_]*)`)
)

// named lists the placeholders of a text.
func named(text string) []string {
	found := map[string]bool{}
	for _, action := range actions.FindAllString(text, -1) {
		for _, m := range placeholders.FindAllStringSubmatch(action, -1) {
			found[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func TestLanguagesSayTheSame(t *testing.T) {
	for _, area := range areas(t) {
		en, zh := texts(t, area+".en.yaml"), texts(t, area+".zh.yaml")
		if diff := cmp.Diff(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(zh))); diff != "" {
			t.Errorf("%s: ids: -en +zh:\n%s", area, diff)
		}
		for id, text := range en {
			if !strings.HasPrefix(id, area+".") {
				t.Errorf("%s stands in the files of %s", id, area)
			}
			if text == "" || zh[id] == "" { // it would come back as its id
				t.Errorf("%s is empty", id)
			}
			if diff := cmp.Diff(named(text), named(zh[id])); diff != "" {
				t.Errorf("%s: placeholders: -en +zh:\n%s", id, diff)
			}
		}
	}
}

func TestEveryTextFillsIn(t *testing.T) {
	for id, text := range all(t) {
		for _, lang := range []Lang{En, Zh} {
			args := Args{}
			for _, name := range named(text) {
				args[name] = "x"
			}
			if slices.Contains(named(text), "n") {
				args["n"] = 2
			}
			got := Text(lang, id, args)
			if got == id || strings.Contains(got, "<no value>") || strings.Contains(got, "{{") {
				t.Errorf("%s %s: %q", lang, id, got)
			}
		}
	}
}

// literals lists the string constants of the program's own source, with the
// places where they stand.
func literals(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	files := token.NewFileSet()
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if _, ok := n.(*ast.ImportSpec); ok {
					return false
				}
				if field, ok := n.(*ast.Field); ok && field.Tag != nil {
					return false
				}
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						found[text] = files.Position(lit.Pos()).String()
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 100 {
		t.Fatalf("only %d string constants found", len(found))
	}
	return found
}

// fileName tells names such as relay.yaml from ids.
var fileName = regexp.MustCompile(`\.(yaml|json|db|key|token|md|html|txt|log|go|tmp)$`)

// TestIDsInCodeExist holds every string constant that looks like an id of an
// area to the catalogue. One that ends in a dot or a dash begins ids that are
// put together, and one may be the middle of some.
func TestIDsInCodeExist(t *testing.T) {
	ids := all(t)
	names := slices.Collect(maps.Keys(ids))
	shape := regexp.MustCompile(`^(` + strings.Join(areas(t), "|") + `)\.[a-z0-9._-]*$`)
	for text, at := range literals(t) {
		if !shape.MatchString(text) || fileName.MatchString(text) || strings.Contains(at, "internal/store/") {
			continue // the store speaks to nobody: such are its names of events
		}
		if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "-") {
			if !slices.ContainsFunc(names, func(id string) bool { return strings.HasPrefix(id, text) }) {
				t.Errorf("%s: no text begins with %q", at, text)
			}
		} else if _, ok := ids[text]; !ok && !slices.ContainsFunc(names, func(id string) bool { return strings.Contains(id+".", "."+text+".") }) {
			t.Errorf("%s: no text %q", at, text)
		}
	}
}

// TestEveryCodeHasAText reads the codes from the domain's source, so that a new
// one can't be forgotten here.
func TestEveryCodeHasAText(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../continuity/errors.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		codes["error."+code] = true
		return false
	})
	want := slices.Sorted(maps.Keys(codes))
	got := slices.Sorted(maps.Keys(texts(t, "error.en.yaml")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-codes +texts:\n%s", diff)
	}
}

func TestTextFallsBack(t *testing.T) {
	if got := Text(En, "no.such.id", nil); got != "no.such.id" {
		t.Errorf("missing id: %q", got)
	}
	if got, want := Text("fr", "error.locked", nil), Text(En, "error.locked", nil); got != want {
		t.Errorf("unknown language: %q", got)
	}
	if Text(Zh, "error.locked", nil) == Text(En, "error.locked", nil) {
		t.Error("Chinese is English")
	}
}

func TestAccept(t *testing.T) {
	for header, want := range map[string]Lang{
		"": En, "zh": Zh, "zh-CN,zh;q=0.9,en;q=0.8": Zh, "zh-Hant-TW": Zh, "en-GB,zh;q=0.5": En,
		"fr-FR": En, "de, zh;q=0.3": Zh, "*": En, ";;;": En, strings.Repeat("a,", 1000): En,
	} {
		if got := Accept(header); got != want {
			t.Errorf("%.40q: %s", header, got)
		}
	}
}

func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   Lang
	}{
		{nil, En},
		{[]string{"", "", "zh_CN.UTF-8"}, Zh},
		{[]string{"C", "", "zh_CN.UTF-8"}, En},
		{[]string{"", "ZH_TW", "en_US"}, Zh},
		{[]string{"en_US.UTF-8"}, En},
	} {
		if got := FromEnv(c.values...); got != c.want {
			t.Errorf("%q: %s", c.values, got)
		}
	}
}

func TestWholeNumbersOutOfJSONHaveNoExponent(t *testing.T) {
	args := Args{"bytes": 16.0, "limit": 1048576.0}
	if got := Text(En, "cli.explain.size", args); got != "16 bytes of body; up to 1048576 are held" {
		t.Error(got)
	}
	if args["limit"] != 1048576.0 {
		t.Error("the arguments were changed")
	}
	if got := Text(En, "cli.explain.admission", Args{"rate": 0.5, "concurrency": 2000000.0, "way": 0}); got != "lets in 0.5 requests a second and 2000000 at once (0: no limit); 0 on their way" {
		t.Error(got)
	}
}
