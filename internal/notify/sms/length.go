package sms

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Length is what a text takes on its way to a phone.
type Length struct {
	Characters int
	Parts      int
	Encoding   string // GSM-7, UCS-2
}

// Encodings of text messages.
const (
	GSM  = "GSM-7"
	UCS2 = "UCS-2"
)

// The alphabet of 3GPP TS 23.038; each of the second row takes the room of two.
const (
	basic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	wide  = "\f^{}\\[~]|€"
)

// Measure says how long a text is. What is longer than one part loses some room in
// each to their order, and no character is cut in two.
func Measure(text string) Length {
	l := Length{Characters: utf8.RuneCountInString(text), Encoding: GSM}
	alone, joined := 160, 153
	room := func(r rune) int {
		if strings.ContainsRune(wide, r) {
			return 2
		}
		return 1
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(basic, r) && !strings.ContainsRune(wide, r) }) {
		l.Encoding, alone, joined, room = UCS2, 70, 67, utf16.RuneLen
	}
	all, part := 0, 0
	l.Parts = 1
	for _, r := range text {
		n := room(r)
		all += n
		if part += n; part > joined {
			l.Parts, part = l.Parts+1, n
		}
	}
	if all <= alone {
		l.Parts = 1
	}
	return l
}

// Signed is a text as it arrives: behind its signature, as is the custom and the
// law in China.
func Signed(sign, text string) string {
	if sign = strings.Trim(sign, "【】"); sign == "" {
		return text
	}
	return "【" + sign + "】" + text
}
