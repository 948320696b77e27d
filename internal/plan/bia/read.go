package bia

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// searched is how many rows are looked at for headings, below titles and notes.
const searched = 30

// Read reads a spreadsheet. Rows that can be read come back beside the problems
// of the others; an error is one of reading the file itself.
func Read(r io.Reader) ([]Row, []Problem, error) {
	file, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if p := lookThrough(file); p != nil {
		return nil, []Problem{*p}, nil
	}
	book, err := excelize.OpenReader(bytes.NewReader(file), excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpacked})
	if err != nil {
		return nil, []Problem{*problem("bia.no-xlsx")}, nil //nolint:nilerr // said to whoever gave the file
	}
	defer func() { _ = book.Close() }()
	reader := &reader{book: book}
	found := false
	for _, name := range book.GetSheetList() {
		if visible, err := book.GetSheetVisible(name); err != nil || !visible {
			continue
		}
		has, err := reader.sheet(name)
		if err != nil {
			return nil, nil, fmt.Errorf("sheet %s: %w", name, err)
		}
		found = found || has
	}
	if !found {
		return nil, []Problem{*problem("bia.no-heading")}, nil
	}
	if len(reader.rows) == 0 && len(reader.problems) == 0 {
		return nil, []Problem{*problem("bia.no-rows")}, nil
	}
	return reader.rows, reader.problems, nil
}

type reader struct {
	book     *excelize.File
	rows     []Row
	problems []Problem

	name    string
	cells   [][]string
	columns map[int]column
	seen    map[string]string // department and process: the cell that said them
}

// sheet reads one sheet and reports whether it has headings.
func (r *reader) sheet(name string) (bool, error) {
	r.name = name
	rows, err := r.book.GetRows(name)
	if err != nil {
		var none excelize.ErrSheetNotExist // a chart
		if errors.As(err, &none) {
			return false, nil
		}
		return false, err
	}
	r.cells = rows
	if err := r.unmerge(); err != nil {
		return false, err
	}
	first := r.headings()
	if first < 0 {
		return false, nil
	}
	missing := []string{}
	for _, k := range required {
		if r.at(k.kind) < 0 {
			missing = append(missing, k.name)
		}
	}
	if len(missing) > 0 {
		r.problems = append(r.problems, Problem{Sheet: name, ID: "bia.no-column", Args: map[string]any{"columns": strings.Join(missing, ", ")}})
		return true, nil
	}
	for i := first; i < len(r.cells); i++ {
		r.row(i)
	}
	return true, nil
}

// unmerge writes the value of merged cells into each of them.
func (r *reader) unmerge() error {
	merged, err := r.book.GetMergeCells(r.name)
	if err != nil {
		return err
	}
	filled := 0
	for _, m := range merged {
		left, top, err := excelize.CellNameToCoordinates(m.GetStartAxis())
		if err != nil {
			return err
		}
		right, bottom, err := excelize.CellNameToCoordinates(m.GetEndAxis())
		if err != nil {
			return err
		}
		if filled += (right - left + 1) * (bottom - top + 1); filled > maxCells {
			r.problems = append(r.problems, Problem{Sheet: r.name, ID: "bia.too-many-cells", Args: map[string]any{"limit": maxCells}})
			return nil
		}
		value := r.value(top-1, left-1)
		// Cells below the last written row are part of no process.
		for y := top - 1; y < bottom && y < len(r.cells); y++ {
			for len(r.cells[y]) < right {
				r.cells[y] = append(r.cells[y], "")
			}
			for x := left - 1; x < right; x++ {
				r.cells[y][x] = value
			}
		}
	}
	return nil
}

func (r *reader) value(y, x int) string {
	if y < len(r.cells) && x >= 0 && x < len(r.cells[y]) {
		return strings.TrimSpace(r.cells[y][x])
	}
	return ""
}

// headings finds the columns and returns the first row below, -1 for none.
// Headings may stand over two rows: what they share above, what parts them below.
func (r *reader) headings() int {
	for y := 0; y < min(len(r.cells), searched); y++ {
		columns, below := r.match(y), map[int]column{}
		if y+1 < len(r.cells) {
			below = r.match(y + 1)
		}
		next := y + 1
		if len(below) > 0 && len(columns) > 0 && !known(columns, mtd, rto) {
			next++
			for x, c := range below {
				columns[x] = c
			}
		}
		if known(columns, process) && (known(columns, mtd) || known(columns, rto)) {
			r.columns = columns
			return next
		}
	}
	return -1
}

func (r *reader) match(y int) map[int]column {
	found := map[int]column{}
	for x := range r.cells[y] {
		if c, ok := heading(r.value(y, x)); ok {
			c.name = strings.Join(strings.Fields(r.value(y, x)), " ")
			found[x] = c
		}
	}
	return found
}

func known(columns map[int]column, kinds ...kind) bool {
	for _, k := range kinds {
		if !slices.ContainsFunc(values(columns), func(c column) bool { return c.kind == k }) {
			return false
		}
	}
	return true
}

func values(columns map[int]column) []column {
	all := make([]column, 0, len(columns))
	for _, c := range columns {
		all = append(all, c)
	}
	return all
}

// at is the first column of a kind, -1 for none.
func (r *reader) at(k kind) int {
	first := -1
	for x, c := range r.columns {
		if c.kind == k && (first < 0 || x < first) {
			first = x
		}
	}
	return first
}

func (r *reader) fail(y, x int, id string, pairs ...any) {
	cell, err := excelize.CoordinatesToCellName(x+1, y+1)
	if err != nil {
		cell = ""
	}
	p := problem(id, pairs...)
	p.Sheet, p.Cell = r.name, cell
	r.problems = append(r.problems, *p)
}

// text is a row's cell of a kind.
func (r *reader) text(y int, k kind) string {
	if v := r.value(y, r.at(k)); !blank(v) {
		return strings.Join(strings.Fields(v), " ")
	}
	return ""
}

// row reads a process. A row with a problem is none.
func (r *reader) row(y int) {
	out := Row{
		Sheet: r.name, Line: y + 1, Department: r.text(y, department), Process: r.text(y, process),
		Effects: r.text(y, effects), Needs: r.text(y, needs), Meantime: r.text(y, meantime), Owner: r.text(y, owner),
	}
	if r.without(y) || total(out.Process) || total(out.Department) {
		return
	}
	before := len(r.problems)
	for k, text := range map[kind]string{department: out.Department, process: out.Process} {
		if text == "" {
			r.fail(y, r.at(k), "bia.missing", "column", r.columns[r.at(k)].name)
		}
	}
	for _, s := range []struct {
		kind kind
		to   *Span
	}{{mtd, &out.MTD}, {rto, &out.RTO}, {rpo, &out.RPO}} {
		r.span(y, s.kind, s.to)
	}
	if out.RTO.Said && out.MTD.Said && out.RTO.Duration > out.MTD.Duration {
		r.fail(y, r.at(rto), "bia.rto-over-mtd", "rto", r.value(y, r.at(rto)), "mtd", r.value(y, r.at(mtd)))
	}
	r.losses(y, &out)
	out.At, _ = excelize.CoordinatesToCellName(r.at(process)+1, y+1)
	r.once(y, &out)
	if len(r.problems) > before {
		slices.SortStableFunc(r.problems[before:], func(a, b Problem) int { return strings.Compare(a.Cell, b.Cell) })
		return
	}
	r.rows = append(r.rows, out)
}

// without reports whether a row says nothing of its own: what it has comes
// from a merged department, or from nobody.
func (r *reader) without(y int) bool {
	for x, c := range r.columns {
		if c.kind != department && r.value(y, x) != "" {
			return false
		}
	}
	return true
}

// total reports whether a row sums up the others.
func total(text string) bool {
	switch fold(text) {
	case "合计", "总计", "小计", "total", "sum", "totals":
		return true
	}
	return false
}

func (r *reader) span(y int, k kind, to *Span) {
	x := r.at(k)
	text := r.value(y, x)
	if blank(text) {
		r.fail(y, x, "bia.missing", "column", r.columns[x].name)
		return
	}
	d, id := span(text, r.columns[x].unit)
	if id == "" && d == 0 && k != rpo {
		id = "bia.no-span"
	}
	if id != "" {
		r.fail(y, x, id, "text", text)
		return
	}
	*to = Span{Duration: d, Said: true}
}

func (r *reader) losses(y int, out *Row) {
	cells := map[time.Duration]int{} // of the stages
	for x, c := range r.columns {
		text := r.value(y, x)
		if c.kind != loss && c.kind != stage || blank(text) {
			continue
		}
		m, per, id := money(text, c.money)
		if id == "" && c.kind == loss && per == 0 && m.Parts != 0 {
			id = "bia.no-period"
		}
		if id == "" && per > day {
			id = "bia.per-week"
		}
		switch {
		case id != "":
			r.fail(y, x, id, "text", text)
		case c.kind == loss:
			out.Loss = Loss{Money: m, Per: per}
		default:
			out.OverTime = append(out.OverTime, Stage{After: c.after, Money: m})
			cells[c.after] = x
		}
	}
	slices.SortFunc(out.OverTime, func(a, b Stage) int { return cmp.Compare(a.After, b.After) })
	for i := 1; i < len(out.OverTime); i++ {
		now, before := out.OverTime[i], out.OverTime[i-1]
		switch {
		case now.After == before.After:
			r.fail(y, cells[now.After], "bia.same-time", "column", r.columns[cells[now.After]].name)
		case now.Currency == before.Currency && now.Parts < before.Parts:
			r.fail(y, cells[now.After], "bia.loss-shrinks", "text", r.value(y, cells[now.After]), "before", r.value(y, cells[before.After]))
		}
	}
}

// once refuses a process that a department has already.
func (r *reader) once(y int, out *Row) {
	if out.Process == "" {
		return
	}
	if r.seen == nil {
		r.seen = map[string]string{}
	}
	x := r.at(process)
	key := fold(out.Department) + "\x00" + fold(out.Process)
	if first, ok := r.seen[key]; ok {
		r.fail(y, x, "bia.twice", "process", out.Process, "first", first)
		return
	}
	r.seen[key] = r.name + "!" + out.At
}
