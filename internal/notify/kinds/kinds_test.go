package kinds_test

import (
	"os"
	"strings"
	"testing"

	"holdfast/internal/notify/kinds"
)

// TestTheDocumentationKnowsEveryKind reads the tables of kinds: each is there, in both
// languages, and those that send to no person are said to.
func TestTheDocumentationKnowsEveryKind(t *testing.T) {
	for file, nobody := range map[string]string{"channels.md": "no single person", "channels.zh.md": "不能发给个人"} {
		text, err := os.ReadFile("../../../docs/" + file) // #nosec G304 -- of the project
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string][]string{}
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(line, "|")
			if len(cells) != 6 || !strings.Contains(cells[1], "`") {
				continue
			}
			for i, name := range strings.Split(cells[1], "`") {
				if i%2 == 1 && rows[name] == nil {
					rows[name] = cells
				}
			}
		}
		for name, kind := range kinds.All {
			cells := rows[name]
			if cells == nil {
				t.Errorf("%s has no kind %s", file, name)
				continue
			}
			if (kind.Address == "") != strings.Contains(cells[3], nobody) {
				t.Errorf("%s, %s: %s", file, name, cells[3])
			}
			for _, serves := range kind.Serves {
				if name != "exec" && !strings.Contains(cells[2], "`"+serves+"`") {
					t.Errorf("%s, %s: %s is not in %s", file, name, serves, cells[2])
				}
			}
		}
	}
}
