package logs

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What stands in the place of what differs from line to line.
const (
	anything = "<*>"
	aNumber  = "<num>"
	anID     = "<id>"
	anIP     = "<ip>"
	aMail    = "<mail>"
	aSecret  = "<secret>"
)

// secretNames are names whose values are shown to nobody, in lower case and
// without hyphens and underlines.
var secretNames = []string{
	"password", "passwd", "pwd", "pass", "secret", "token", "apikey", "accesskey", "secretkey", "privatekey", "authorization", "auth", "cookie",
	"setcookie", "session", "sessionid", "sid", "credential", "credentials", "signature", "sign", "otp", "cvv", "pin",
	"name", "username", "user", "phone", "mobile", "address", "idcard", "密码", "口令", "验证码", "令牌", "密钥", "姓名", "手机", "手机号", "电话", "地址", "身份证", "身份证号", "用户名",
}

var secretSet = func() map[string]bool {
	set := map[string]bool{}
	for _, name := range secretNames {
		set[name] = true
	}
	return set
}()

func bearsSecret(name string) bool {
	if len(name) > 40 {
		return false
	}
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if secretSet[plain] {
		return true
	}
	for _, end := range []string{"password", "passwd", "secret", "token", "apikey"} {
		if strings.HasSuffix(plain, end) {
			return true
		}
	}
	return false
}

// message is the part of a record that templates are made of: its first line,
// and of one in JSON what it says.
func message(record string) string {
	line, _, _ := strings.Cut(record, "\n")
	if strings.HasPrefix(line, "{") {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil {
			var parts []string
			for _, names := range [][]string{{"level", "severity", "lvl"}, {"logger", "component"}, {"msg", "message", "event"}, {"error", "err", "exception"}} {
				for _, name := range names {
					if text, ok := fields[name].(string); ok {
						first, _, _ := strings.Cut(text, "\n")
						parts = append(parts, first)
						break
					}
				}
			}
			if len(parts) > 0 {
				return strings.Join(parts, " ")
			}
		}
	}
	return line
}

// masked hides what differs from line to line and what is nobody's business. It
// reads words: runs of letters, digits and what stands within them.
func masked(line string) string {
	var out strings.Builder
	out.Grow(len(line))
	for i := 0; i < len(line); {
		from := i
		for i < len(line) {
			r, size := utf8.DecodeRuneInString(line[i:])
			if !inWord(r) {
				break
			}
			i += size
		}
		word := strings.TrimRight(line[from:i], ".-")
		if word == "" { // a sign between words
			_, size := utf8.DecodeRuneInString(line[from:])
			out.WriteString(line[from : from+size])
			i = from + size
			continue
		}
		i = from + len(word)
		out.WriteString(maskedWord(word))
		before, secret := 0, 0
		if bearsSecret(word) {
			before, secret = value(line[i:])
		} else if isScheme(word) && i < len(line) && line[i] == ' ' {
			before, secret = 1, untilSpace(line[i+1:])
		}
		if secret > 0 {
			out.WriteString(line[i:i+before] + aSecret)
			i += before + secret
		}
	}
	return out.String()
}

func isScheme(word string) bool {
	return strings.EqualFold(word, "Bearer") || strings.EqualFold(word, "Basic")
}

// value is where the value begins that a name is given, and how long it is: to
// the quote that ends it, or to what ends a word for certain.
func value(rest string) (before, length int) {
	at := len(rest) - len(strings.TrimLeft(rest, "\"' \\"))
	switch {
	case strings.HasPrefix(rest[at:], "="), strings.HasPrefix(rest[at:], ":"):
		at++
	case strings.HasPrefix(rest[at:], "："):
		at += len("：")
	default:
		return 0, 0
	}
	at += len(rest[at:]) - len(strings.TrimLeft(rest[at:], " \\"))
	if at < len(rest) && (rest[at] == '"' || rest[at] == '\'') {
		end := strings.IndexByte(rest[at+1:], rest[at])
		if end < 0 {
			end = len(rest) - at - 1
		}
		return at + 1, end
	}
	if scheme, _, ok := strings.Cut(rest[at:], " "); ok && isScheme(scheme) {
		at += len(scheme) + 1
		return at, untilSpace(rest[at:])
	}
	if end := strings.IndexAny(rest[at:], " \t,;&)}]|\"'，；"); end >= 0 {
		return at, end
	}
	return at, len(rest) - at
}

func untilSpace(rest string) int {
	if end := strings.IndexAny(rest, " \t,\"'"); end >= 0 {
		return end
	}
	return len(rest)
}

func inWord(r rune) bool {
	return r == '_' || r == '-' || r == '.' || r == '@' || r == '+' || r == '%' || r == '~' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func maskedWord(word string) string {
	digits, letters, hex, dots, wide := 0, 0, 0, 0, false
	for _, r := range word {
		switch {
		case '0' <= r && r <= '9':
			digits++
			hex++
		case 'a' <= r && r <= 'f', 'A' <= r && r <= 'F':
			letters++
			hex++
		case 'g' <= r && r <= 'z', 'G' <= r && r <= 'Z':
			letters++
		case r == '.':
			dots++
		case r >= utf8.RuneSelf:
			wide = true
			if unicode.IsDigit(r) {
				digits++
			}
		}
	}
	switch {
	case strings.Contains(word, "@") && !strings.HasPrefix(word, "@"):
		return aMail
	case digits == 0:
		return word
	case dots == 3 && letters == 0 && digits <= 12 && !strings.Contains(word, "-"):
		return anIP
	case letters == 0 && !wide:
		return aNumber
	case hex >= 8 && hex+strings.Count(word, "-") == len(word), !wide && random(word):
		return anID
	}
	return numbers(word)
}

// random says whether a word holds a long run of letters and digits mixed.
func random(word string) bool {
	length, digits := 0, 0
	for _, r := range word {
		switch {
		case unicode.IsDigit(r):
			digits++
			length++
		case unicode.IsLetter(r):
			length++
		default:
			length, digits = 0, 0
		}
		if length >= 16 && digits >= 2 && digits < length {
			return true
		}
	}
	return false
}

// numbers puts one sign for each run of digits within a word, with what joins
// the parts of a date or a fraction.
func numbers(word string) string {
	var out strings.Builder
	all := []rune(word)
	for i := 0; i < len(all); i++ {
		if !unicode.IsDigit(all[i]) {
			out.WriteRune(all[i])
			continue
		}
		out.WriteString(aNumber)
		for i+1 < len(all) && (unicode.IsDigit(all[i+1]) || i+2 < len(all) && (all[i+1] == '-' || all[i+1] == '.') && unicode.IsDigit(all[i+2])) {
			i++
		}
	}
	return out.String()
}
