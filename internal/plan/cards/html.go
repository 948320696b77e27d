package cards

import (
	_ "embed"
	"html/template"
	"io"

	"holdfast/internal/catalogue"
)

//go:embed cards.html
var pageSource string

var page = template.Must(template.New("cards").Funcs(template.FuncMap{"small": row.small, "say": row.text}).Parse(pageSource))

// HTML writes a plan as one page that needs nothing else: it can be mailed,
// kept on a phone and printed, each card on a page of its own.
func HTML(w io.Writer, p *Plan) error {
	return page.Execute(w, map[string]any{
		"Lang":    map[catalogue.Lang]string{catalogue.En: "en", catalogue.Zh: "zh-CN"}[p.Lang],
		"Service": p.Service.Text,
		"Sheets":  printer{p}.sheets(),
	})
}
