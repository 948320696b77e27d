// Package catalogue holds every text that people read, in English and Chinese.
// Each area of the product keeps a pair of files, locales/AREA.en.yaml and
// locales/AREA.zh.yaml, whose ids begin with the area's name; a test holds
// both languages to the same ids and placeholders.
package catalogue

import (
	"embed"
	"io/fs"
	"maps"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locales/*.yaml
var locales embed.FS

// Lang is a language that Holdfast speaks.
type Lang string

// The languages.
const (
	En Lang = "en"
	Zh Lang = "zh"
)

// Args fills the placeholders of a text, {{.name}}. "n" also chooses between
// singular and plural.
type Args = map[string]any

// area is the texts of one pair of files in one language.
type area struct {
	lang Lang
	name string
}

// read are the areas that were asked for: a command needs few of them, and to read them
// all would take longer than most of what it does.
var read sync.Map // of area to func() *i18n.Localizer

// localizer reads an area once; nil where there is none of this name.
func (a area) localizer() *i18n.Localizer {
	once, there := read.Load(a)
	if !there {
		if _, err := fs.Stat(locales, a.file()); err != nil {
			return nil
		}
		once, _ = read.LoadOrStore(a, sync.OnceValue(func() *i18n.Localizer {
			bundle := i18n.NewBundle(language.English)
			bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
			if _, err := bundle.LoadMessageFileFS(locales, a.file()); err != nil {
				panic(err) // embedded: cannot happen in a binary that was tested
			}
			return i18n.NewLocalizer(bundle, string(a.lang))
		}))
	}
	return once.(func() *i18n.Localizer)()
}

func (a area) file() string { return "locales/" + a.name + "." + string(a.lang) + ".yaml" }

// Text returns the text of id in a language. An id that is missing comes back
// as itself, so that nobody is left without a word.
func Text(lang Lang, id string, args Args) string {
	if lang != Zh {
		lang = En
	}
	name, _, _ := strings.Cut(id, ".")
	localizer := area{lang, name}.localizer()
	if localizer == nil {
		return id
	}
	config := &i18n.LocalizeConfig{MessageID: id, TemplateData: plain(lang, args)}
	if lang == Zh {
		config.TemplateParser = chinese{}
	}
	if n, ok := args["n"]; ok {
		config.PluralCount = n
	}
	text, err := localizer.Localize(config)
	if err != nil && text == "" {
		return id
	}
	return text
}

// plain makes of arguments what people read. NAME_text is the id of a text that NAME
// stands for, and NAME_seconds a length of time: whoever made an error did not know its
// reader's language. Whole numbers that came through JSON have no exponent, which a
// template would give them from a million on.
func plain(lang Lang, args Args) Args {
	var out Args
	set := func(name string, value any) {
		if out == nil {
			out = maps.Clone(args) // they are their owner's
		}
		out[name] = value
	}
	for name, value := range args {
		switch v := value.(type) {
		case float64:
			if of, ok := strings.CutSuffix(name, "_seconds"); ok {
				set(of, Lasts(lang, time.Duration(v*float64(time.Second))))
			} else if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
				set(name, int64(v))
			}
		case string:
			if of, ok := strings.CutSuffix(name, "_text"); ok {
				if text := Text(lang, v, nil); text != v {
					set(of, text)
				}
			}
		}
	}
	if out == nil {
		return args
	}
	return out
}

// Accept chooses a language by an Accept-Language field.
func Accept(header string) Lang {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return En
	}
	_, index, confidence := matcher.Match(tags...)
	if index == 1 && confidence > language.No {
		return Zh
	}
	return En
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// FromEnv chooses a language by the values of LC_ALL, LC_MESSAGES and LANG, in
// that order.
func FromEnv(values ...string) Lang {
	for _, v := range values {
		if v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return Zh
			}
			return En
		}
	}
	return En
}
