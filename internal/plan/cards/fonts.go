package cards

import (
	"compress/gzip"
	"embed"
	"io"
	"io/fs"
	"sync"
	"unicode"

	"github.com/go-fonts/dejavu/dejavusans"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"holdfast/internal/catalogue"
)

// chineseFile is written by tools/fonts.sh. A clone that was not built with it
// compiles all the same, and prints everything but Chinese in PDFs.
const chineseFile = "font/chinese.ttf.gz"

//go:embed all:font
var built embed.FS

// face is a font, and which characters it has.
type face struct {
	family string // its name in the PDF
	ttf    []byte
	bold   []byte // nil: bold by a thicker outline
	parsed *sfnt.Font
}

func newFace(family string, ttf, bold []byte) (*face, error) {
	parsed, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, err
	}
	return &face{family: family, ttf: ttf, bold: bold, parsed: parsed}, nil
}

func (f *face) has(r rune) bool {
	glyph, err := f.parsed.GlyphIndex(nil, r)
	return err == nil && glyph != 0
}

// embedded are the faces of this build, best first.
var embedded = sync.OnceValues(func() ([]*face, error) {
	files := []struct {
		family    string
		ttf, bold []byte
	}{{"latin", goregular.TTF, gobold.TTF}, {"chinese", nil, nil}, {"signs", dejavusans.TTF, nil}}
	ttf, err := chineseFont()
	if err != nil {
		return nil, err
	}
	files[1].ttf = ttf
	var faces []*face
	for _, file := range files {
		if file.ttf == nil {
			continue
		}
		f, err := newFace(file.family, file.ttf, file.bold)
		if err != nil {
			return nil, err
		}
		faces = append(faces, f)
	}
	return faces, nil
})

// chineseFont is the build's Chinese font, nil if it has none.
func chineseFont() ([]byte, error) {
	packed, err := built.Open(chineseFile)
	if err != nil {
		return nil, nil //nolint:nilerr // built without it
	}
	defer func() { _ = packed.Close() }()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// HasChinese reports whether this build can print Chinese.
func HasChinese() bool {
	_, err := fs.Stat(built, chineseFile)
	return err == nil
}

// faceOf is the first face that has a character, nil if none has. PDF text
// here knows the characters of the basic plane only.
func faceOf(faces []*face, r rune) *face {
	if r > 0xFFFF || unicode.IsControl(r) {
		return nil
	}
	for _, f := range faces {
		if f.has(r) {
			return f
		}
	}
	return nil
}

// Lack is a character that no font has.
type Lack struct {
	Char rune
	Words
}

// Message says what is lacking, where, and what to do.
func (l Lack) Message(lang catalogue.Lang) string {
	id := "cards.lack"
	if unicode.Is(unicode.Han, l.Char) && !HasChinese() {
		id = "cards.lack-build"
	}
	return catalogue.Text(lang, id, catalogue.Args{
		"char": string(l.Char), "code": codePoint(l.Char), "at": l.At, "text": l.Text,
	})
}

// lacks lists what can't be printed, each character once for each text.
func lacks(faces []*face, sheets []sheet) []Lack {
	var found []Lack
	seen := map[Lack]bool{}
	each(sheets, func(w Words) {
		for _, r := range clean(w.Text) {
			l := Lack{Char: r, Words: w}
			if r != '\n' && faceOf(faces, r) == nil && !seen[l] {
				seen[l] = true
				found = append(found, l)
			}
		}
	})
	return found
}

// used are the faces that have a character of the sheets; the first one has the
// marks and signs that a print adds by itself.
func used(faces []*face, sheets []sheet) map[*face]bool {
	found := map[*face]bool{faces[0]: true}
	seen := map[rune]bool{}
	each(sheets, func(w Words) {
		for _, r := range clean(w.Text) {
			if !seen[r] {
				seen[r] = true
				found[faceOf(faces, r)] = true
			}
		}
	})
	return found
}

// each visits every text of the sheets.
func each(sheets []sheet, visit func(Words)) {
	for _, s := range sheets {
		visit(s.Kind)
		visit(s.Title)
		for _, section := range s.Sections {
			visit(section.Heading)
			for _, row := range section.Rows {
				visit(row.Say)
				visit(row.Beside)
				for _, small := range row.Small {
					visit(small)
				}
			}
		}
		visit(s.Footer)
	}
}
