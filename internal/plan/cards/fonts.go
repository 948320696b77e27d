package cards

import (
	"compress/gzip"
	"embed"
	"errors"
	"io"
	"slices"
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

// ErrNoChinese says that a plan needs Chinese, and that no font has any: the
// program was built without its own.
var ErrNoChinese = errors.New("no font has Chinese")

// Lack is a character that no font has, and the texts it stands in.
type Lack struct {
	Char rune
	In   []Words
}

// Message says what is lacking, where, and what to do.
func (l Lack) Message(lang catalogue.Lang) string {
	return catalogue.Text(lang, "cards.lack", catalogue.Args{
		"char": string(l.Char), "code": codePoint(l.Char), "at": l.In[0].At, "text": l.In[0].Text, "n": len(l.In) - 1,
	})
}

// lacks lists what can't be printed, each character once.
func lacks(faces []*face, sheets []sheet) ([]Lack, error) {
	var found []Lack
	index := map[rune]int{}
	each(sheets, func(w Words) {
		for _, r := range clean(w.Text) {
			if r == '\n' || faceOf(faces, r) != nil {
				continue
			}
			i, known := index[r]
			if !known {
				i = len(found)
				index[r] = i
				found = append(found, Lack{Char: r})
			}
			if !slices.Contains(found[i].In, w) {
				found[i].In = append(found[i].In, w)
			}
		}
	})
	// 的 is in each Chinese font, and hardly in a font of anything else.
	lacksHan := slices.ContainsFunc(found, func(l Lack) bool { return unicode.Is(unicode.Han, l.Char) })
	if lacksHan && faceOf(faces, '的') == nil {
		return nil, ErrNoChinese
	}
	return found, nil
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
