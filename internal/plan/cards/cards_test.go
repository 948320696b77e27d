package cards

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
)

var update = flag.Bool("update", false, "write golden files anew")

func words(text string) Words { return Words{Text: text, At: "plan.yaml:7:3"} }

func list(texts ...string) []Words {
	all := make([]Words, len(texts))
	for i, t := range texts {
		all[i] = words(t)
	}
	return all
}

var made = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func chinese() *Plan {
	return &Plan{
		Lang: catalogue.Zh, Service: words("电商订单处理"), Version: words("7"), Made: made, ValidUntil: made.AddDate(0, 6, 0),
		Roles: []Role{
			{Name: words("应急负责人"), May: words("宣布、切换、发布"), People: []Person{
				{words("李伟"), words("138 0013 8000")}, {words("张珺"), words("139 0013 9000")},
			}},
			{Name: words("技术恢复"), People: []Person{{words("陈镕"), words("137 0013 7000")}}},
		},
		Talk:      []Channel{{words("企业微信“应急”群"), words("二维码贴在机房门内侧")}, {words("备用邮箱"), words("standby@example.com")}, {words("电话会议"), words("400 670 1234，密码 8826#")}},
		Grades:    []Grade{{Name: words("SEV-1 重大"), When: words("无法下单"), FirstMessage: 5 * time.Minute, Update: 20 * time.Minute, Recover: 90 * time.Minute}},
		Providers: []Provider{{words("云厂商"), words("400 820 8820"), list("合同 HT-2026-017")}},
		Scenarios: []Scenario{{
			Name: words("数据库不可用（Database gone）"), Grade: words("SEV-1 重大"), Steps: steps(), Runbook: words("恢复订单"),
			Talk:      []Channel{{words("企业微信“应急”群"), words("二维码贴在机房门内侧")}, {words("备用邮箱"), words("standby@example.com")}},
			Meanwhile: []Interim{{Name: words("电话接单"), How: words("用表单登记，恢复后录入。"), For: list("销售部：接单")}},
			Providers: []Provider{{Name: words("云厂商"), Phone: words("400 820 8820")}},
		}},
		Interim: []Interim{{
			Name: words("电话接单"), How: words("用表单登记，恢复后录入。"), For: list("销售部：接单", "客服部：查询"),
			Approved: words("李伟，2026-03-02"), Lasts: 48 * time.Hour, Checklist: words("电话接单之前"),
		}},
		Runbooks:   []Runbook{{Name: words("恢复订单"), About: words("数据库坏了或丢了"), Steps: steps()}},
		Messages:   []Message{{words("首次通告，客户"), words("电商订单处理暂时不可用，预计 ________ 恢复。")}},
		Checklists: []Checklist{{Name: words("维护窗口之前"), Owner: words("技术恢复"), Items: []Item{{Say: words("备份已完成并且打开检查过")}, {words("回退步骤已演练"), words("技术恢复")}, {Say: words("客户通知已发出：5 天、3 天、1 天、1 小时")}}}},
		Selfhelp:   []Guide{{Name: words("收不到登录验证码"), Steps: list("等待 60 秒后重试一次", "检查手机信号与短信拦截", "改用备用邮箱登录；不要反复点击“发送”")}},
	}
}

func steps() []Step {
	return []Step{
		{Say: words("暂存订单：holdfast relay mode orders hold"), Who: words("技术恢复"), Within: 2 * time.Minute, Also: list("证明：订单路由显示“暂存”", "未完成：停止")},
		{Say: words("告知客户：“订单照常接收，处理稍有延迟。”不要承诺恢复时间，除非技术恢复负责人已经确认。"), Who: words("客户联络"), Within: 5 * time.Minute},
		{Say: words("切换到备用数据库，核对 ① 订单总数；② 金额合计"), Who: words("技术恢复"), Within: 30 * time.Minute},
		{Say: words("核对一致后由应急负责人批准"), Who: words("应急负责人")},
		{Say: words("有序回放积压的请求"), Who: words("技术恢复")},
		{Say: words("第六步"), Who: words("技术恢复")},
		{Say: words("第七步"), Who: words("技术恢复")},
	}
}

func english() *Plan {
	return &Plan{
		Lang: catalogue.En, Service: words("Order processing"), Version: words("7"), Made: made,
		Roles:     []Role{{Name: words("commander"), People: []Person{{words("Li Wei"), words("+86 138 0013 8000")}}}},
		Talk:      []Channel{{words("Conference bridge"), words("400 670 1234, PIN 8826#")}},
		Grades:    []Grade{{Name: words("SEV-1"), FirstMessage: 5 * time.Minute, Recover: time.Hour}},
		Scenarios: []Scenario{{Name: words("Database gone"), Grade: words("SEV-1"), Steps: []Step{{Say: words("Hold the route: https://relay.example.internal/.holdfast/admin/v1/routes/orders/mode?to=hold&reason=database"), Who: words("technical"), Within: time.Minute}}}},
	}
}

// pdf prints a plan and returns the file's name.
func pdf(t *testing.T, p *Plan) string {
	t.Helper()
	printed, lacking, err := PDF(p, Options{})
	if err != nil || len(lacking) > 0 { // no font has Chinese: make fonts
		t.Fatal(err, lacking)
	}
	file := filepath.Join(t.TempDir(), "cards.pdf")
	if err := os.WriteFile(file, printed, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func poppler(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatal(name + " is not installed: make needs")
	}
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

func TestTextOfPDFCanBeReadBack(t *testing.T) {
	for name, p := range map[string]*Plan{"zh": chinese(), "en": english()} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", poppler(t, "pdftotext", "-raw", "-enc", "UTF-8", pdf(t, p), "-"))
		})
	}
}

func TestPagesAndFonts(t *testing.T) {
	file := pdf(t, chinese())
	info := poppler(t, "pdfinfo", "-f", "1", "-l", "6", file)
	for i, size := range []string{"297.64 x 419.53", "297.64 x 419.53", "297.64 x 419.53", "297.64 x 419.53", "595.28 x 841.89", "595.28 x 841.89"} {
		if want := regexp.MustCompile(fmt.Sprintf(`Page +%d size: +%s pts`, i+1, regexp.QuoteMeta(size))); !want.MatchString(info) {
			t.Errorf("no %s in\n%s", want, info)
		}
	}
	fonts := poppler(t, "pdffonts", file)
	for _, line := range strings.Split(strings.TrimSpace(fonts), "\n")[2:] {
		if !strings.Contains(line, "yes no  yes") { // embedded, with Unicode; the subset bears no tag
			t.Error(line)
		}
	}
	size, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if size.Size() > 150_000 {
		t.Errorf("%d bytes for eight pages: fonts are not cut down", size.Size())
	}
}

func TestSameBytesForTheSamePlan(t *testing.T) {
	first, err := os.ReadFile(pdf(t, chinese()))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := os.ReadFile(pdf(t, chinese()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("two prints differ")
		}
	}
}

func TestNoInkOutsideTheMargins(t *testing.T) {
	p := chinese()
	p.Scenarios[0].Name = words(strings.Repeat("Donaudampfschifffahrtsgesellschaft", 4))
	p.Roles[0].People[0].Name = words(strings.Repeat("很长的名字，", 30))
	box := poppler(t, "pdftotext", "-bbox", pdf(t, p), "-")
	page := regexp.MustCompile(`<page width="([\d.]+)" height="([\d.]+)">|xMax="([\d.]+)" yMax="([\d.]+)"`)
	var w, h float64
	found := 0
	for _, m := range page.FindAllStringSubmatch(box, -1) {
		if m[1] != "" {
			scan(t, m[1], &w)
			scan(t, m[2], &h)
			continue
		}
		var x, y float64
		scan(t, m[3], &x)
		scan(t, m[4], &y)
		if x > w-10 || y > h {
			t.Errorf("text ends at %v,%v of %v,%v", x, y, w, h)
		}
		found++
	}
	if found < 20 {
		t.Errorf("%d words", found)
	}
}

func scan(t *testing.T, text string, to *float64) {
	t.Helper()
	if _, err := fmt.Sscan(text, to); err != nil {
		t.Fatal(err)
	}
}

func TestWhatNoFontHasIsAnError(t *testing.T) {
	p := english()
	p.Roles[0].People[0].Name = Words{Text: "Li \U00020BB7 Wei", At: "people.yaml:4:11"}
	printed, lacking, err := PDF(p, Options{})
	if err != nil || printed != nil || len(lacking) != 1 {
		t.Fatal(err, len(printed), lacking)
	}
	for lang, want := range map[catalogue.Lang]string{
		catalogue.En: "people.yaml:4:11: no font has “\U00020BB7” (U+20BB7), in “Li \U00020BB7 Wei”. Write it in another way, or give a TrueType font that has it.",
		catalogue.Zh: "people.yaml:4:11：所有字体都没有“\U00020BB7”（U+20BB7），位于“Li \U00020BB7 Wei”。请换一种写法，或提供含有该字符的 TrueType 字体。",
	} {
		if got := lacking[0].Message(lang); got != want {
			t.Errorf("%s", got)
		}
	}
}

func TestEveryTextIsLookedAtForLacks(t *testing.T) {
	const no = "\u0e01\u0e02" // Thai, which no embedded font has
	p := chinese()
	p.Service.Text += no
	p.Roles[0].Name.Text += no
	p.Talk[1].How.Text += no
	p.Grades[0].When.Text += no
	p.Scenarios[0].Steps[2].Who.Text += no
	p.Checklists[0].Items[1].Say.Text += no
	p.Selfhelp[0].Steps[2].Text += no
	p.Providers[0].Ways[0].Text += no
	p.Interim[0].Approved.Text += no
	p.Runbooks[0].Steps[0].Also[1].Text += no
	p.Messages[0].Text.Text += no
	_, lacking, err := PDF(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(lacking) != 2 {
		t.Fatal("each character once:", lacking)
	}
	for _, l := range lacking {
		if len(l.In) != 11 {
			t.Errorf("%q: %d texts: %v", l.Char, len(l.In), l.In)
		}
		if want := "and 10 more texts"; !strings.Contains(l.Message(catalogue.En), want) {
			t.Errorf("no %q: %s", want, l.Message(catalogue.En))
		}
	}
}

func TestABuildWithoutTheChineseFontSaysSoOnce(t *testing.T) {
	faces, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	latin := slices.DeleteFunc(slices.Clone(faces), func(f *face) bool { return f.family == "chinese" })
	if found, err := lacks(latin, printer{chinese()}.sheets()); !errors.Is(err, ErrNoChinese) || found != nil {
		t.Error(found, err)
	}
	// Chinese is not to blame where none is needed.
	p := english()
	p.Service.Text += "\u0e01"
	if found, err := lacks(latin, printer{p}.sheets()); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
	// A name that the Chinese font lacks is named.
	p.Service.Text = "李\U00020BB7"
	if found, err := lacks(faces, printer{p}.sheets()); err != nil || len(found) != 1 || found[0].Char != 0x20BB7 {
		t.Error(found, err)
	}
}

func TestOwnFontFillsIn(t *testing.T) {
	if _, _, err := PDF(english(), Options{Font: []byte("no font")}); err == nil {
		t.Error("a font that is none was taken")
	}
}

func TestHTMLNeedsNothingElse(t *testing.T) {
	for name, p := range map[string]*Plan{"zh": chinese(), "en": english()} {
		var out bytes.Buffer
		p.Scenarios[0].Name = words(p.Scenarios[0].Name.Text + " <script>")
		if err := HTML(&out, p); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".html", out.String())
		if bad := regexp.MustCompile(`(?i)<script|<link|<img|url\(|@import|src=`).FindString(out.String()); bad != "" {
			t.Errorf("%s: %q", name, bad)
		}
	}
}
