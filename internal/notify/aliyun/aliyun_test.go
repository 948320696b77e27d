package aliyun

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/notify/sms"
	"holdfast/internal/secret"
)

// escaped is RFC 3986's percent-encoding, as the description of V3 has it.
func escaped(text string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(text))
}

func hashed(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func keyed(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

// signedAs is what the authorization of a request must be, computed from the
// description alone.
func signedAs(r *http.Request, body []byte, id, key string) string {
	names := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-acs-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var heads strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&heads, "%s:%s\n", name, strings.TrimSpace(value))
	}
	var query []string
	for name, values := range r.URL.Query() {
		query = append(query, escaped(name)+"="+escaped(values[0]))
	}
	slices.Sort(query)
	list := strings.Join(names, ";")
	canonical := strings.Join([]string{r.Method, "/", strings.Join(query, "&"), heads.String(), list, hashed(body)}, "\n")
	return "ACS3-HMAC-SHA256 Credential=" + id + ",SignedHeaders=" + list + ",Signature=" + keyed(key, "ACS3-HMAC-SHA256\n"+hashed([]byte(canonical)))
}

// TestTheDocumentationsExample holds the server's own computation to the fixed
// example of the provider's documentation.
func TestTheDocumentationsExample(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "https://ecs.cn-shanghai.aliyuncs.com/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", nil)
	for name, value := range map[string]string{
		"x-acs-action": "RunInstances", "x-acs-version": "2014-05-26", "x-acs-date": "2023-10-26T10:22:32Z",
		"x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-content-sha256": hashed(nil),
	} {
		r.Header.Set(name, value)
	}
	const want = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got := signedAs(r, nil, "YourAccessKeyId", "YourAccessKeySecret"); !strings.HasSuffix(got, "Signature="+want) {
		t.Error(got)
	}
	// And what is sent is signed as that.
	if err := signed(t.Context(), r, "/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "YourAccessKeyId", "YourAccessKeySecret",
		"RunInstances", "2014-05-26", time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC), "3156853299f313e23d1673dc12e1703d"); err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
		t.Error(got)
	}
}

const accessKey = "LTAI5tTest"

// provider is one that refuses what is not signed, and says what it is told to.
func provider(t *testing.T, status int, says string) (string, *[]url.Values) {
	t.Helper()
	var got []url.Values
	nonces := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		at, err := time.Parse("2006-01-02T15:04:05Z", r.Header.Get("x-acs-date"))
		nonce := r.Header.Get("x-acs-signature-nonce")
		if err != nil || time.Since(at).Abs() > 15*time.Minute || nonces[nonce] || nonce == "" || r.Header.Get("x-acs-content-sha256") != hashed(body) {
			t.Error(r.Header)
		}
		nonces[nonce] = true
		if r.Header.Get("Authorization") != signedAs(r, body, accessKey, "the-secret") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"RequestId":"R","Code":"SignatureDoesNotMatch","Message":"Specified signature does not match our calculation."}`)
			return
		}
		with := r.URL.Query()
		with.Set("action", r.Header.Get("x-acs-action")+" "+r.Header.Get("x-acs-version"))
		got = append(got, with)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, says)
	}))
	t.Cleanup(server.Close)
	return server.URL, &got
}

func account() Account { return Account{ID: accessKey, Key: secret.Ref{Name: "ALIYUN"}} }

func open(t *testing.T, kind notify.Kind, settings any) notify.Channel {
	t.Helper()
	c, err := kind.Open(settings, notifytest.Tools(t, map[string]string{"ALIYUN": "the-secret", "BACK": "back"}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func textsTo(t *testing.T, url string) notify.Channel {
	t.Helper()
	return approved{open(t, SMS, &SMSSettings{Account: account(), Sign: "某公司", URL: url, Callbacks: &sms.Callbacks{Key: secret.Ref{Name: "BACK"}}})}
}

// approved gives what is sent an approved text.
type approved struct{ notify.Channel }

func (a approved) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	with := *m
	with.To = "+86 138 0013 8001"
	with.Template = &notify.Template{Code: "SMS_1", Variables: map[string]string{"name": "订单 & 处理", "time": "14:30+*~"}, Order: []string{"name", "time"}}
	return a.Channel.Send(ctx, &with)
}

func TestATextIsSignedAndSaysWhatWasApproved(t *testing.T) {
	url, got := provider(t, 200, `{"Message":"OK","RequestId":"F65","BizId":"900619746936498440^0","Code":"OK"}`)
	sent, err := textsTo(t, url).Send(t.Context(), notifytest.Message())
	if err != nil || sent.ID != "900619746936498440^0" || sent.Arrived {
		t.Fatal(sent, err)
	}
	with := (*got)[0]
	var variables map[string]string
	if err := json.Unmarshal([]byte(with.Get("TemplateParam")), &variables); err != nil {
		t.Fatal(err)
	}
	with.Del("TemplateParam")
	want := map[string][]string{
		"PhoneNumbers": {"13800138001"}, "SignName": {"某公司"}, "TemplateCode": {"SMS_1"}, "OutId": {notifytest.Message().Key}, "action": {"SendSms 2017-05-25"},
	}
	if diff := cmp.Diff(want, map[string][]string(with)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"name": "订单 & 处理", "time": "14:30+*~"}, variables); diff != "" {
		t.Error(diff)
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, textsTo)
	notifytest.Failures(t, func(t *testing.T, url string) notify.Channel {
		return approved{open(t, Voice, &VoiceSettings{Account: account(), Times: 2, Key: "1", URL: url})}
	})
}

// TestAnErrorInsideA200 goes through the codes of the documentation.
func TestAnErrorInsideA200(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   notify.Failure
	}{
		{200, "isv.BUSINESS_LIMIT_CONTROL", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Minute}},
		{200, "isv.DAY_LIMIT_CONTROL", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Hour}},
		{200, "isv.AMOUNT_NOT_ENOUGH", notify.Failure{Code: notify.FailBalance}},
		{200, "isv.OUT_OF_SERVICE", notify.Failure{Code: notify.FailBalance}},
		{200, "isv.MOBILE_NUMBER_ILLEGAL", notify.Failure{Code: notify.FailAddress}},
		{200, "isv.SMS_TEMPLATE_ILLEGAL", notify.Failure{Code: notify.FailTemplate}},
		{200, "isv.TEMPLATE_MISSING_PARAMETERS", notify.Failure{Code: notify.FailTemplate}},
		{200, "isv.SMS_SIGNATURE_ILLEGAL", notify.Failure{Code: notify.FailTemplate}},
		{200, "isv.SMS_SIGNATURE_SCENE_ILLEGAL", notify.Failure{Code: notify.FailTemplate}},
		{200, "isv.SIGN_STATE_ILLEGAL", notify.Failure{Code: notify.FailTemplate}},
		{200, "isv.PARAM_LENGTH_LIMIT", notify.Failure{Code: notify.FailContent}},
		{200, "isv.BLACK_KEY_CONTROL_LIMIT", notify.Failure{Code: notify.FailContent}},
		{200, "isp.RAM_PERMISSION_DENY", notify.Failure{Code: notify.FailRefused}},
		{200, "isp.SYSTEM_ERROR", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
		{200, "isv.NEVER_HEARD_OF", notify.Failure{Code: notify.FailUnknown}},
		{400, "Throttling.User", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Second}},
		{404, "InvalidAccessKeyId.NotFound", notify.Failure{Code: notify.FailRefused}},
		{503, "ServiceUnavailable", notify.Failure{Code: notify.FailProvider, Retry: true}},
		{200, "", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
	} {
		url, _ := provider(t, c.status, `{"Message":"13800138001 says no","RequestId":"F65","Code":"`+c.code+`"}`)
		_, err := textsTo(t, url).Send(t.Context(), notifytest.Message())
		c.want.Status, c.want.Said = c.status, c.code
		if got := notifytest.Failed(t, err); *got != c.want {
			t.Errorf("%s: %+v, want %+v", c.code, *got, c.want)
		}
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	url, got := provider(t, 200, `{"Code":"OK"}`)
	c := approved{open(t, SMS, &SMSSettings{Account: Account{ID: accessKey, Key: secret.Ref{Name: "OTHER"}}, Sign: "某公司", URL: url})}
	_, err := c.Send(t.Context(), notifytest.Message())
	if f := notifytest.Failed(t, err); f.Code != notify.FailRefused || f.Said != "SignatureDoesNotMatch" || f.Retry || len(*got) != 0 {
		t.Errorf("%+v", *f)
	}
}

// TestNothingIsSentThatCannotArrive has no server to ask.
func TestNothingIsSentThatCannotArrive(t *testing.T) {
	c := open(t, SMS, &SMSSettings{Account: account(), Sign: "某公司", URL: "http://127.0.0.1:1"})
	none := notifytest.Message()
	nobody := notifytest.Message()
	nobody.To, nobody.Template = "li.wei", &notify.Template{Code: "SMS_1"}
	for code, m := range map[string]*notify.Message{notify.FailTemplate: none, notify.FailAddress: nobody} {
		_, err := c.Send(t.Context(), m)
		if f := notifytest.Failed(t, err); f.Code != code || f.Retry || f.Maybe {
			t.Errorf("%s: %+v", code, *f)
		}
	}
}

func TestACallReadsWhatWasApproved(t *testing.T) {
	url, got := provider(t, 200, `{"Code":"OK","Message":"OK","CallId":"116012854210^10281427","RequestId":"D9C"}`)
	c := approved{open(t, Voice, &VoiceSettings{Account: account(), Number: "05718888666", Times: 2, Key: "1", URL: url})}
	sent, err := c.Send(t.Context(), notifytest.Message())
	if err != nil || sent.ID != "116012854210^10281427" || sent.Arrived {
		t.Fatal(sent, err)
	}
	(*got)[0].Del("TtsParam")
	want := map[string][]string{
		"CalledNumber": {"13800138001"}, "CalledShowNumber": {"05718888666"}, "TtsCode": {"SMS_1"}, "PlayTimes": {"2"},
		"OutId": {notifytest.Message().Key}, "action": {"SingleCallByTts 2017-05-25"},
	}
	if diff := cmp.Diff(want, map[string][]string((*got)[0])); diff != "" {
		t.Error(diff)
	}
}

func received(t *testing.T, c notify.Channel, key, body string) (notify.Answer, []notify.Event, error) {
	t.Helper()
	if a, ok := c.(approved); ok {
		c = a.Channel
	}
	return c.(notify.Receiver).Receive(httptest.NewRequestWithContext(t.Context(), "POST", "/in/test?key="+key, nil), []byte(body))
}

func TestWhatBecameOfTextsAndWhatPeopleAnswer(t *testing.T) {
	c := textsTo(t, "http://127.0.0.1:1")
	const report = `[{"phone_number":"13800138001","send_time":"2026-03-02 08:00:00","report_time":"2026-03-02 08:00:05","success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1","biz_id":"9^0","out_id":"k"},
		{"phone_number":"13800138002","report_time":"2026-03-02 08:00:06","success":false,"err_code":"MOBILE_NOT_ON_SERVICE","err_msg":"停机","biz_id":"10^0"}]`
	const up = `[{"phone_number":"13800138001","send_time":"2026-03-02 08:01:00","content":"收到 k7f3q2","sign_name":"某公司","dest_code":"1234","sequence_id":1234567890}]`
	var got []notify.Event
	for _, body := range []string{report, up} {
		answer, events, err := received(t, c, "back", body)
		var said struct{ Code *int }
		if err != nil || json.Unmarshal(answer.Body, &said) != nil || said.Code == nil || *said.Code != 0 {
			t.Fatal(answer, err)
		}
		got = append(got, events...)
	}
	at := func(s int) time.Time { return time.Date(2026, 3, 2, 0, 0, s, 0, time.UTC) }
	want := []notify.Event{
		{Kind: notify.EventArrived, ID: "9^0", From: "+8613800138001", At: at(5)},
		{Kind: notify.EventFailed, ID: "10^0", From: "+8613800138002", At: at(6), Code: "MOBILE_NOT_ON_SERVICE"},
		{Kind: notify.EventReply, From: "+8613800138001", Text: "收到 k7f3q2", At: at(60)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, c := range map[string]struct{ key, body string }{"a stranger": {"other", report}, "nonsense": {"back", "{"}} {
		if _, events, err := received(t, textsTo(t, "http://127.0.0.1:1"), c.key, c.body); err == nil || events != nil {
			t.Errorf("%s is let in: %v", name, events)
		}
	}
}

func TestAKeyAcknowledges(t *testing.T) {
	c := open(t, Voice, &VoiceSettings{Account: account(), Key: "1", Callbacks: &sms.Callbacks{Key: secret.Ref{Name: "BACK"}}})
	var got []notify.Event
	for _, body := range []string{
		`[{"status_code":"300000","smart_status_code":"ANSWERED","dtmf":"1","status_time":"2026-03-02 08:00:20","out_id":"k","call_id":"1^2"}]`,
		`[{"status_code":"300000","dtmf":"9","status_time":"2026-03-02 08:00:21","call_id":"1^3"}]`,
		`[{"status_code":"200000","hangup_direction":"用户","callee":"13800138001","duration":"49","start_time":"2026-03-02 08:00:10","end_time":"2026-03-02 08:00:59","call_id":"1^2","originate_time":"2026-03-02 08:00:00"}]`,
		`[{"status_code":"200005","callee":"13800138001","duration":"0","start_time":"","end_time":"","call_id":"1^4","originate_time":"2026-03-02 08:00:00"}]`,
	} {
		_, events, err := received(t, c, "back", body)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, events...)
	}
	at := func(s int) time.Time { return time.Date(2026, 3, 2, 0, 0, s, 0, time.UTC) }
	want := []notify.Event{
		{Kind: notify.EventAcknowledged, ID: "1^2", Text: "1", At: at(20)},
		{Kind: notify.EventReply, ID: "1^3", Text: "9", At: at(21)},
		{Kind: notify.EventArrived, ID: "1^2", From: "+8613800138001", At: at(10)},
		{Kind: notify.EventFailed, ID: "1^4", From: "+8613800138001", Code: "200005"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, _, err := received(t, c, "", "[]"); err == nil {
		t.Error("a stranger is let in")
	}
}
