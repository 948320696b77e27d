package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
)

// table is rows for people: aligned with a heading on a terminal, bare and
// separated by tabs in a pipe.
type table struct {
	head  []string
	right []int // columns of numbers
	rows  [][]string
	none  string // what a terminal shows where there are no rows
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (c *cli) table(t table) {
	if !terminal(c.out) {
		for _, row := range t.rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = clean(cell)
			}
			fmt.Fprintln(c.out, strings.Join(cells, "\t"))
		}
		return
	}
	fmt.Fprint(c.out, t.aligned())
}

// aligned measures by columns of the screen, as Chinese takes two a character.
func (t table) aligned() string {
	if len(t.rows) == 0 && t.none != "" {
		return t.none + "\n"
	}
	widths := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(clean(cell)))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			cell = clean(cell)
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell))
			if slices.Contains(t.right, i) {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
			line.WriteString("  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// clean keeps what came from outside from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}

// number groups digits on a terminal only, so that pipes stay easy to read by
// programs.
func (c *cli) number(n int64) string {
	if terminal(c.out) {
		return humanize.Comma(n)
	}
	return fmt.Sprint(n)
}

func (c *cli) bytes(n int64) string {
	if terminal(c.out) {
		return humanize.IBytes(uint64(max(n, 0)))
	}
	return fmt.Sprint(n)
}

// span writes seconds for people, with the two greatest units.
func (c *cli) span(seconds float64) string {
	if !terminal(c.out) {
		return fmt.Sprintf("%.1f", seconds)
	}
	return span(seconds)
}

func span(seconds float64) string {
	d := time.Duration(math.Round(seconds)) * time.Second
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %02d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// abbreviate shortens a receipt for a table; a pipe gets it whole.
func (c *cli) abbreviate(receipt string) string {
	if terminal(c.out) && len(receipt) > 8 {
		return receipt[:8]
	}
	return receipt
}
