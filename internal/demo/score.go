package demo

import (
	"fmt"
	"io"
	"strings"

	"holdfast/internal/catalogue"
)

// Print shows what came of a story.
func (r *Report) Print(out io.Writer, lang catalogue.Lang, color bool) {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	t := func(id string, args catalogue.Args) string { return catalogue.Text(lang, id, args) }
	c := r.Customers
	fmt.Fprintln(out)
	fmt.Fprintln(out, t("demo.score.customers", catalogue.Args{
		"requests": c.Requests, "errors": c.Errors, "accepted": c.Accepted, "delivered": c.Delivered, "slowest": fmt.Sprintf("%.0f", c.SlowestMS),
	}))
	fmt.Fprintln(out, t("demo.score.books", catalogue.Args{
		"lost": c.Books.Lost, "doubled": c.Books.Doubled, "reordered": c.Books.Reordered, "orders": c.Books.Orders, "sum": money(c.Books.Sum), "shop": money(c.Books.ShopSum),
	}))
	fmt.Fprintln(out)
	for _, m := range r.Times {
		fmt.Fprintf(out, "  %8.1f s  %s\n", m.Seconds, t("demo.time."+m.ID, nil))
	}
	fmt.Fprintln(out)
	for _, p := range r.Promises {
		mark, code := "✓", "32"
		if !p.Kept {
			mark, code = "✗", "31"
		}
		line := t("demo.promise."+p.ID, nil)
		if !p.Kept && p.Have != "" {
			line += " — " + p.Have
		}
		fmt.Fprintf(out, "  %s %s\n", paint(code, mark), line)
	}
	fmt.Fprintln(out)
	if r.Good() {
		fmt.Fprintln(out, paint("1;32", t("demo.good", nil)))
	} else {
		fmt.Fprintln(out, paint("1;31", t("demo.broken", nil)))
	}
	if r.Folder != "" {
		fmt.Fprintln(out, t("demo.left", catalogue.Args{"folder": r.Folder}))
	}
}

func money(cents int64) string {
	text := fmt.Sprint(cents / 100)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return strings.TrimSpace(fmt.Sprintf("%s.%02d CNY", text, cents%100))
}
