package paper_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
	"holdfast/internal/plan/cards"
	"holdfast/internal/plan/paper"
	"holdfast/internal/yamldoc"
)

var update = flag.Bool("update", false, "write golden files anew")

var made = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func source(t *testing.T, file string) *plan.Source {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Source{Name: filepath.Base(file), Text: text}
}

const examples = "../../../examples/plans/"

// example reads an example plan with its people, changed as wished.
func example(t *testing.T, name string, change func(p, people string) (string, string)) (*plan.Plan, *plan.People) {
	t.Helper()
	business, known := source(t, examples+name+".yaml"), source(t, examples+"people.yaml")
	if change != nil {
		p, people := change(string(business.Text), string(known.Text))
		business.Text, known.Text = []byte(p), []byte(people)
	}
	people, problems := plan.ParsePeople(*known)
	if people == nil {
		t.Fatal(problems)
	}
	p, problems := plan.Parse(*business, source(t, examples+name+".tech.yaml"), people)
	if p == nil {
		t.Fatal(problems)
	}
	return p, people
}

func options(lang catalogue.Lang) paper.Options {
	return paper.Options{Lang: lang, Version: "7", Made: made}
}

// pdfText prints cards and reads the paper back.
func pdfText(t *testing.T, model *cards.Plan) string {
	t.Helper()
	printed, lacking, err := cards.PDF(model, cards.Options{})
	if err != nil || len(lacking) > 0 {
		t.Fatal(err, lacking, "a build without a Chinese font: make fonts")
	}
	file := filepath.Join(t.TempDir(), "cards.pdf")
	if err := os.WriteFile(file, printed, 0o600); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv("HOLDFAST_KEEP_CARDS"); keep != "" {
		_ = os.WriteFile(filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "-")+".pdf"), printed, 0o600)
	}
	out, err := exec.CommandContext(t.Context(), "pdftotext", "-raw", "-enc", "UTF-8", file, "-").CombinedOutput()
	if err != nil {
		t.Fatalf("pdftotext (make needs): %v\n%s", err, out)
	}
	return string(out)
}

// TestExamplesOnPaper prints the four example plans; the paper, read back, is
// what testdata says.
func TestExamplesOnPaper(t *testing.T) {
	for _, name := range []string{"im-maintenance", "web-chat-outage", "order-upgrade", "payment-outage"} {
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			t.Run(name+"/"+string(lang), func(t *testing.T) {
				p, people := example(t, name, nil)
				model, problems := paper.Cards(p, people, options(lang))
				if len(problems) > 0 {
					t.Errorf("%v", problems)
				}
				got := pdfText(t, model)
				golden(t, name+"."+string(lang)+".txt", got)
				if bad := regexp.MustCompile(`<no value>|cards\.[a-z-]+|\{[a-z]`).FindString(got); bad != "" {
					t.Errorf("%q stands on paper", bad)
				}
				han := regexp.MustCompile(`\p{Han}`).FindString(strings.ReplaceAll(got, "\n", ""))
				if lang == catalogue.En && han != "" {
					t.Errorf("Chinese on an English card: %s", han)
				}
				for _, person := range people.People {
					if !strings.Contains(strings.ReplaceAll(got, " ", ""), person.Phone) {
						t.Errorf("no number of %s", person.ID)
					}
				}
				var page bytes.Buffer
				if err := cards.HTML(&page, model); err != nil {
					t.Fatal(err)
				}
				if keep := os.Getenv("HOLDFAST_KEEP_CARDS"); keep != "" {
					_ = os.WriteFile(filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "-")+".html"), page.Bytes(), 0o600)
				}
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

// TestEveryWordIsOfTheCatalogue holds what cards say of the language's words to
// both languages.
func TestEveryWordIsOfTheCatalogue(t *testing.T) {
	var ids []string
	for _, action := range plan.Actions() {
		ids = append(ids, "cards.do-"+strings.ReplaceAll(action, ".", "-"))
	}
	for _, field := range plan.TemplateFields {
		ids = append(ids, "cards.field-"+strings.ReplaceAll(field, "_", "-"))
	}
	for _, word := range plan.WordsOf[plan.Template]("phase") {
		ids = append(ids, "cards.phase-"+word)
	}
	for _, word := range plan.WordsOf[plan.Template]("audience") {
		ids = append(ids, "cards.audience-"+word)
	}
	for _, word := range plan.WordsOf[plan.Role]("may") {
		ids = append(ids, "cards.may-"+word)
	}
	if len(ids) < 50 {
		t.Errorf("only %d words", len(ids))
	}
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		for _, id := range ids {
			if catalogue.Text(lang, id, nil) == id {
				t.Errorf("%s: no %s", lang, id)
			}
		}
	}
}

func TestWhoLeftIsNotCalled(t *testing.T) {
	p, people := example(t, "order-upgrade", func(p, people string) (string, string) {
		return p, strings.Replace(people, "mail: chen.jie@example.com", "mail: chen.jie@example.com, left: 2026-01-31", 1)
	})
	model, _ := paper.Cards(p, people, options(catalogue.En))
	technical := slices.IndexFunc(model.Roles, func(r cards.Role) bool { return r.Name.Text == "Technical lead" })
	if got := model.Roles[technical].People; len(got) != 1 || got[0].Name.Text != "Wu Hao" {
		t.Errorf("%+v", got)
	}
	p, people = example(t, "order-upgrade", func(p, people string) (string, string) {
		return p, strings.Replace(people, "mail: chen.jie@example.com", "mail: chen.jie@example.com, left: 2999-01-31", 1)
	})
	if model, problems := paper.Cards(p, people, options(catalogue.En)); len(model.Roles[technical].People) != 2 || len(problems) != 0 {
		t.Errorf("who leaves one day is there until then: %+v, %v", model.Roles[technical].People, problems)
	}
}

func TestWhomNobodyCanCall(t *testing.T) {
	p, people := example(t, "order-upgrade", func(p, people string) (string, string) {
		return p, strings.Replace(people, `phone: "13800138003", `, "", 1)
	})
	_, problems := paper.Cards(p, people, options(catalogue.En))
	var said []string
	for _, problem := range problems {
		said = append(said, problem.Text(catalogue.En))
	}
	if want := []string{"order-upgrade.yaml:39:63: warning: chen.jie has no phone number"}; !slices.Equal(said, want) {
		t.Errorf("%q", said)
	}
	_, problems = paper.Cards(p, nil, options(catalogue.Zh))
	if len(problems) != 1 || problems[0].ID != "cards.no-people" || problems[0].Severity != yamldoc.Warning {
		t.Errorf("%v", problems)
	}
}

// TestPlacesOfWhatNoFontHas puts a character that no font has into texts of
// both files.
func TestPlacesOfWhatNoFontHas(t *testing.T) {
	var want []string
	place := func(file, text, part string) {
		before, _, _ := strings.Cut(text, part)
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + utf8.RuneCountInString("zh: ") + 1
		want = append(want, fmt.Sprintf("%s:%d:%d", file, strings.Count(before, "\n")+1, column))
	}
	p, people := example(t, "order-upgrade", func(p, people string) (string, string) {
		place("order-upgrade.yaml", p, "zh: 恢复旧版本。")
		place("people.yaml", people, "zh: 陈杰")
		return strings.Replace(p, "zh: 恢复旧版本。", "zh: 恢复旧版本\U00020BB7。", 1), strings.Replace(people, "zh: 陈杰", "zh: 陈\U00020BB7", 1)
	})
	model, _ := paper.Cards(p, people, options(catalogue.Zh))
	printed, lacking, err := cards.PDF(model, cards.Options{})
	if err != nil || printed != nil {
		t.Fatal(err, len(printed))
	}
	var at []string
	for _, l := range lacking {
		if l.Char == 0x20BB7 {
			for _, words := range l.In {
				at = append(at, words.At)
			}
		}
	}
	slices.Sort(at)
	if !slices.Equal(slices.Compact(at), want) {
		t.Errorf("%v, not %v", at, want)
	}
}
