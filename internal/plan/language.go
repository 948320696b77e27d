package plan

import (
	"reflect"
	"strings"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// The languages of the three kinds of files.
var (
	planLanguage   = &yamldoc.Language{Name: "plan.yaml", Kinds: kinds}
	techLanguage   = &yamldoc.Language{Name: "plan.tech.yaml", Kinds: kinds}
	peopleLanguage = &yamldoc.Language{Name: "people.yaml", Kinds: kinds}
)

// The kinds of files, as schemas and the command line name them.
const (
	KindPlan   = "plan"
	KindTech   = "tech"
	KindPeople = "people"
)

// Kinds lists the kinds of files.
func Kinds() []string { return []string{KindPlan, KindTech, KindPeople} }

func tableOf(kind string) (reflect.Type, *yamldoc.Language) {
	switch kind {
	case KindTech:
		return reflect.TypeFor[Tech](), techLanguage
	case KindPeople:
		return reflect.TypeFor[People](), peopleLanguage
	}
	return reflect.TypeFor[Plan](), planLanguage
}

// Schema is the JSON Schema (2020-12) of a kind of file, for editors and forms.
func Schema(lang catalogue.Lang, kind string) []byte {
	table, language := tableOf(kind)
	return language.Schema(table, "https://holdfast.example/schema/"+kind+"-1.json", "Holdfast "+kind, func(path string) string {
		return Meaning(lang, kind, path)
	})
}

// Meaning says what a field means. Fields that mean the same everywhere share
// one text under "any".
func Meaning(lang catalogue.Lang, kind, path string) string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	for _, id := range []string{"plan.field." + kind + "." + path, "plan.field.any." + name} {
		if text := catalogue.Text(lang, id, nil); text != id {
			return text
		}
	}
	return ""
}

// WordsOf are the words that a field of a block may have.
func WordsOf[T any](field string) []string {
	table := reflect.TypeFor[T]()
	for i := range table.NumField() {
		if tag := table.Field(i).Tag; tag.Get("yaml") == field && tag.Get("of") != "" {
			return strings.Split(tag.Get("of"), ",")
		}
	}
	return nil
}
