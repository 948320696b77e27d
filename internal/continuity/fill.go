package continuity

import (
	"regexp"
	"slices"
)

var templateField = regexp.MustCompile(`\{([^{}\n]*)\}`)

// fillText puts values into the fields of a text, those of the language (NAME@LANGUAGE)
// before those of any. It names the fields that have none: such a text is not sent.
func fillText(text string, vars map[string]string, language string) (filled string, missing []string) {
	filled = templateField.ReplaceAllStringFunc(text, func(found string) string {
		name := found[1 : len(found)-1]
		value := vars[name+"@"+language]
		if value == "" {
			value = vars[name]
		}
		if value == "" && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return value
	})
	return filled, missing
}

// Fill fills a text in each language that it has.
func (t Text) Fill(vars map[string]string) (Text, []string) {
	en, missing := fillText(t.En, vars, "en")
	zh, more := fillText(t.Zh, vars, "zh")
	for _, name := range more {
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return Text{En: en, Zh: zh}, missing
}
