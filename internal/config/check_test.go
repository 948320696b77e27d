package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

var update = flag.Bool("update", false, "rewrite the wanted output")

// TestCheckSaysWhatIsWrong renders every bad fixture as a person sees it.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("fixtures: %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			problems := Check("relay.yaml", src)
			if len(problems) == 0 {
				t.Error("no problem found")
			}
			for lang, ext := range map[catalogue.Lang]string{catalogue.En: ".want", catalogue.Zh: ".want.zh"} {
				var out bytes.Buffer
				if err := yamldoc.Render(&out, lang, src, problems); err != nil {
					t.Fatal(err)
				}
				golden(t, strings.TrimSuffix(file, ".yaml")+ext, out.Bytes())
				if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "s3cr3t") {
					t.Error("the output shows a secret")
				}
				if strings.Contains(out.String(), "<no value>") {
					t.Errorf("an argument is missing:\n%s", &out)
				}
			}
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEveryProblemHasAFixture holds the catalogue's texts, the code and the
// fixtures together.
func TestEveryProblemHasAFixture(t *testing.T) {
	texts, err := os.ReadFile("../catalogue/locales/config.en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{
		"config.too-large":     true, // TestCheckRefusesHugeFiles
		"config.reconcile-off": true, // TestLoadChecksSecrets
		"config.marks-off":     true, // TestKeyOfMarks
		"config.marks-short":   true, // TestKeyOfMarks
		"config.sign-off":      true, // TestSecretsOfSigners
		"config.mint-key":      true, // TestKeysOfMinting
		"config.mint-off":      true, // TestKeysOfMinting
		"config.webhook-off":   true, // TestSecretsOfSigners
	}
	for id := range loadProblems {
		shown[id] = true // TestLoadChecksSecrets
	}
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range Check(file, src) {
			shown[p.ID] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(config\.[a-z0-9.-]+): `).FindAllStringSubmatch(string(texts), -1) {
		id := strings.TrimSuffix(m[1], ".hint")
		if id != "config.label.warning" && !shown[id] {
			t.Errorf("no fixture shows %s", id)
		}
	}
}

func TestCheckRefusesHugeFiles(t *testing.T) {
	src := bytes.Repeat([]byte("# comment\n"), yamldoc.MaxSize/10+1)
	problems := Check("relay.yaml", src)
	if len(problems) != 1 || problems[0].ID != "config.too-large" {
		t.Errorf("problems: %+v", problems)
	}
}

func TestGoodFilesHaveNoProblems(t *testing.T) {
	files, _ := filepath.Glob("testdata/good/*.yaml")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_ = yamldoc.Render(&out, catalogue.En, src, Check(file, src))
		if out.Len() > 0 {
			t.Errorf("%s", &out)
		}
	}
}

// TestMendedPlacesAreTheFilesOwn looks for the mistake behind a mended colon,
// which is a column further on in the mended line.
func TestMendedPlacesAreTheFilesOwn(t *testing.T) {
	problems := Check("relay.yaml", []byte("listen：127.0.0.1\n"))
	var places [][2]int
	for _, p := range problems {
		places = append(places, [2]int{p.Column, p.Length})
	}
	want := [][2]int{{1, 6}, {7, 1}, {8, 9}} // routes missing, the colon, the address
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWriteJSON(t *testing.T) {
	src := []byte("listen: 127.0.0.1:9000\nroutes:\n  - {id: a, upstream: \"http://127.0.0.1:9001\", settle: 6x}\n")
	var out bytes.Buffer
	if err := yamldoc.WriteJSON(&out, catalogue.Zh, Check("relay.yaml", src)); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{
		"file": "relay.yaml", "line": 3.0, "column": 56.0, "length": 2.0, "severity": "error", "id": "config.duration",
		"args": map[string]any{"field": "settle", "value": "6x"},
		"text": "settle 6x 不是时长", "hint": "请写一个数字加一个单位，例如 90s、15m、24h 或 7d",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestTextsSurviveJSON tells a problem that came over the admin API.
func TestTextsSurviveJSON(t *testing.T) {
	for _, src := range []string{"wether: x\n", "limits: {count: 0}\n", "weather: sunny\n"} {
		for _, p := range Check("relay.yaml", []byte(src)) {
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var again yamldoc.Problem
			if err := json.Unmarshal(text, &again); err != nil {
				t.Fatal(err)
			}
			for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
				if again.Text(lang) != p.Text(lang) || again.Hint(lang) != p.Hint(lang) {
					t.Errorf("%s, %s; was %s, %s", again.Text(lang), again.Hint(lang), p.Text(lang), p.Hint(lang))
				}
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		files, _ := filepath.Glob("testdata/" + dir + "/*.yaml")
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		lines := yamldoc.SplitLines(src)
		problems := Check("relay.yaml", src)
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) {
				t.Fatalf("%s: line %d of %d", p.ID, p.Line, len(lines))
			}
			width := len([]rune(lines[p.Line-1]))
			if p.Column < 1 || p.Column > width+1 || p.Length < 1 || p.Column+p.Length > max(width, p.Column)+1 {
				t.Fatalf("%s: column %d, length %d in a line of %d", p.ID, p.Column, p.Length, width)
			}
		}
		var out bytes.Buffer
		if err := yamldoc.Render(&out, catalogue.En, src, problems); err != nil {
			t.Fatal(err)
		}
		if !yamldoc.Failed(problems) { // what has no errors can be used
			var doc *document
			doc, _ = examine(yamldoc.NewFindings("relay.yaml"), src)
			if relay := build(doc, "/"); len(relay.Routes) == 0 {
				t.Fatal("no routes and no error")
			}
		}
	})
}
