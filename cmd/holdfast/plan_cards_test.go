package main

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/plan/cards"
)

func TestAtMostTenCharactersThatNoFontHasAreNamed(t *testing.T) {
	for n, more := range map[int]string{10: "", 11: "one more character", 300: "290 more characters"} {
		var lacking []cards.Lack
		for i := range n {
			lacking = append(lacking, cards.Lack{Char: rune(0x20000 + i), In: []cards.Words{{Text: "a name", At: "shop.yaml:3:7"}}})
		}
		var told bytes.Buffer
		c := &cli{streams: streams{out: &bytes.Buffer{}, err: &told}, lang: catalogue.En}
		if err := c.lacking(lacking); exitStatus(err) != 3 {
			t.Error(err)
		}
		if got := strings.Count(told.String(), "shop.yaml:3:7"); got != 10 {
			t.Errorf("%d: %d lines", n, got)
		}
		if !strings.Contains(told.String(), more) || more == "" && strings.Contains(told.String(), "more") {
			t.Errorf("%d: no %q in %s", n, more, told.String())
		}
	}
}
