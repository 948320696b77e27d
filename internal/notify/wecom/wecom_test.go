package wecom

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const (
	corp     = "ww1234567890abcdef"
	appKey   = "app-secret+/="
	hookKey  = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
	callback = "callback-token"
)

var aesKey = base64.RawStdEncoding.EncodeToString([]byte("0123456789abcdef0123456789ABCDEF"))

func tools(t *testing.T) notify.Tools {
	return notifytest.Tools(t, map[string]string{"APP": appKey, "HOOK": hookKey, "TOKEN": callback, "KEY": aesKey})
}

func appAt(t *testing.T, url string) *app {
	t.Helper()
	c, err := Kind.Open(&Settings{
		API: url, Corp: corp, Agent: 1000002, Secret: secret.Ref{Name: "APP"}, Party: "2",
		Callback: &Callback{Token: secret.Ref{Name: "TOKEN"}, Key: secret.Ref{Name: "KEY"}},
	}, tools(t))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*app)
}

func robotAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := RobotKind.Open(&RobotSettings{API: url, Webhook: secret.Ref{Name: "HOOK"}}, tools(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fake is WeCom: it issues tokens, knows which are good, and answers what the test
// wants.
type fake struct {
	*httptest.Server

	issued atomic.Int64
	good   atomic.Pointer[string] // nil: the one issued last
	says   atomic.Pointer[string]
	token  atomic.Pointer[string] // what gettoken says in place of a token
	sent   chan map[string]any
}

func wecom(t *testing.T) *fake {
	f := &fake{sent: make(chan map[string]any, 100)}
	f.says.Store(new(`{"errcode":0,"errmsg":"ok","msgid":"msg-1"}`))
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		query := r.URL.Query()
		switch r.URL.Path {
		case "/cgi-bin/gettoken":
			switch {
			case f.token.Load() != nil:
				fmt.Fprint(w, *f.token.Load())
			case r.Method != http.MethodGet || query.Get("corpid") != corp || query.Get("corpsecret") != appKey:
				fmt.Fprint(w, `{"errcode":40001,"errmsg":"invalid credential"}`)
			default:
				fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","access_token":"token/%d","expires_in":7200}`, f.issued.Add(1))
			}
			return
		case "/cgi-bin/message/send":
			want := "token/" + strconv.FormatInt(f.issued.Load(), 10)
			if g := f.good.Load(); g != nil {
				want = *g
			}
			if query.Get("access_token") != want {
				fmt.Fprint(w, `{"errcode":42001,"errmsg":"access_token expired, hint: [1570003400_0_x], more info at https://open.work.weixin.qq.com/"}`)
				return
			}
		case "/cgi-bin/webhook/send":
			if query.Get("key") != hookKey {
				fmt.Fprint(w, `{"errcode":93000,"errmsg":"invalid webhook url, hint: [x]"}`)
				return
			}
		default:
			t.Error(r.URL)
		}
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if bytes.Contains(text, []byte(`\u`)) { // WeCom answers 40033 to these
			t.Errorf("%s", text)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Error(err)
		}
		f.sent <- got
		fmt.Fprint(w, *f.says.Load())
	}))
	t.Cleanup(f.Close)
	return f
}

func contentOf(got map[string]any) string { return got["text"].(map[string]any)["content"].(string) }

func TestAnAppsMessage(t *testing.T) {
	f := wecom(t)
	c := appAt(t, f.URL)
	m := notifytest.Message()
	m.Text = `<@zhangsan> <a href="https://evil.example">click</a> 1 < 2 & 3 > 2`
	for range 2 {
		sent, err := c.Send(t.Context(), m)
		if err != nil || sent.ID != "msg-1" || !sent.Arrived {
			t.Fatal(sent, err)
		}
		got := <-f.sent
		if got["touser"] != m.To || got["toparty"] != nil || got["msgtype"] != "text" || got["agentid"] != 1000002.0 {
			t.Error(got)
		}
		want := m.Subject + "\n<\u2060@zhangsan> <\u2060a href=\"https://evil.example\">click<\u2060/a> 1 <\u2060 2 & 3 > 2\n" + m.Link
		if contentOf(got) != want {
			t.Errorf("%q", contentOf(got))
		}
	}
	if f.issued.Load() != 1 {
		t.Error("a token for each message")
	}

	m.To, m.Text = "", strings.Repeat("火", 3000)
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := <-f.sent
	if n := len(contentOf(got)); got["toparty"] != "2" || got["touser"] != nil || n > longest || n < longest-4 || !strings.HasSuffix(contentOf(got), "火…\n"+m.Link) {
		t.Error(n, got["toparty"], got["touser"])
	}
	for _, everybody := range []string{"@all", "li.wei|zhang.san"} {
		m.To = everybody
		_, err := c.Send(t.Context(), m)
		if got := notifytest.Failed(t, err); got.Code != notify.FailAddress || len(f.sent) > 0 {
			t.Errorf("%s: %+v", everybody, *got)
		}
	}
}

func TestATokenIsExchangedOnce(t *testing.T) {
	f := wecom(t)
	c := appAt(t, f.URL)
	if _, err := c.Send(t.Context(), notifytest.Message()); err != nil {
		t.Fatal(err)
	}
	f.issued.Add(1) // somebody else asked for one: ours is over
	if _, err := c.Send(t.Context(), notifytest.Message()); err != nil {
		t.Fatal(err)
	}
	if f.issued.Load() != 3 || len(f.sent) != 2 {
		t.Error(f.issued.Load(), len(f.sent))
	}

	f.good.Store(new("none")) // WeCom refuses every token
	_, err := c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailRefused || got.Said != "42001" || f.issued.Load() != 4 {
		t.Errorf("%+v, %d tokens", *got, f.issued.Load())
	}
	f.good.Store(nil)

	for what, change := range map[string]func(){
		"is over soon":        func() { now := time.Now().Add(2*time.Hour - early); c.tools.Now = func() time.Time { return now } },
		"is another app's":    func() { c.access.secret = "before" },
		"was never asked for": func() { c.access = access{turn: make(chan struct{}, 1)} },
	} {
		before := f.issued.Load()
		change()
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if _, err := c.Send(t.Context(), notifytest.Message()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if f.issued.Load() != before+1 {
			t.Errorf("%s: %d tokens", what, f.issued.Load()-before)
		}
	}
}

func TestWhatWeComSays(t *testing.T) {
	for body, want := range map[string]notify.Failure{
		`{"errcode":-1,"errmsg":"system busy"}`:                         {Code: notify.FailProvider, Retry: true, Status: 200, Said: "-1"},
		`{"errcode":40003,"errmsg":"invalid userid"}`:                   {Code: notify.FailAddress, Status: 200, Said: "40003"},
		`{"errcode":40056,"errmsg":"invalid agentid"}`:                  {Code: notify.FailSettings, Status: 200, Said: "40056"},
		`{"errcode":45009,"errmsg":"api freq out of limit"}`:            {Code: notify.FailRate, Retry: true, After: time.Minute, Status: 200, Said: "45009"},
		`{"errcode":45033,"errmsg":"api concurrent out of limit"}`:      {Code: notify.FailRate, Retry: true, After: time.Second, Status: 200, Said: "45033"},
		`{"errcode":45002,"errmsg":"content size out of limit"}`:        {Code: notify.FailContent, Status: 200, Said: "45002"},
		`{"errcode":60020,"errmsg":"not allow to access from your ip"}`: {Code: notify.FailRefused, Status: 200, Said: "60020"},
		`{"errcode":93000,"errmsg":"invalid webhook url"}`:              {Code: notify.FailRefused, Status: 200, Said: "93000"},
		`{"errcode":123456,"errmsg":"new"}`:                             {Code: notify.FailUnknown, Retry: true, Status: 200, Said: "123456"},
		`{}`:                                                            {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
		`<html>`:                                                        {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
	} {
		f := wecom(t)
		f.says.Store(&body)
		for what, c := range map[string]notify.Channel{"app": appAt(t, f.URL), "robot": robotAt(t, f.URL)} {
			_, err := c.Send(t.Context(), notifytest.Message())
			if got := notifytest.Failed(t, err); *got != want {
				t.Errorf("%s: %s: %+v, want %+v", what, body, *got, want)
			}
		}
	}
	for _, body := range []string{
		`{"errcode":0,"errmsg":"ok","invaliduser":"+8613800138001","msgid":"x"}`, `{"errcode":0,"errmsg":"ok","unlicenseduser":"li.wei"}`,
		`{"errcode":81013,"errmsg":"user & party & tag all invalid"}`, `{"errcode":0,"errmsg":"ok","invalidparty":"2"}`,
	} {
		f := wecom(t)
		f.says.Store(&body)
		_, err := appAt(t, f.URL).Send(t.Context(), notifytest.Message())
		if got := notifytest.Failed(t, err); got.Code != notify.FailAddress || got.Retry {
			t.Errorf("%s: %+v", body, *got)
		}
	}
	for body, want := range map[string]string{
		`{"errcode":40001,"errmsg":"invalid credential"}`: notify.FailRefused, `{"errcode":40013,"errmsg":"invalid corpid"}`: notify.FailSettings,
		`{"errcode":0,"errmsg":"ok"}`: notify.FailProvider, `{"errcode":45009}`: notify.FailRate, `<html>`: notify.FailProvider,
	} {
		f := wecom(t)
		f.token.Store(&body)
		_, err := appAt(t, f.URL).Send(t.Context(), notifytest.Message())
		if got := notifytest.Failed(t, err); got.Code != want || got.Maybe || len(f.sent) > 0 {
			t.Errorf("%s: %+v", body, *got)
		}
	}
}

func TestARobotsMessage(t *testing.T) {
	f := wecom(t)
	whole, err := RobotKind.Open(&RobotSettings{API: "http://127.0.0.1:1", Webhook: secret.Ref{Name: "WHOLE"}},
		notifytest.Tools(t, map[string]string{"WHOLE": f.URL + "/cgi-bin/webhook/send?key=" + hookKey}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []notify.Channel{robotAt(t, f.URL), whole} {
		sent, err := c.Send(t.Context(), notifytest.Message())
		if err != nil || !sent.Arrived {
			t.Fatal(sent, err)
		}
		got := <-f.sent
		if got["msgtype"] != "text" || got["agentid"] != nil || got["touser"] != nil || !strings.HasSuffix(contentOf(got), "\n"+notifytest.Message().Link) || len(got["text"].(map[string]any)) != 1 {
			t.Error(got)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Run("robot", func(t *testing.T) { notifytest.Failures(t, robotAt) })
	t.Run("app", func(t *testing.T) {
		notifytest.Failures(t, func(t *testing.T, url string) notify.Channel {
			c := appAt(t, url) // that has a token already
			c.access.token, c.access.secret, c.access.until = "t", appKey, time.Now().Add(time.Hour)
			return c
		})
	})
	c := appAt(t, "http://127.0.0.1:1")
	c.Secret.Name = "MISSING"
	_, err := c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailSettings {
		t.Errorf("%+v", *got)
	}
	c = appAt(t, "http://127.0.0.1:1")
	c.Party = ""
	m := notifytest.Message()
	m.To = ""
	_, err = c.Send(t.Context(), m)
	if got := notifytest.Failed(t, err); got.Code != notify.FailAddress {
		t.Errorf("%+v", *got)
	}
}

// seal does what WeCom does.
func seal(t *testing.T, text, whom string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 16, 256)
	_, _ = rand.Read(data)
	data = binary.BigEndian.AppendUint32(data, uint32(len(text)))
	data = append(append(data, text...), whom...)
	pad := 32 - len(data)%32
	data = append(data, bytes.Repeat([]byte{byte(pad)}, pad)...)
	ciph, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(ciph, key[:16]).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

func signed(sealed string, at time.Time, token string) url.Values {
	stamp, nonce := strconv.FormatInt(at.Unix(), 10), "1597212914"
	parts := []string{token, stamp, nonce, sealed}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return url.Values{"msg_signature": {hex.EncodeToString(sum[:])}, "timestamp": {stamp}, "nonce": {nonce}}
}

func TestCallbacks(t *testing.T) {
	c := appAt(t, "http://127.0.0.1:1")
	now := time.Now()

	sealed := seal(t, "1616140317555161061", corp)
	query := signed(sealed, now, callback)
	query.Set("echostr", sealed)
	answer, events, err := c.Receive(httptest.NewRequest(http.MethodGet, "/in/test?"+query.Encode(), nil), nil)
	if err != nil || string(answer.Body) != "1616140317555161061" || len(events) > 0 {
		t.Errorf("%s, %v", answer.Body, err)
	}

	post := func(sealed string, query url.Values) (notify.Answer, []notify.Event, error) {
		body := "<xml><ToUserName><![CDATA[" + corp + "]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID><Encrypt><![CDATA[" + sealed + "]]></Encrypt></xml>"
		return c.Receive(httptest.NewRequest(http.MethodPost, "/in/test?"+query.Encode(), strings.NewReader(body)), []byte(body))
	}
	text := "<xml><ToUserName><![CDATA[" + corp + "]]></ToUserName><FromUserName><![CDATA[li.wei]]></FromUserName><CreateTime>1760000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[收到 k7f3q2]]></Content><MsgId>1234567890123456</MsgId><AgentID>1000002</AgentID></xml>"
	sealed = seal(t, text, corp)
	answer, events, err = post(sealed, signed(sealed, now, callback))
	want := notify.Event{Kind: notify.EventReply, From: "li.wei", Text: "收到 k7f3q2", At: time.Unix(1760000000, 0).UTC()}
	if err != nil || len(events) != 1 || events[0] != want || len(answer.Body) > 0 {
		t.Errorf("%+v, %v", events, err)
	}
	other := seal(t, strings.Replace(text, "[text]", "[event]", 1), corp)
	if _, events, err := post(other, signed(other, now, callback)); err != nil || len(events) > 0 {
		t.Errorf("%+v, %v", events, err)
	}

	foreign := seal(t, text, "ww-another")
	flipped := []byte(sealed)
	flipped[5] ^= 1
	for what, try := range map[string]struct {
		sealed string
		query  url.Values
	}{
		"another token":    {sealed, signed(sealed, now, "another")},
		"no signature":     {sealed, url.Values{}},
		"old":              {sealed, signed(sealed, now.Add(-mostAge-time.Minute), callback)},
		"another text":     {other, signed(sealed, now, callback)},
		"another company":  {foreign, signed(foreign, now, callback)},
		"broken":           {string(flipped), signed(sealed, now, callback)},
		"not even blocks":  {"AAAA", signed("AAAA", now, callback)},
		"no base64":        {"%%%", signed("%%%", now, callback)},
		"nothing":          {"", signed("", now, callback)},
		"a block of zeros": {base64.StdEncoding.EncodeToString(make([]byte, 16)), signed(base64.StdEncoding.EncodeToString(make([]byte, 16)), now, callback)},
	} {
		if answer, events, err := post(try.sealed, try.query); err == nil || len(events) > 0 || len(answer.Body) > 0 {
			t.Errorf("%s: %v", what, events)
		}
	}
	c.Callback = nil
	if _, _, err := post(sealed, signed(sealed, now, callback)); err == nil {
		t.Error("an app without a callback believes everybody")
	}
}
