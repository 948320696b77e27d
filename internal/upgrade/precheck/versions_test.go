package precheck

import (
	"encoding/json"
	"testing"
)

func TestVersionsOfWhatProgramsSay(t *testing.T) {
	for said, want := range map[string]string{
		"psql (PostgreSQL) 15.3 (Debian 15.3-0+deb12u1)": "15.3",
		"PostgreSQL 18":                     "18",
		"10.11.6-MariaDB-0+deb12u1":         "10.11.6",
		"mysqldump  Ver 8.0.36 for Linux":   "8.0.36",
		"6.1.0-13-amd64":                    "6.1.0",
		"OpenSSL 3.0.13 30 Jan 2024":        "3.0.13",
		"shop 2 of 2026, built with go1.26": "1.26",
		"none":                              "",
		"":                                  "",
		"99999999999999999999999999.1 is no version": "",
	} {
		if got := ParseVersion(said).String(); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		text, version string
		fits          bool
	}{
		{"", "", true},
		{"", "1", true},
		{">= 15", "", false},
		{">= 15", "15", true},
		{">= 15", "15.3", true},
		{">= 15", "14.9", false},
		{">= 15.4", "15.3", false},
		{">= 15.4", "15.4.1", true},
		{">= 5.10", "5.9", false}, // not as text
		{">= 5.10", "6", true},
		{"> 15", "15.3", false}, // 15.3 is a 15
		{"> 15", "16", true},
		{"<= 15", "15.9", true},
		{"<= 15", "16.0", false},
		{"< 18", "17.99", true},
		{"< 18", "18", false},
		{">= 15, < 18", "17.2", true},
		{">=15,<18", "18.0", false},
		{">= 15, < 18", "14", false},
		{"10.11", "10.11.6", true},
		{"= 10.11", "10.1", false},
		{"10.11.0", "10.11", true},
	} {
		r, err := ParseRange(c.text)
		if err != nil || r.Fits(ParseVersion(c.version)) != c.fits {
			t.Errorf("%q in %q: %t, %v", c.version, c.text, !c.fits, err)
		}
		text, err := json.Marshal(r)
		var again Range
		if err != nil || json.Unmarshal(text, &again) != nil || again.String() != c.text || again.Any() != (c.text == "") {
			t.Errorf("%s became %q", text, again)
		}
	}
	for _, bad := range []string{"new", ">> 1", "1..2", "1,", "=> 3", "99999999999999999999999"} {
		if r, err := ParseRange(bad); err == nil {
			t.Errorf("%q is read as %q", bad, r)
		}
	}
}
