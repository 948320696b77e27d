package bia

import (
	"testing"
	"time"
)

func TestATimeIsReadAsPeopleSayIt(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"4小时": 4 * time.Hour, "４ 小时": 4 * time.Hour, "4个小时": 4 * time.Hour, "四小时": 4 * time.Hour, "两个小时": 2 * time.Hour,
		"半小时": 30 * time.Minute, "半个小时": 30 * time.Minute, "一个半小时": 90 * time.Minute, "1小时30分钟": 90 * time.Minute,
		"十分钟": 10 * time.Minute, "四十五分钟": 45 * time.Minute, "二十四小时": 24 * time.Hour, "三天": 72 * time.Hour, "4小时以内": 4 * time.Hour,
		"4 hours": 4 * time.Hour, "4 Hrs": 4 * time.Hour, "an hour": time.Hour, "half an hour": 30 * time.Minute, "two days": 48 * time.Hour,
		"1 hour and 30 minutes": 90 * time.Minute, "1h30m": 90 * time.Minute, "1:30": 90 * time.Minute, "90 min": 90 * time.Minute, "4h": 4 * time.Hour,
	} {
		if got, ok := Spoken(text); !ok || got != want {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "4", "soon", "很快", "十百小时", "-4小时", "4 lightyears", "two"} {
		if got, ok := Spoken(text); ok {
			t.Errorf("%q: %s", text, got)
		}
	}
}
