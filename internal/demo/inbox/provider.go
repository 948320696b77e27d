package inbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// provider takes text messages and calls as Aliyun's API describes them: signed by
// ACS3-HMAC-SHA256, in texts that were approved, with exactly the variables that
// these have.
func (b *Inbox) provider(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	kind := map[string]string{"SendSms": Text, "SingleCallByTts": Call}[r.Header.Get("x-acs-action")]
	if b.asks(r.Context(), kind) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if kind == "" || !b.signed(r, body) {
		b.refuse(cmpKind(kind), "a signature that is none")
		answer(w, http.StatusForbidden, "SignatureDoesNotMatch", "")
		return
	}
	with := r.URL.Query()
	code, param, number := with.Get("TemplateCode"), with.Get("TemplateParam"), with.Get("PhoneNumbers")
	if kind == Call {
		code, param, number = with.Get("TtsCode"), with.Get("TtsParam"), with.Get("CalledNumber")
	}
	text, why := b.approved(code, param)
	if why != "" {
		b.refuse(kind, why)
		answer(w, http.StatusOK, "isv.TEMPLATE_MISSING_PARAMETERS", "")
		return
	}
	b.mu.Lock()
	b.number++
	id := fmt.Sprintf("%s-%d", kind, b.number)
	b.mu.Unlock()
	repeat := strings.Contains(text, "(repeat)") || strings.Contains(text, "（重发）")
	switch b.take(Item{Kind: kind, To: number, Key: with.Get("OutId"), Repeat: repeat, Text: text, Link: linkIn(text), Call: id}) {
	case Refused:
		answer(w, http.StatusServiceUnavailable, "ServiceUnavailable", "")
	case Cut, Lost:
		cut(w)
	case Answered:
		answer(w, http.StatusOK, "OK", id)
	}
}

func cmpKind(kind string) string {
	if kind == "" {
		return "provider"
	}
	return kind
}

func answer(w http.ResponseWriter, status int, code, id string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Code": code, "Message": code, "BizId": id, "CallId": id})
}

// approved fills an approved text; why says what does not fit.
func (b *Inbox) approved(code, param string) (text, why string) {
	text, known := b.Approved[code]
	if !known {
		return "", "the text " + code + " was not approved"
	}
	var values map[string]string
	if param != "" && json.Unmarshal([]byte(param), &values) != nil {
		return "", "variables that can't be read"
	}
	for name, value := range values {
		if !strings.Contains(text, "${"+name+"}") {
			return "", "the text " + code + " has no variable " + name
		}
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	if _, left, more := strings.Cut(text, "${"); more {
		name, _, _ := strings.Cut(left, "}")
		return "", "the variable " + name + " of the text " + code + " is not filled"
	}
	return text, ""
}

// signed reports whether a request bears the signature of the account's key over
// everything that is to be signed.
func (b *Inbox) signed(r *http.Request, body []byte) bool {
	at, err := time.Parse(time.RFC3339, r.Header.Get("x-acs-date"))
	if err != nil || time.Since(at).Abs() > 15*time.Minute {
		return false
	}
	return hmac.Equal([]byte(r.Header.Get("Authorization")), []byte(authorization(r, body, b.Account, b.Key)))
}

func authorization(r *http.Request, body []byte, id, key string) string {
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
		heads.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	var query []string
	for name, values := range r.URL.Query() {
		query = append(query, percent(name)+"="+percent(values[0]))
	}
	slices.Sort(query)
	list := strings.Join(names, ";")
	canonical := strings.Join([]string{r.Method, "/", strings.Join(query, "&"), heads.String(), list, digest(body)}, "\n")
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + digest([]byte(canonical))))
	return "ACS3-HMAC-SHA256 Credential=" + id + ",SignedHeaders=" + list + ",Signature=" + hex.EncodeToString(mac.Sum(nil))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// Press tells a node, as the provider does, that somebody who was called pressed a
// key. Callback is the channel's address at the node, with the key that it wants.
func Press(ctx context.Context, callback string, call Item, key string) error {
	now := time.Now().UTC().Add(8 * time.Hour).Format(time.DateTime) // as the provider writes times
	report, err := json.Marshal([]map[string]string{{"call_id": call.Call, "callee": call.To, "dtmf": key, "status_time": now}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, callback, strings.NewReader(string(report)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	_, err = did(req)
	return err
}

// Follow acknowledges as somebody does who follows the link of a message and presses
// the button there; by is who they say they are, where the page asks.
func Follow(ctx context.Context, link, by string) error {
	to, err := url.Parse(link)
	if err != nil {
		return err
	}
	page, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
	if err != nil {
		return err
	}
	html, err := did(page)
	if err != nil {
		return err
	}
	found := form.FindStringSubmatch(html)
	if found == nil {
		return errors.New("inbox: the page has no button")
	}
	button, err := http.NewRequestWithContext(ctx, http.MethodPost, link, strings.NewReader(url.Values{"form": {found[1]}, "by": {by}}.Encode()))
	if err != nil {
		return err
	}
	button.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	button.Header.Set("Origin", to.Scheme+"://"+to.Host)
	_, err = did(button)
	return err
}

var form = regexp.MustCompile(`name="form" value="([^"]+)"`)

func did(req *http.Request) (string, error) {
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode >= 400 {
		err = fmt.Errorf("%s: %s", req.URL.Path, response.Status)
	}
	return string(said), err
}
