package continuity

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kinds of addresses of people.
const (
	AddressPhone    = "phone" // calls and text messages
	AddressMail     = "mail"
	AddressWeCom    = "wecom"
	AddressDingTalk = "dingtalk"
	AddressFeishu   = "feishu"
	AddressTelegram = "telegram"
	AddressSlack    = "slack"
	AddressWhatsApp = "whatsapp"
	AddressNtfy     = "ntfy"
)

// ForPage marks an address that is used for pages only.
const ForPage = "page"

// Address is one way to reach a person; the first ones are tried first.
type Address struct {
	Kind  string `json:"kind"` // one of AddressKinds
	Value string `json:"value"`
	For   string `json:"for,omitempty"` // ForPage, or all
}

// addressForm is what addresses of a kind look like.
type addressForm struct {
	kind    string
	form    *regexp.Regexp
	example string
}

var addressForms = []addressForm{
	{AddressPhone, regexp.MustCompile(`^\+?[0-9][0-9 -]{2,20}[0-9]$`), "13800138000"},
	{AddressMail, regexp.MustCompile(`^[^@\s]+@[^@\s]+$`), "li.wei@example.com"},
	{AddressWeCom, regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`), "LiWei"},
	{AddressDingTalk, regexp.MustCompile(`^[A-Za-z0-9_.@:$-]{1,64}$`), "manager4711"},
	{AddressFeishu, regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,64}$`), "ou_7d8a6e6df7621556ce0d21922b676706"},
	{AddressTelegram, regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{4,31})$`), "123456789"},
	{AddressSlack, regexp.MustCompile(`^[A-Z][A-Z0-9]{6,20}$`), "U024BE7LH"},
	{AddressWhatsApp, regexp.MustCompile(`^\+[1-9][0-9 -]{5,18}[0-9]$`), "+8613800138000"},
	{AddressNtfy, regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`), "li-wei-7Hq2"},
}

// AddressKinds are the kinds of addresses, in the order in which they are listed.
func AddressKinds() []string {
	kinds := make([]string, len(addressForms))
	for i, f := range addressForms {
		kinds[i] = f.kind
	}
	return kinds
}

// Fits reports whether the address looks as those of its kind do; example is one
// that does, and empty where there is no such kind.
func (a Address) Fits() (example string, ok bool) {
	i := slices.IndexFunc(addressForms, func(f addressForm) bool { return f.kind == a.Kind })
	if i < 0 {
		return "", false
	}
	f := addressForms[i]
	if !f.form.MatchString(a.Value) {
		return f.example, false
	}
	if a.Kind == AddressMail {
		parsed, err := mail.ParseAddress(a.Value)
		return f.example, err == nil && parsed.Address == a.Value
	}
	return f.example, true
}

// Masked is the address for those who need not know it: enough to tell two of a
// person apart.
func (a Address) Masked() string {
	if name, host, ok := strings.Cut(a.Value, "@"); ok && name != "" {
		first, _ := utf8.DecodeRuneInString(name)
		return string(first) + "***@" + host
	}
	runes := []rune(a.Value)
	shown := min(2, len(runes)/4)
	return string(runes[:shown]) + "***" + string(runes[len(runes)-shown:])
}
