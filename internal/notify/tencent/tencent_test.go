package tencent

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/notify/sms"
	"holdfast/internal/secret"
)

func hashed(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func keyed(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// signedAs is what the authorization of a request must be, computed from the
// description alone, over the fields that the request says are signed.
func signedAs(r *http.Request, body []byte, id, key, service string) string {
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	var heads strings.Builder
	for _, name := range strings.Split(names, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		heads.WriteString(name + ":" + strings.ToLower(value) + "\n")
	}
	stamp := r.Header.Get("X-TC-Timestamp")
	seconds, _ := strconv.ParseInt(stamp, 10, 64)
	date := time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	canonical := strings.Join([]string{r.Method, "/", r.URL.RawQuery, heads.String(), names, hashed(body)}, "\n")
	scope := date + "/" + service + "/tc3_request"
	text := strings.Join([]string{"TC3-HMAC-SHA256", stamp, scope, hashed([]byte(canonical))}, "\n")
	signing := keyed(keyed(keyed([]byte("TC3"+key), date), service), "tc3_request")
	return "TC3-HMAC-SHA256 Credential=" + id + "/" + scope + ", SignedHeaders=" + names + ", Signature=" + hex.EncodeToString(keyed(signing, text))
}

// TestTheDocumentationsExample holds the server's own computation to the example
// of the provider's documentation, whose secrets end in asterisks as they stand
// there.
func TestTheDocumentationsExample(t *testing.T) {
	body := []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "https://cvm.tencentcloudapi.com/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-TC-Timestamp", "1551113065")
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential=x, SignedHeaders=content-type;host, Signature=x")
	const want = "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c"
	if got := signedAs(r, body, "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******", "Gu5t9xGARNpq86cd98joQYCN3*******", "cvm"); !strings.HasSuffix(got, "Signature="+want) {
		t.Error(got)
	}
}

const secretID = "AKIDTest"

type request struct {
	Action, Version, Region string
	Body                    map[string]any
}

// provider is one that refuses what is not signed, and says what it is told to.
func provider(t *testing.T, service string, status int, says string) (string, *[]request) {
	t.Helper()
	var got []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		at, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
		signs := r.Header.Get("Authorization")
		if err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute || !strings.Contains(signs, "SignedHeaders=content-type;host") {
			t.Error(r.Header)
		}
		if signs != signedAs(r, body, secretID, "the-secret", service) {
			_, _ = io.WriteString(w, `{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"The provided credentials could not be validated."},"RequestId":"ed93f3cb"}}`)
			return
		}
		one := request{Action: r.Header.Get("X-TC-Action"), Version: r.Header.Get("X-TC-Version"), Region: r.Header.Get("X-TC-Region")}
		if err := json.Unmarshal(body, &one.Body); err != nil {
			t.Error(err)
		}
		got = append(got, one)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, says)
	}))
	t.Cleanup(server.Close)
	return server.URL, &got
}

func account() Account { return Account{ID: secretID, Key: secret.Ref{Name: "TENCENT"}} }

func open(t *testing.T, kind notify.Kind, settings any) notify.Channel {
	t.Helper()
	c, err := kind.Open(settings, notifytest.Tools(t, map[string]string{"TENCENT": "the-secret", "BACK": "back"}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func callbacks() *sms.Callbacks { return &sms.Callbacks{Key: secret.Ref{Name: "BACK"}} }

func textsTo(t *testing.T, url string) notify.Channel {
	t.Helper()
	return approved{open(t, SMS, &SMSSettings{Account: account(), App: "1400006666", Sign: "某公司", Region: "ap-guangzhou", URL: url, Callbacks: callbacks()})}
}

func callsTo(t *testing.T, url string) notify.Channel {
	t.Helper()
	return approved{open(t, Voice, &VoiceSettings{Account: account(), App: "1400006667", Times: 3, Key: "1", Region: "ap-guangzhou", URL: url, Callbacks: callbacks()})}
}

// approved gives what is sent an approved text.
type approved struct{ notify.Channel }

func (a approved) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	with := *m
	with.To = "138 0013 8001"
	with.Template = &notify.Template{Code: "1110", Variables: map[string]string{"2": "14:30", "1": "订单处理"}, Order: []string{"1", "2"}}
	return a.Channel.Send(ctx, &with)
}

func TestATextIsSignedAndItsVariablesAreInOrder(t *testing.T) {
	url, got := provider(t, "sms", 200, `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8613800138001","Fee":2,"SessionContext":"k","Code":"Ok","Message":"send success","IsoCode":"CN"}],"RequestId":"a0aa"}}`)
	sent, err := textsTo(t, url).Send(t.Context(), notifytest.Message())
	if want := (notify.Sent{ID: "5000:1045710669157053657849499619", Fraction: 2}); err != nil || sent != want {
		t.Fatal(sent, err)
	}
	want := []request{{"SendSms", "2021-01-11", "ap-guangzhou", map[string]any{
		"PhoneNumberSet": []any{"+8613800138001"}, "SmsSdkAppId": "1400006666", "SignName": "某公司", "TemplateId": "1110",
		"TemplateParamSet": []any{"订单处理", "14:30"}, "SessionContext": notifytest.Message().Key,
	}}}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Error(diff)
	}
}

func TestACallReadsWhatWasApproved(t *testing.T) {
	url, got := provider(t, "vms", 200, `{"Response":{"SendStatus":{"CallId":"12582bce-403c-11eb-96b8-525400476c37","SessionContext":"k"},"RequestId":"9126"}}`)
	sent, err := callsTo(t, url).Send(t.Context(), notifytest.Message())
	if err != nil || sent.ID != "12582bce-403c-11eb-96b8-525400476c37" || sent.Arrived {
		t.Fatal(sent, err)
	}
	want := []request{{"SendTtsVoice", "2020-09-02", "ap-guangzhou", map[string]any{
		"CalledNumber": "+8613800138001", "VoiceSdkAppid": "1400006667", "TemplateId": "1110", "TemplateParamSet": []any{"订单处理", "14:30"},
		"PlayTimes": 3.0, "SessionContext": notifytest.Message().Key,
	}}}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Error(diff)
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, textsTo)
	notifytest.Failures(t, callsTo)
}

// TestAnErrorInsideA200 goes through the codes of the documentation: of the whole
// request, and of the one number.
func TestAnErrorInsideA200(t *testing.T) {
	for _, c := range []struct {
		code string
		want notify.Failure
	}{
		{"LimitExceeded.PhoneNumberThirtySecondLimit", notify.Failure{Code: notify.FailRate, Retry: true, After: 30 * time.Second}},
		{"LimitExceeded.PhoneNumberDailyLimit", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Hour}},
		{"LimitExceeded.DeliveryFrequencyLimit", notify.Failure{Code: notify.FailRate, Retry: true, After: 30 * time.Second}},
		{"RequestLimitExceeded.IPLimitExceeded", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Second}},
		{"FailedOperation.InsufficientBalanceInSmsPackage", notify.Failure{Code: notify.FailBalance}},
		{"FailedOperation.InsufficientBalanceInVoicePackage", notify.Failure{Code: notify.FailBalance}},
		{"InvalidParameterValue.IncorrectPhoneNumber", notify.Failure{Code: notify.FailAddress}},
		{"FailedOperation.PhoneNumberInBlacklist", notify.Failure{Code: notify.FailAddress}},
		{"FailedOperation.TemplateIncorrectOrUnapproved", notify.Failure{Code: notify.FailTemplate}},
		{"FailedOperation.SignatureIncorrectOrUnapproved", notify.Failure{Code: notify.FailTemplate}},
		{"FailedOperation.ContainSensitiveWord", notify.Failure{Code: notify.FailContent}},
		{"InvalidParameterValue.ContentLengthLimit", notify.Failure{Code: notify.FailContent}},
		{"InvalidParameterValue.SdkAppIdNotExist", notify.Failure{Code: notify.FailSettings}},
		{"UnauthorizedOperation.RequestIpNotInWhitelist", notify.Failure{Code: notify.FailRefused}},
		{"AuthFailure.SecretIdNotFound", notify.Failure{Code: notify.FailRefused}},
		{"InternalError.Timeout", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
		{"Unheard.Of", notify.Failure{Code: notify.FailUnknown}},
	} {
		c.want.Status, c.want.Said = 200, c.code
		whole := `{"Response":{"Error":{"Code":"` + c.code + `","Message":"of 13800138001"},"RequestId":"R"}}`
		one := `{"Response":{"SendStatusSet":[{"SerialNo":"","PhoneNumber":"+8613800138001","Fee":0,"Code":"` + c.code + `","Message":"no"}],"RequestId":"R"}}`
		for service, says := range map[string][]string{"sms": {whole, one}, "vms": {whole}} {
			for _, text := range says {
				url, _ := provider(t, service, 200, text)
				send := map[string]func(*testing.T, string) notify.Channel{"sms": textsTo, "vms": callsTo}[service]
				_, err := send(t, url).Send(t.Context(), notifytest.Message())
				if got := notifytest.Failed(t, err); *got != c.want {
					t.Errorf("%s: %+v, want %+v", c.code, *got, c.want)
				}
			}
		}
	}
	for _, says := range []string{`{"Response":{"SendStatusSet":[],"RequestId":"R"}}`, `{}`, `nonsense`} {
		url, _ := provider(t, "sms", 200, says)
		_, err := textsTo(t, url).Send(t.Context(), notifytest.Message())
		if got := notifytest.Failed(t, err); got.Code != notify.FailProvider || !got.Retry || !got.Maybe {
			t.Errorf("%s: %+v", says, *got)
		}
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	url, got := provider(t, "sms", 200, `{}`)
	c := approved{open(t, SMS, &SMSSettings{Account: Account{ID: secretID, Key: secret.Ref{Name: "OTHER"}}, URL: url})}
	_, err := c.Send(t.Context(), notifytest.Message())
	if f := notifytest.Failed(t, err); f.Code != notify.FailRefused || f.Said != "AuthFailure.SignatureFailure" || len(*got) != 0 {
		t.Errorf("%+v", *f)
	}
}

// TestNothingIsSentThatCannotArrive has no server to ask.
func TestNothingIsSentThatCannotArrive(t *testing.T) {
	c := open(t, SMS, &SMSSettings{Account: account(), URL: "http://127.0.0.1:1"})
	gap := &notify.Template{Code: "1110", Order: []string{"1", "2"}, Variables: map[string]string{"1": "x"}}
	for name, m := range map[string]notify.Message{
		"no text": {To: "+8613800138001"}, "a gap": {To: "+8613800138001", Template: gap},
	} {
		_, err := c.Send(t.Context(), &m)
		if f := notifytest.Failed(t, err); f.Code != notify.FailTemplate || f.Retry || f.Maybe {
			t.Errorf("%s: %+v", name, *f)
		}
	}
	_, err := c.Send(t.Context(), &notify.Message{To: "x", Template: &notify.Template{Code: "1110"}})
	if f := notifytest.Failed(t, err); f.Code != notify.FailAddress || f.Retry {
		t.Errorf("%+v", *f)
	}
}

func received(t *testing.T, c notify.Channel, key string, bodies ...string) (all []notify.Event) {
	t.Helper()
	for _, body := range bodies {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/in/test?key="+key, nil)
		answer, events, err := c.(approved).Channel.(notify.Receiver).Receive(r, []byte(body))
		var said struct{ Result *int }
		if err != nil || json.Unmarshal(answer.Body, &said) != nil || said.Result == nil || *said.Result != 0 {
			t.Fatal(string(answer.Body), err)
		}
		all = append(all, events...)
	}
	return all
}

func TestWhatBecameOfTextsAndWhatPeopleAnswer(t *testing.T) {
	c := textsTo(t, "http://127.0.0.1:1")
	got := received(t, c, "back",
		`[{"user_receive_time":"2026-03-02 08:00:05","nationcode":"86","mobile":"13800138001","report_status":"SUCCESS","errmsg":"DELIVRD","description":"用户短信送达成功","sid":"5000:1"},
		  {"user_receive_time":"2026-03-02 08:00:06","nationcode":"86","mobile":"13800138002","report_status":"FAIL","errmsg":"MK:0001","description":"空号","sid":"5000:2"}]`,
		`{"extend":"","mobile":"13800138001","nationcode":"86","sign":"某公司","text":"收到","time":1457336869}`,
	)
	at := func(s int) time.Time { return time.Date(2026, 3, 2, 0, 0, s, 0, time.UTC) }
	want := []notify.Event{
		{Kind: notify.EventArrived, ID: "5000:1", From: "+8613800138001", At: at(5)},
		{Kind: notify.EventFailed, ID: "5000:2", From: "+8613800138002", At: at(6), Code: "MK0001"},
		{Kind: notify.EventReply, From: "+8613800138001", Text: "收到", At: time.Unix(1457336869, 0)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAKeyAcknowledges(t *testing.T) {
	got := received(t, callsTo(t, "http://127.0.0.1:1"), "back",
		`{"voicekey_callback":{"call_from":"","callid":"c1","keypress":"1","mobile":"13800138001","nationcode":"86"}}`,
		`{"voicekey_callback":{"callid":"c2","keypress":"2","mobile":"13800138001","nationcode":"86"}}`,
		`{"voiceprompt_callback":{"result":"0","accept_time":"1470196835","call_from":"","callid":"c1","end_calltime":"1470196843","fee":"1","mobile":"13800138001","nationcode":"86","start_calltime":"1470196821"}}`,
		`{"voiceprompt_callback":{"result":"1","accept_time":"0","callid":"c3","mobile":"13800138001","nationcode":"86"}}`,
		`{"voice_failure_callback":{"call_from":"","callid":"c4","failure_code":8,"failure_reason":"空号","mobile":"13800138001","nationcode":"86"}}`,
	)
	want := []notify.Event{
		{Kind: notify.EventAcknowledged, ID: "c1", From: "+8613800138001", Text: "1"},
		{Kind: notify.EventReply, ID: "c2", From: "+8613800138001", Text: "2"},
		{Kind: notify.EventArrived, ID: "c1", From: "+8613800138001", At: time.Unix(1470196835, 0)},
		{Kind: notify.EventFailed, ID: "c3", From: "+8613800138001", Code: "result-1"},
		{Kind: notify.EventFailed, ID: "c4", From: "+8613800138001", Code: "failure-8"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStrangersAreNotHeard(t *testing.T) {
	for name, c := range map[string]notify.Channel{"texts": textsTo(t, "http://127.0.0.1:1"), "calls": callsTo(t, "http://127.0.0.1:1")} {
		for _, target := range []string{"/in/test", "/in/test?key=other"} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", target, nil)
			if _, events, err := c.(approved).Channel.(notify.Receiver).Receive(r, []byte(`{"voicekey_callback":{"callid":"c1","keypress":"1"}}`)); err == nil || events != nil {
				t.Errorf("%s: %v", name, events)
			}
		}
	}
}
