package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormatMendsAndKeepsComments(t *testing.T) {
	src := "schema： holdfast/plan@1\r\nid: shop # 商城，主站   \nowner: li。wei\nname: {en: Shop，and more, zh: 商城，主站}\nimpact:\n  - {process: orders， mtd: ４h}\n\n\n"
	want := "schema: holdfast/plan@1\nid: shop # 商城，主站\nowner: li.wei\nname: {en: Shop，and more, zh: 商城，主站}\nimpact:\n  - {process: orders, mtd: 4h}\n"
	got, found := Format(Source{"shop.yaml", []byte(src)})
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(found) < 3 {
		t.Errorf("named only %d: %+v", len(found), found)
	}
	again, found := Format(Source{"shop.yaml", got})
	if string(again) != string(got) || len(found) != 0 {
		t.Errorf("not settled: %s %+v", again, found)
	}
}

func TestFormatLeavesBlockTexts(t *testing.T) {
	src := "id: shop\nname: |\n  two spaces  \n  follow\n"
	if got, _ := Format(Source{"shop.yaml", []byte(src)}); string(got) != src {
		t.Errorf("%q", got)
	}
}
