package cards

import (
	"bytes"
	"fmt"
	"strings"

	"codeberg.org/go-pdf/fpdf"

	"holdfast/internal/catalogue"
)

// Options of a PDF.
type Options struct {
	Font []byte // a TrueType font for what the embedded ones lack; nil: none
}

// measures of a format, in millimetres and points.
type measures struct {
	w, h, margin       float64
	kind, title        float64
	heading, say, hint float64
	mark, gap          float64
}

var (
	pocketSize = measures{w: 105, h: 148, margin: 7, kind: 7, title: 14, heading: 7.5, say: 9.5, hint: 8, mark: 5.5, gap: 1.4}
	fullSize   = measures{w: 210, h: 297, margin: 20, kind: 10, title: 20, heading: 10.5, say: 12.5, hint: 10.5, mark: 8, gap: 3}
)

const (
	perPoint = 25.4 / 72 // millimetres
	leading  = 1.32      // of a line, in its size
	footSize = 6.5       // points
)

// PDF prints a plan: the same plan and fonts give the same bytes. What no font
// can print comes back as lacks, and nothing is printed then. Where no font has
// Chinese it is ErrNoChinese.
func PDF(p *Plan, o Options) ([]byte, []Lack, error) {
	faces, err := embedded()
	if err != nil {
		return nil, nil, fmt.Errorf("embedded fonts: %w", err)
	}
	faces = faces[:len(faces):len(faces)]
	if o.Font != nil {
		own, err := newFace("own", o.Font, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("font: %w", err)
		}
		faces = append(faces, own)
	}
	sheets := printer{p}.sheets()
	if lacking, err := lacks(faces, sheets); err != nil || len(lacking) > 0 {
		return nil, lacking, err
	}
	return render(p, faces, sheets)
}

func render(p *Plan, faces []*face, sheets []sheet) ([]byte, []Lack, error) {
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: pocketSize.w, Ht: pocketSize.h}})
	doc.SetCatalogSort(true)
	doc.SetCreationDate(p.Made.UTC())
	doc.SetModificationDate(p.Made.UTC())
	doc.SetProducer("Holdfast", true)
	doc.SetTitle(clean(p.Service.Text), true)
	doc.SetLang(map[catalogue.Lang]string{catalogue.En: "en", catalogue.Zh: "zh-CN"}[p.Lang])
	doc.SetAutoPageBreak(false, 0)
	doc.SetMargins(0, 0, 0)
	needed := used(faces, sheets)
	for _, f := range faces {
		if !needed[f] {
			continue // reading the Chinese font takes most of the time of an English print
		}
		doc.AddUTF8FontFromBytes(f.family, "", f.ttf)
		if f.bold != nil {
			doc.AddUTF8FontFromBytes(f.family, "B", f.bold)
		}
	}
	for _, s := range sheets {
		pen := &pen{doc: doc, faces: faces, sheet: s, measures: fullSize, again: printer{p}.label("cards.again", nil).Text}
		if s.Pocket {
			pen.measures = pocketSize
		}
		pen.write()
	}
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil {
		return nil, nil, err
	}
	return out.Bytes(), nil, nil
}

// pen writes one sheet, on as many pages as it needs.
type pen struct {
	measures
	doc   *fpdf.Fpdf
	faces []*face
	sheet sheet
	y     float64
	page  int
	again string // "(continued)"
}

func (p *pen) write() {
	p.newPage()
	for _, s := range p.sheet.Sections {
		p.section(s)
	}
}

// newPage begins a page with its head and foot.
func (p *pen) newPage() {
	p.doc.AddPageFormat("P", fpdf.SizeType{Wd: p.w, Ht: p.h})
	p.page++
	if p.page == 1 {
		p.doc.Bookmark(clean(p.sheet.Title.Text), 0, 0)
	}
	p.y = p.h - p.margin + 1.5
	foot := breakLines(p.sheet.Footer.Text, p.w-2*p.margin, p.width(footSize, false))
	p.y -= float64(len(foot)) * footSize * perPoint * leading
	p.gray(90)
	p.lines(foot, p.margin, footSize, false)
	p.gray(0)

	p.y = p.margin
	p.doc.SetFillColor(176, 0, 32)
	p.doc.Rect(0, 0, p.w, 4, "F")
	kind := p.sheet.Kind.Text
	if p.page > 1 {
		kind += " " + p.again
	}
	p.gray(90)
	p.paragraph(kind, p.margin, p.kind, false)
	p.gray(0)
	p.paragraph(p.sheet.Title.Text, p.margin, p.title, true)
	p.y += p.gap
}

func (p *pen) section(s section) {
	// A heading never stands alone at the end of a page, and a short section
	// is not torn.
	head := 2*p.gap + p.heading*perPoint*leading
	whole := head
	for _, r := range s.Rows {
		whole += p.rowHeight(r)
	}
	if whole > p.h/2 {
		whole = head + p.rowHeight(s.Rows[0])
	}
	p.room(whole)
	p.y += p.gap
	p.gray(90)
	p.paragraph(s.Heading.Text, p.margin, p.heading, true)
	p.gray(0)
	p.doc.SetDrawColor(190, 190, 190)
	p.doc.SetLineWidth(0.2)
	p.doc.Line(p.margin, p.y+0.3, p.w-p.margin, p.y+0.3)
	p.y += p.gap
	for _, r := range s.Rows {
		p.row(r)
	}
}

// room turns the page unless a height is left on it. What is higher than a
// page begins where it stands.
func (p *pen) room(height float64) {
	if p.y+height > p.bottom() && height < p.bottom()-4*p.margin {
		p.newPage()
	}
}

func (p *pen) bottom() float64 { return p.h - p.margin - 2*footSize*perPoint*leading }

func (p *pen) indent(r row) float64 {
	if r.Mark == "" {
		return p.margin
	}
	return p.margin + p.mark
}

func (r row) small() string {
	parts := make([]string, len(r.Small))
	for i, w := range r.Small {
		parts[i] = clean(w.Text)
	}
	return strings.Join(parts, " · ")
}

func (p *pen) rowHeight(r row) float64 {
	width := p.w - p.margin - p.indent(r)
	say := len(breakLines(r.text(), width, p.width(p.say, r.Strong)))
	hint := len(breakLines(r.small(), width, p.width(p.hint, false)))
	return (float64(say)*p.say+float64(hint)*p.hint)*perPoint*leading + p.gap
}

func (p *pen) row(r row) {
	p.room(p.rowHeight(r))
	if r.Tick() {
		side := p.say * perPoint * 0.85
		p.doc.SetDrawColor(0, 0, 0)
		p.doc.SetLineWidth(0.3)
		p.doc.Rect(p.margin, p.y+p.say*perPoint*0.2, side, side, "D")
	} else if r.Mark != "" {
		y := p.y
		p.lines([]string{r.Mark}, p.margin, p.say, true)
		p.y = y
	}
	x := p.indent(r)
	p.paragraph(r.text(), x, p.say, r.Strong)
	p.gray(70)
	p.paragraph(r.small(), x, p.hint, false)
	p.gray(0)
	p.y += p.gap
}

func (p *pen) paragraph(text string, x, size float64, bold bool) {
	p.lines(breakLines(text, p.w-p.margin-x, p.width(size, bold)), x, size, bold)
}

// lines writes lines below each other from p.y on; a full page is turned.
func (p *pen) lines(lines []string, x, size float64, bold bool) {
	for _, line := range lines {
		if p.y+size*perPoint > p.h-p.margin/2 {
			p.newPage()
		}
		at := x
		for _, run := range p.runs(line) {
			p.choose(run.face, size, bold)
			p.doc.Text(at, p.y+size*perPoint, run.text)
			at += p.doc.GetStringWidth(run.text)
		}
		p.y += size * perPoint * leading
	}
}

func (p *pen) gray(v int) {
	p.doc.SetTextColor(v, v, v)
}

// choose sets the font. Where a face has no bold, its outline is drawn too.
func (p *pen) choose(f *face, size float64, bold bool) {
	style := ""
	if bold && f.bold != nil {
		style = "B"
	}
	p.doc.SetFont(f.family, style, size)
	if bold && f.bold == nil {
		r, g, b := p.doc.GetTextColor()
		p.doc.SetDrawColor(r, g, b)
		p.doc.SetLineWidth(size * perPoint * 0.03)
		p.doc.SetTextRenderingMode(2)
		return
	}
	p.doc.SetTextRenderingMode(0)
}

// width measures texts.
func (p *pen) width(size float64, bold bool) func(string) float64 {
	return func(text string) float64 {
		sum := 0.0
		for _, run := range p.runs(text) {
			p.choose(run.face, size, bold)
			sum += p.doc.GetStringWidth(run.text)
		}
		return sum
	}
}

// run is a stretch of one font.
type run struct {
	face *face
	text string
}

func (p *pen) runs(text string) []run {
	var all []run
	for _, r := range text {
		f := faceOf(p.faces, r)
		if f == nil {
			f = p.faces[0] // not reached: lacks has seen every text
		}
		if n := len(all); n > 0 && (all[n-1].face == f || r == ' ') {
			all[n-1].text += string(r)
			continue
		}
		all = append(all, run{face: f, text: string(r)})
	}
	return all
}
