package plan

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"holdfast/internal/yamldoc"
)

// PeopleFile reads a file of people, YAML or a table as spreadsheets save it: CSV,
// or text parted by tabs. read is the file in UTF-8, to show problems in.
func PeopleFile(s Source) (read Source, people *People, problems []yamldoc.Problem) {
	name := strings.ToLower(s.Name)
	if !strings.HasSuffix(name, ".csv") && !strings.HasSuffix(name, ".tsv") && !strings.HasSuffix(name, ".txt") {
		people, problems = ParsePeople(s)
		return s, people, problems
	}
	t := &table{Findings: yamldoc.NewFindings(s.Name), people: &People{Schema: "holdfast/people@1", File: s.Name, Places: yamldoc.Places{}}}
	text, ok := decoded(s.Text)
	switch {
	case !ok:
		t.Error(yamldoc.Place{Line: 1, Column: 1}, "people.table-encoding")
	case len(text) > yamldoc.MaxSize:
		t.Error(yamldoc.Place{Line: 1, Column: 1}, "people.table-large", "most", yamldoc.MaxSize>>20)
	default:
		t.lines = strings.Split(string(text), "\n")
		t.read(text)
	}
	problems = t.Settle(t.lines)
	if t.Failed() {
		return Source{s.Name, text}, nil, problems
	}
	return Source{s.Name, text}, t.people, problems
}

// decoded is a text in UTF-8. A byte order mark says what it was; without one it is
// UTF-8, or else what Excel saves where the machine speaks Chinese.
func decoded(text []byte) ([]byte, bool) {
	if rest, ok := bytes.CutPrefix(text, []byte("\xef\xbb\xbf")); ok {
		return rest, utf8.Valid(rest) && !bytes.ContainsRune(rest, 0)
	}
	var from encoding.Encoding
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe\x00\x00")):
		from = utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		from = textunicode.UTF16(textunicode.LittleEndian, textunicode.UseBOM)
	case utf8.Valid(text):
		return text, !bytes.ContainsRune(text, 0)
	default:
		from = simplifiedchinese.GB18030
	}
	text, err := from.NewDecoder().Bytes(text)
	return text, err == nil && !bytes.ContainsRune(text, utf8.RuneError) && !bytes.ContainsRune(text, 0)
}

// column is one that the table of people has, by the names that it goes by.
type column struct {
	name  string
	kind  string
	names []string // without spaces, dashes and case
}

// address reports whether the column is of a kind of addresses in the list of them.
func (c column) address() bool { return c.kind == "address" }

var columns = []column{
	{"id", "person", []string{"id", "person", "personid", "user", "username", "account", "login", "标识", "人员标识", "编号", "账号", "帐号", "员工账号", "用户名"}},
	{"name", "text", []string{"name", "fullname", "displayname", "姓名", "名字", "名称"}},
	{"name_en", "text", []string{"nameen", "englishname", "英文名", "英文姓名"}},
	{"name_zh", "text", []string{"namezh", "chinesename", "中文名", "中文姓名"}},
	{"department", "text", []string{"department", "dept", "部门", "所属部门"}},
	{"phone", "phone", []string{"phone", "mobile", "mobilephone", "tel", "telephone", "手机", "手机号", "手机号码", "电话", "联系电话"}},
	{"mail", "mail", []string{"mail", "email", "邮箱", "电子邮箱", "邮件", "电子邮件"}},
	{"left", "date", []string{"left", "leftdate", "lastday", "离职", "离职日期", "离职时间"}},
	{"language", "language", []string{"language", "lang", "语言", "通知语言"}},
	{"zone", "zone", []string{"zone", "timezone", "tz", "时区"}},
	{"quiet", "quiet", []string{"quiet", "quiethours", "donotdisturb", "免打扰", "免打扰时间", "免打扰时段"}},
	{"prefers", "ways", []string{"prefers", "preference", "preferred", "order", "首选", "首选方式", "联系顺序", "首选联系方式"}},
	{"page", "ways", []string{"page", "pageonly", "onlypage", "仅呼叫", "仅紧急", "仅紧急呼叫"}},
	{"wecom", "address", []string{"wecom", "wechatwork", "企业微信", "企业微信账号"}},
	{"dingtalk", "address", []string{"dingtalk", "dingding", "钉钉", "钉钉账号"}},
	{"feishu", "address", []string{"feishu", "lark", "飞书", "飞书账号"}},
	{"telegram", "address", []string{"telegram", "电报"}},
	{"slack", "address", []string{"slack", "slackid"}},
	{"whatsapp", "address", []string{"whatsapp"}},
	{"ntfy", "address", []string{"ntfy", "ntfytopic"}},
}

func columnOf(heading string) (column, bool) {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("-_.·：:*", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, heading)
	i := slices.IndexFunc(columns, func(c column) bool { return slices.Contains(c.names, plain) })
	if i < 0 {
		return column{}, false
	}
	return columns[i], true
}

// table is a table of people on its way.
type table struct {
	*yamldoc.Findings

	lines  []string
	rows   *csv.Reader
	people *People
	heads  []column // empty where nobody needs the column
	first  map[string]int
}

func (t *table) read(text []byte) {
	heading, _, _ := bytes.Cut(text, []byte("\n"))
	t.rows = csv.NewReader(bytes.NewReader(text))
	t.rows.FieldsPerRecord = -1
	for _, comma := range []rune{'\t', ';', '；', '，'} {
		if bytes.Count(heading, []byte(string(comma))) > bytes.Count(heading, []byte(string(t.rows.Comma))) {
			t.rows.Comma = comma
		}
	}
	t.first = map[string]int{}
	for {
		row, err := t.rows.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if t.heads == nil {
				t.Error(yamldoc.Place{Line: 1, Column: 1}, "people.table-empty")
			}
			return
		case errors.As(err, &wrong):
			t.Error(t.place(wrong.Line, wrong.Column, 1), "people.table-quote")
			return
		case err != nil:
			t.Error(yamldoc.Place{Line: 1, Column: 1}, "people.table-quote")
			return
		}
		if blank(row) {
			continue
		}
		if t.heads == nil {
			if t.heading(row); t.Failed() {
				return
			}
			continue
		}
		t.person(row)
	}
}

func blank(row []string) bool {
	return !slices.ContainsFunc(row, func(field string) bool { return tidied(field) != "" })
}

// tidied takes off what spreadsheets put around a value.
func tidied(field string) string {
	return strings.TrimFunc(strings.TrimPrefix(strings.TrimSpace(field), "'"), func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' })
}

// place counts columns in characters, as people do.
func (t *table) place(line, bytes, length int) yamldoc.Place {
	column := bytes
	if line >= 1 && line <= len(t.lines) {
		column = utf8.RuneCountInString(t.lines[line-1][:min(max(bytes-1, 0), len(t.lines[line-1]))]) + 1
	}
	return yamldoc.Place{Line: line, Column: column, Length: length}
}

func (t *table) field(i int, text string) yamldoc.Place {
	line, column := t.rows.FieldPos(i)
	return t.place(line, column, max(utf8.RuneCountInString(text), 1))
}

func (t *table) heading(row []string) {
	t.heads = make([]column, len(row))
	seen := map[string]bool{}
	for i, text := range row {
		c, known := columnOf(text)
		switch {
		case !known && tidied(text) != "":
			t.Warning(t.field(i, text), "people.table-column", "value", tidied(text))
		case known && seen[c.name]:
			t.Error(t.field(i, text), "people.table-column-twice", "value", tidied(text))
		}
		seen[c.name] = true
		t.heads[i] = c
	}
	end := yamldoc.Place{Line: 1, Column: 1}
	if !seen["id"] {
		t.Error(end, "people.table-no-id")
	}
	if !seen["name"] && !seen["name_en"] && !seen["name_zh"] {
		t.Error(end, "people.table-no-name")
	}
}

func (t *table) person(row []string) {
	n := len(row)
	for n > len(t.heads) && tidied(row[n-1]) == "" {
		n--
	}
	if n != len(t.heads) {
		t.Error(t.field(0, row[0]), "people.table-fields", "has", n, "want", len(t.heads))
		return
	}
	person, ways := Person{}, waysOf{}
	at := map[string]yamldoc.Place{}
	for i, c := range t.heads {
		text := tidied(row[i])
		if c.name == "" {
			continue
		}
		at[c.name] = t.field(i, row[i])
		if text == "" {
			continue
		}
		if c.name == "left" {
			text = day(text)
		}
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Error(at[c.name], "people.table-control", "field", c.name)
			continue
		}
		if fault := c.read(text, &person, &ways); fault != nil {
			t.Error(at[c.name], fault.ID, append([]any{"field", c.name, "value", text}, fault.Args...)...)
		}
	}
	person.arrange(ways)
	if !t.ReportedOn(at["id"].Line) {
		switch {
		case person.ID == "":
			t.Error(at["id"], "people.table-missing", "field", "id")
		case person.Name == Text{}:
			t.Error(at["id"], "people.table-missing", "field", "name")
		}
	}
	if first := t.first[person.ID]; first > 0 && person.ID != "" {
		t.Error(at["id"], "plan.twice", "id", person.ID, "line", first)
	}
	t.first[person.ID] = at["id"].Line
	t.people.People = append(t.people.People, person)
}

func (p *Person) set(name, value string) {
	switch name {
	case "id":
		p.ID = value
	case "name":
		if han(value) {
			p.Name.Zh = cmp.Or(p.Name.Zh, value)
		} else {
			p.Name.En = cmp.Or(p.Name.En, value)
		}
	case "name_en":
		p.Name.En = value
	case "name_zh":
		p.Name.Zh = value
	case "department":
		p.Department = value
	case "phone":
		p.Phone = value
	case "mail":
		p.Mail = value
	case "left":
		p.Left = value
	case "zone":
		p.Zone = value
	}
}

func han(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// day reads a day as spreadsheets write it, in the order of year, month, day; what
// it can't read stays as it is.
func day(text string) string {
	date, _, _ := strings.Cut(text, " ") // midnight
	plain := strings.NewReplacer("年", "-", "月", "-", "日", "", "/", "-", ".", "-").Replace(date)
	t, err := time.Parse("2006-1-2", plain)
	if err != nil {
		return text
	}
	return t.Format(time.DateOnly)
}
