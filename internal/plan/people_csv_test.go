package plan

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

const chinese = "标识,姓名,英文名,部门,手机号码,邮箱,离职日期\r\n" +
	"li.wei,李伟,Li Wei,销售部,13800138000,li.wei@example.com,\r\n" +
	",,,,,,\r\n" +
	"zhang.min,张敏,,\"物流,仓储\",'13900139000,,2026年6月3日\r\n"

var chinesePeople = []Person{
	{ID: "li.wei", Name: Text{En: "Li Wei", Zh: "李伟"}, Department: "销售部", Phone: "13800138000", Mail: "li.wei@example.com"},
	{ID: "zhang.min", Name: Text{Zh: "张敏"}, Department: "物流,仓储", Phone: "13900139000", Left: "2026-06-03"},
}

func TestTablesOfPeople(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(chinese)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(strings.ReplaceAll(chinese, `"物流,仓储"`, "物流;仓储"), ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		want []Person
	}{
		"UTF-8":              {chinese, chinesePeople},
		"UTF-8 of Excel":     {"\xef\xbb\xbf" + chinese, chinesePeople},
		"GBK of Excel":       {gbk, chinesePeople},
		"Unicode text":       {strings.ReplaceAll(wide, ";", ","), nil},
		"semicolons":         {"id;Name\na;A, B\n", []Person{{ID: "a", Name: Text{En: "A, B"}}}},
		"English, in pieces": {"E-mail, Full Name ,Person ID,Last day\na@b.cn,Ann,ann,2026/1/31 0:00:00\n", []Person{{ID: "ann", Name: Text{En: "Ann"}, Mail: "a@b.cn", Left: "2026-01-31"}}},
		"nobody":             {"id,name\n", nil},
		"ways": {"标识,姓名,语言,时区,免打扰,首选,仅呼叫,手机,企业微信,钉钉\na,甲,中文,Asia/Shanghai,22:00-7:00；周六、周日 00:00-24:00,企业微信 手机,手机,13800138000,JiaA,jia\nb,乙,,,,,,13900139000,YiB,\n", []Person{
			{
				ID: "a", Name: Text{Zh: "甲"}, Phone: "13800138000", Language: "zh", Zone: "Asia/Shanghai",
				Quiet:     []Quiet{{From: 22 * time.Hour, To: 7 * time.Hour}, {Days: []string{"sat", "sun"}, To: 24 * time.Hour}},
				Addresses: []Address{{Kind: "wecom", Is: "JiaA"}, {Kind: "phone", Is: "13800138000", For: "page"}, {Kind: "dingtalk", Is: "jia"}},
			},
			{ID: "b", Name: Text{Zh: "乙"}, Phone: "13900139000", Addresses: []Address{{Kind: "wecom", Is: "YiB"}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			read, people, problems := PeopleFile(Source{Name: "staff.CSV", Text: []byte(c.text)})
			if people == nil || len(problems) > 0 {
				t.Fatal(problems)
			}
			if name == "Unicode text" {
				if len(people.People) != 2 || people.People[1].Name.Zh != "张敏" || !strings.HasPrefix(string(read.Text), "标识\t") {
					t.Fatalf("%+v", people.People)
				}
				return
			}
			if !reflect.DeepEqual(people.People, c.want) {
				t.Errorf("got %+v\nwant %+v", people.People, c.want)
			}
		})
	}
	_, people, problems := PeopleFile(Source{Name: "p.yaml", Text: []byte("schema: holdfast/people@1\npeople:\n  - {id: a, name: A}\n")})
	if people == nil || len(people.People) != 1 {
		t.Fatal(problems)
	}
}

func TestBadTablesOfPeople(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "1:1 people.table-empty",
		"\n\n":                                   "1:1 people.table-empty",
		"name,phone\nA,123\n":                    "1:1 people.table-no-id",
		"id,phone\na,12345\n":                    "1:1 people.table-no-name",
		"id,name,ID\na,A,b\n":                    "1:9 people.table-column-twice",
		"id,name,salary\na,A,1\n":                "1:9 people.table-column",
		"id,name\na,A\nb,B\na,C\n":               "4:1 plan.twice",
		"id,name\na\n":                           "2:1 people.table-fields",
		"id,name\na,A,x\n":                       "2:1 people.table-fields",
		"id,name\na,A,,\n":                       "",
		"id,name\n,A\n":                          "2:1 people.table-missing",
		"id,name\na,\n":                          "2:1 people.table-missing",
		"标识,姓名,手机\na,甲,1.38E+10\n":               "2:5 plan.phone",
		"姓名,标识\n甲甲甲,E1024\n":                     "2:5 plan.person",
		"id,name,mail\na,A,nobody\n":             "2:5 plan.mail",
		"id,name,left\na,A,soon\n":               "2:5 config.date",
		"id,name,语言\na,A,fr\n":                   "2:5 people.language",
		"id,name,zone\na,A,Mars\n":               "2:5 config.zone",
		"id,name,quiet\na,A,night\n":             "2:5 people.quiet",
		"id,name,quiet\na,A,22:00-22:00\n":       "2:5 people.quiet",
		"id,name,免打扰\na,A,周八 22:00-7:00\n":       "2:5 people.quiet",
		"id,name,prefers\na,A,pigeon\n":          "2:5 people.way",
		"id,name,telegram\na,A,@x\n":             "2:5 people.address",
		"id,name,whatsapp\na,A,13800138000\n":    "2:5 people.address",
		"id,name\na,\"A\nB\"\n":                  "2:3 people.table-control",
		"id,name\n\"a,A\n":                       "2:5 people.table-quote",
		"id,name\na,A\"B\n":                      "2:4 people.table-quote",
		"id,name\na,\x00\n":                      "1:1 people.table-encoding",
		"id,name\na,\xff\xff\n":                  "1:1 people.table-encoding",
		"id,name\n" + strings.Repeat("x", 1<<20): "1:1 people.table-large",
	} {
		_, people, problems := PeopleFile(Source{Name: "staff.csv", Text: []byte(text)})
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.ID))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%.40q: got %q, want %q", text, got, want)
		}
		if (people == nil) != yamldoc.Failed(problems) {
			t.Errorf("%.40q: %v, and yet %v", text, problems, people)
		}
	}
}

// TestWaysToPeople reads what files say of the ways to a person, and says where it
// can't be meant.
func TestWaysToPeople(t *testing.T) {
	text := `schema: holdfast/people@1
people:
  - id: li.wei
    name: 李伟
    phone: "13800138000"
    mail: li.wei@example.com
    language: zh
    zone: Asia/Shanghai
    quiet: [{from: "22:00", to: "07:00"}, {days: [sat, sun], from: "00:00", to: "24:00"}]
    addresses:
      - {kind: wecom, is: LiWei}
      - {kind: phone, is: "13800138000", for: page}
`
	people, problems := ParsePeople(Source{Name: "people.yaml", Text: []byte(text)})
	if people == nil {
		t.Fatal(problems)
	}
	want := continuity.Person{
		ID: "li.wei", Names: map[string]string{"zh": "李伟"}, Language: "zh", Zone: "Asia/Shanghai",
		Quiet:     []continuity.QuietHours{{From: "22:00", To: "07:00"}, {Days: []string{"sat", "sun"}, From: "00:00", To: "24:00"}},
		Addresses: []continuity.Address{{Kind: "wecom", Value: "LiWei"}, {Kind: "phone", Value: "13800138000", For: "page"}, {Kind: "mail", Value: "li.wei@example.com"}},
	}
	if got := people.Persons()[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for from, to := range map[string][2]string{
		"is: LiWei":         {"is: 李伟", "11:27 people.address"},
		"kind: wecom":       {"kind: pigeon", "11:16 config.word"},
		"for: page":         {"for: fun", "12:47 config.word"},
		`to: "07:00"`:       {`to: "22:00"`, "9:33 people.quiet-empty"},
		"days: [sat, sun]":  {"days: [sat, holidays]", "9:56 config.word"},
		"language: zh":      {"language: fr", "7:15 config.word"},
		`is: "13800138000"`: {`is: "1.38E+10"`, "12:27 people.address"},
	} {
		_, problems := ParsePeople(Source{Name: "people.yaml", Text: []byte(strings.Replace(text, from, to[0], 1))})
		if len(problems) != 1 || fmt.Sprintf("%d:%d %s", problems[0].Line, problems[0].Column, problems[0].ID) != to[1] {
			t.Errorf("%s: %+v", to[0], problems)
		}
	}
}

func FuzzTablesOfPeople(f *testing.F) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(chinese)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{chinese, gbk, "\xef\xbb\xbfid,name\na,A\n", "\xff\xfei\x00d\x00", "id\tname\n\"a\n\"\tA\n", "id,name\n,\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		read, people, problems := PeopleFile(Source{Name: "x.csv", Text: text})
		if (people == nil) != yamldoc.Failed(problems) {
			t.Fatal(people, problems)
		}
		lines := strings.Split(string(read.Text), "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Line > len(lines) {
				t.Fatalf("%+v is nowhere", p)
			}
		}
		if people == nil {
			return
		}
		seen := map[string]bool{}
		for _, person := range people.People {
			if person.ID == "" || seen[person.ID] || person.Name == (Text{}) {
				t.Fatalf("%+v was let in", person)
			}
			seen[person.ID] = true
		}
	})
}

func TestMentions(t *testing.T) {
	p, problems, texts := parseFile(t, "../../examples/plans/payment-outage.yaml")
	if p == nil {
		t.Fatal(problems)
	}
	seen := map[string]bool{}
	for _, m := range p.Mentions() {
		line := []rune(strings.Split(string(texts[m.File]), "\n")[m.Line-1])
		if got := string(line[m.Column-1:]); !strings.HasPrefix(strings.Trim(got, `"'`), m.Person) || m.Service != p.ID {
			t.Errorf("%+v: there stands %q", m, got)
		}
		seen[m.Where] = true
	}
	if !seen["owner"] || len(seen) < 4 {
		t.Errorf("found only %v", seen)
	}
}
