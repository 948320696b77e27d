package extract_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"holdfast/internal/notices/extract"
)

var update = flag.Bool("update", false, "write what is read into the fixtures")

var names = []extract.Name{
	{ID: "messages", Names: []string{"messages", "Messages API", "消息", "即时通信"}},
	{ID: "login", Names: []string{"login", "logins", "登录"}},
	{ID: "database", Names: []string{"database", "数据库"}},
	{ID: "payments", Names: []string{"payment gateway", "支付网关"}},
}

// TestWhatIsReadOfNotices goes through notices as providers write them. The
// wanted parts of the fixtures were compared with their texts by hand.
func TestWhatIsReadOfNotices(t *testing.T) {
	files, err := filepath.Glob("testdata/notices/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, by := notice(t, archive)
			got, err := json.MarshalIndent(extract.Read(text, by), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			want := &archive.Files[2]
			if *update {
				want.Data = got
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func notice(t *testing.T, archive *txtar.Archive) (extract.Text, extract.Setting) {
	t.Helper()
	head := map[string]string{}
	for line := range strings.SplitSeq(string(archive.Comment), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		head[name] = value
	}
	zone, err := time.LoadLocation(head["zone"])
	if err != nil {
		t.Fatal(err)
	}
	text := extract.Text{Title: string(bytes.TrimSpace(archive.Files[0].Data)), Body: string(archive.Files[1].Data)}
	if head["written"] != "" {
		if text.Written, err = time.Parse(time.RFC3339, head["written"]); err != nil {
			t.Fatal(err)
		}
	}
	return text, extract.Setting{Zone: zone, Now: time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC), Names: names}
}
