package catalogue

import "testing"

func TestChineseTextsTakeNoSpaceBetweenChineseWords(t *testing.T) {
	for _, c := range []struct{ name, text, with, want string }{
		{"Latin words keep it", "用 {{.x}} 打开", "vim", "用 vim 打开"},
		{"Chinese words need none", "用 {{.x}} 打开", "浏览器", "用浏览器打开"},
		{"each side by itself", "每 {{.x}} 重算", "15 秒", "每 15 秒重算"},
		{"punctuation keeps it", "此处是 {{.x}}", "：", "此处是 ："},
		{"what is within stays", "服务 {{.x}}", "网上 商城", "服务网上 商城"},
		{"nothing between", "已{{.x}}", "完成", "已完成"},
		{"empty", "用 {{.x}} 打开", "", "用  打开"},
	} {
		parsed, err := chinese{}.Parse(c.text, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Execute(Args{"x": c.with}); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}
