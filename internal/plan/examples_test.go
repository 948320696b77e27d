package plan

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestExamplesShowTheLanguage holds the example plans together to every
// section, every kind of check and every kind of source of notices: who looks
// for how something is written finds it in one of them.
func TestExamplesShowTheLanguage(t *testing.T) {
	shown := map[string]bool{}
	files, err := filepath.Glob("../../examples/plans/*.tech.yaml")
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		p, problems, _ := parseFile(t, strings.TrimSuffix(file, techSuffix)+".yaml")
		if p == nil {
			t.Fatal(problems)
		}
		for where := range p.Places {
			shown["plan "+where] = true
		}
		for where := range p.Tech.Places {
			shown["tech "+where] = true
		}
		for i := range p.Tech.Checks {
			shown["check "+p.Tech.Checks[i].Kind()] = true
		}
		for i := range p.Tech.Notices {
			shown["notices "+p.Tech.Notices[i].Kind] = true
		}
	}
	var wanted []string
	for kind, table := range map[string]reflect.Type{"plan ": reflect.TypeFor[Plan](), "tech ": reflect.TypeFor[Tech]()} {
		for i := range table.NumField() {
			if name := table.Field(i).Tag.Get("yaml"); name != "" && name != "profile" {
				wanted = append(wanted, kind+name)
			}
		}
	}
	for _, kind := range (&Check{}).kinds() {
		wanted = append(wanted, "check "+kind.name)
	}
	for _, kind := range WordsOf[NoticeSource]("kind") {
		wanted = append(wanted, "notices "+kind)
	}
	slices.Sort(wanted)
	for _, name := range wanted {
		if !shown[name] {
			t.Errorf("no example shows %s", name)
		}
	}
}
