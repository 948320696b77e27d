package controlapi

import (
	"regexp"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2/validation"

	"holdfast/internal/catalogue"
)

// huma says what is wrong with a field in English. These are its sentences, and
// the texts of the catalogue that say the same.
var sentences = []struct{ format, id string }{
	{validation.MsgUnexpectedProperty, "unknown"},
	{"unknown query parameter", "unknown"},
	{validation.MsgExpectedRequiredProperty, "required"},
	{"required query parameter is missing", "missing"},
	{"required header parameter is missing", "missing"},
	{"required path parameter is missing", "missing"},
	{validation.MsgExpectedDependentRequiredProperty, "dependent"},
	{validation.MsgExpectedRFC3339DateTime, "time"},
	{"invalid date/time for format 2006-01-02T15:04:05Z07:00", "time"},
	{"invalid date/time for format 2006-01-02T15:04:05.999999999Z07:00", "time"},
	{validation.MsgExpectedRFC3339Date, "date"},
	{validation.MsgExpectedBoolean, "boolean"},
	{"invalid boolean", "boolean"},
	{validation.MsgExpectedNumber, "number"},
	{"invalid float", "number"},
	{validation.MsgExpectedInteger, "integer"},
	{"invalid integer", "integer"},
	{validation.MsgExpectedString, "string"},
	{validation.MsgExpectedBase64String, "base64"},
	{validation.MsgExpectedArray, "array"},
	{validation.MsgExpectedObject, "object"},
	{validation.MsgExpectedArrayItemsUnique, "unique"},
	{validation.MsgExpectedOneOf, "enum"},
	{validation.MsgExpectedMinimumNumber, "minimum"},
	{validation.MsgExpectedMaximumNumber, "maximum"},
	{validation.MsgExpectedExclusiveMinimumNumber, "above"},
	{validation.MsgExpectedExclusiveMaximumNumber, "below"},
	{validation.MsgExpectedMinLength, "min-length"},
	{validation.MsgExpectedMaxLength, "max-length"},
	{validation.MsgExpectedMinItems, "min-items"},
	{validation.MsgExpectedMaxItems, "max-items"},
	{validation.MsgExpectedMatchPattern, "pattern"},
	{validation.MsgExpectedBePattern, "pattern"},
	{validation.MsgExpectedRFC3986URI, "uri"},
	{validation.MsgExpectedDuration, "duration"},
}

var patterns = sync.OnceValue(func() []*regexp.Regexp {
	var all []*regexp.Regexp
	verb := regexp.MustCompile(`%[vsd]`)
	for _, s := range sentences {
		all = append(all, regexp.MustCompile("^"+verb.ReplaceAllLiteralString(regexp.QuoteMeta(s.format), "(.*)")+"$"))
	}
	return all
})

// wording says huma's sentence in a language; one that isn't known as "not valid".
func wording(lang catalogue.Lang, message string) string {
	for i, p := range patterns() {
		if m := p.FindStringSubmatch(message); m != nil {
			args := catalogue.Args{}
			for n, name := range []string{"value", "other"} {
				if n+1 < len(m) {
					args[name] = strings.Trim(m[n+1], `"`)
				}
			}
			return catalogue.Text(lang, "controlapi.field."+sentences[i].id, args)
		}
	}
	return catalogue.Text(lang, "controlapi.field.other", nil)
}
