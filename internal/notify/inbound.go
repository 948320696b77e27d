package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"holdfast/internal/continuity"
)

// mostReply bounds what is read of an answer.
const mostReply = 2000

// Whole answers that say yes, in the forms that folded makes; the same begin an
// answer that goes on after a sign of punctuation.
var saysYes = wordSet("ok okay k yes y yep 1 ack acked acknowledge acknowledged confirm confirmed roger received seen done handled noted " +
	"好 好的 行 可以 是 是的 对 收到 已收到 确认 已确认 知道了 已知 已知悉 知悉 了解 明白 已处理 处理中 正在处理 已阅 马上处理 马上到 在处理 👍 👌 ✅ 🆗")

// What begins with two words says yes, too.
var saysYesTwo = wordSet("got-it on-it will-do ok-ack working-on copy-that")

// One of these anywhere makes an answer none that says yes.
var saysNo = wordSet("no not cant can't cannot don't dont won't wont unable unavailable n nope wrong")

// Chinese has no spaces: an answer that begins so says yes as a whole.
var saysYesBegin = []string{"收到", "已收到", "好的", "知道了", "明白"}

var saysNoPart = []string{"不", "没", "無", "无法", "别", "拒", "错", "未"}

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// Agrees reports whether an answer says that somebody has seen it. What is not
// clear does not: then the next person is asked, which harms nobody.
func Agrees(text string) bool {
	line := folded(ownWords(text))
	if line == "" || strings.ContainsAny(line, "?") {
		return false
	}
	all := strings.FieldsFunc(line, func(r rune) bool { return r != '\'' && unicode.IsPunct(r) || unicode.IsSpace(r) })
	if len(all) == 0 {
		return false
	}
	for _, w := range all {
		if saysNo[w] {
			return false
		}
	}
	for _, part := range saysNoPart {
		if strings.Contains(line, part) {
			return false
		}
	}
	if saysYes[all[0]] {
		return all[0] != "1" || len(all) == 1 // what begins with a figure counts something
	}
	for _, begin := range saysYesBegin {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return len(all) > 1 && saysYesTwo[all[0]+"-"+all[1]]
}

// folded brings an answer into one form: half-width, small letters, the punctuation
// of both languages as one.
func folded(text string) string {
	text = strings.ToLower(width.Fold.String(text))
	text = strings.NewReplacer("。", ".", "、", ",", "’", "'", "～", "", "~", "", "\uFE0F", "", "👍🏻", "👍", "👌🏻", "👌").Replace(text)
	return strings.Trim(strings.TrimSpace(text), " .!,")
}

var quoteBegins = regexp.MustCompile(`(?i)^(>|-{3,}|_{3,}|on .+ wrote:?$|am .+ schrieb|from: |发件人|原始邮件|.{0,40}写道[:：]?$|sent from |发自)`)

// ownWords is the first line that somebody wrote themselves, without the code that
// the answer belongs to.
func ownWords(text string) string {
	if len(text) > mostReply {
		text = strings.ToValidUTF8(text[:mostReply], "")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if quoteBegins.MatchString(line) {
			return ""
		}
		var own []string
		for _, w := range strings.Fields(line) {
			if !isToken(strings.ToLower(strings.Trim(w, "[]()#:")), codeLength) || !strings.ContainsAny(w, "234567") {
				own = append(own, w)
			}
		}
		if len(own) > 0 {
			return strings.Join(own, " ")
		}
	}
	return ""
}

// codesIn are the texts of an answer that may be codes.
func codesIn(text string) (codes []string) {
	if len(text) > mostReply {
		text = text[:mostReply]
	}
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if isToken(w, codeLength) && len(codes) < 10 {
			codes = append(codes, w)
		}
	}
	return codes
}

// Take notes what a channel's provider told. What belongs to nothing is nothing:
// people write to channels for other reasons, too.
func (a *Acks) Take(ctx context.Context, channel string, events []Event) error {
	t := taking{acks: a, channel: channel}
	for i := range events {
		if err := t.take(ctx, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// taking is one call of Take.
type taking struct {
	acks    *Acks
	channel string
}

func (t *taking) take(ctx context.Context, e *Event) error {
	switch e.Kind {
	case EventReply:
		claimed := false
		if Agrees(e.Text) || ownWords(e.Text) == "" && len(codesIn(e.Text)) > 0 { // a code alone says yes
			var err error
			if claimed, err = t.acknowledge(ctx, e); err != nil {
				return err
			}
		}
		if claimed || e.Token != "" || t.acks.Unclaimed == nil {
			return nil
		}
		return t.acks.Unclaimed(ctx, t.channel, e)
	case EventAcknowledged:
		_, err := t.acknowledge(ctx, e)
		return err
	case EventArrived, EventFailed:
		return t.became(ctx, e)
	}
	return nil
}

// acknowledge reports whether an answer belongs to something that somebody was told.
func (t *taking) acknowledge(ctx context.Context, e *Event) (claimed bool, err error) {
	codes := codesIn(e.Text)
	if e.Token != "" {
		codes = append([]string{strings.ToLower(e.Token)}, codes...)
	}
	for _, code := range codes {
		link, err := t.acks.link(ctx, codeID(t.channel, code))
		switch {
		case err == nil && link.Trial != "":
			_, err = t.acks.trial(ctx, link, true)
			return true, known(err)
		case err == nil:
			_, err = t.acks.follow(ctx, link, link.by("", t.channel))
			return true, known(err)
		case continuity.CodeOf(err) != continuity.CodeNotFound:
			return false, err
		}
	}
	if e.Token != "" {
		return true, nil // where there is a token nothing else counts: ids of messages and senders can be made up
	}
	d, ok, err := t.acks.called(ctx, t.channel, e.ID)
	switch {
	case err != nil:
		return false, err
	case ok:
		return true, t.seen(ctx, d)
	case e.Kind == EventAcknowledged && e.ID != "":
		return t.pressed(ctx, e)
	}
	if e.Kind != EventReply || e.From == "" || !Agrees(e.Text) {
		return false, nil
	}
	// An answer without a code belongs to what that address was told last before it
	// and has not acknowledged yet. It counts once, however often it is reported.
	counted, err := t.counted(ctx, e)
	if err != nil || counted == nil && !e.At.IsZero() {
		return err == nil, err // it was counted already
	}
	theirs, err := t.acks.toAddress(ctx, t.channel, e.From, false)
	if err != nil {
		return false, err
	}
	for _, d := range theirs {
		if !e.At.IsZero() && d.sent.After(e.At.Add(clocks)) {
			continue
		}
		n, _, err := t.acks.notification(ctx, d.notification)
		if known(err) != nil {
			return false, err
		}
		if err == nil && !n.Over() && n.Urgency == continuity.UrgencyPage {
			return true, t.seen(ctx, d, counted...)
		}
	}
	return false, nil
}

// pressed takes a key that was pressed on a call whose number nobody knows: the node
// died before it was written down. It is of a page that was being told to that number
// just then.
func (t *taking) pressed(ctx context.Context, e *Event) (claimed bool, err error) {
	theirs, err := t.acks.toAddress(ctx, t.channel, e.From, true)
	if err != nil {
		return false, err
	}
	at := e.At
	if at.IsZero() {
		at = t.acks.Now()
	}
	for _, d := range theirs {
		if d.tried.After(at.Add(clocks)) || at.Sub(d.tried) > callLasts {
			continue
		}
		n, _, err := t.acks.notification(ctx, d.notification)
		if known(err) != nil {
			return false, err
		}
		if err == nil && !n.Over() && n.Urgency == continuity.UrgencyPage {
			return true, t.seen(ctx, d)
		}
	}
	return false, nil
}

// counted is the change by which an answer is known again; nil where it was counted
// before, or its provider does not say when it was written.
func (t *taking) counted(ctx context.Context, e *Event) ([]continuity.Change, error) {
	if e.At.IsZero() {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{t.channel, e.From, e.At.UTC().Format(time.RFC3339Nano), e.ID, e.Text}, "\n")))
	c := Link{}.change("answer-" + hex.EncodeToString(sum[:]))
	c.Action = "answer.counted"
	switch _, err := t.acks.link(ctx, c.ID); continuity.CodeOf(err) {
	case continuity.CodeNotFound:
		return []continuity.Change{c}, nil
	default:
		return nil, err
	}
}

// seen acknowledges what a delivery told; also becomes true with the first.
func (t *taking) seen(ctx context.Context, d sentOne, also ...continuity.Change) error {
	by := Link{Person: d.person}.by("", t.channel)
	for _, id := range append([]string{d.notification}, d.with...) {
		if _, err := t.acks.acknowledge(ctx, by, id, also...); known(err) != nil {
			return err
		}
		also = nil
	}
	return nil
}

// known leaves out that something is not there any more.
func known(err error) error {
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil
	}
	return err
}

// sameAddress compares addresses as providers write them: numbers with and without
// signs and the prefix of China, mail in any case.
func sameAddress(a, b string) bool {
	return a != "" && bare(a) == bare(b)
}

func bare(address string) string {
	address = strings.ToLower(strings.TrimSpace(address))
	digits := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case strings.ContainsRune("+-() ", r):
			return -1
		}
		return 'x'
	}, address)
	if digits == "" || strings.Contains(digits, "x") {
		return address
	}
	digits = strings.TrimPrefix(digits, "00")
	if len(digits) == 13 {
		digits = strings.TrimPrefix(digits, "86")
	}
	return digits
}

// became notes what became of a message.
func (t *taking) became(ctx context.Context, e *Event) error {
	found, ok, err := t.acks.called(ctx, t.channel, e.ID)
	if err != nil || !ok {
		return err
	}
	var last error
	for range ackTries {
		o, err := t.acks.Store.Get(ctx, continuity.KindDelivery, found.id)
		var d continuity.Delivery
		if err == nil {
			err = json.Unmarshal(o.Body, &d)
		}
		if err != nil {
			return known(err)
		}
		action := "delivery.arrived"
		switch {
		case e.Kind == EventArrived && d.Confirmed.IsZero():
			d.Confirmed = e.At.UTC()
			if e.At.IsZero() {
				d.Confirmed = t.acks.Now().UTC()
			}
		case e.Kind == EventFailed && d.State == continuity.DeliveryDelivered && d.Confirmed.IsZero():
			action, d.State, d.Failure = "delivery.bounced", continuity.DeliveryFailed, e.Code
			if d.Failure == "" {
				d.Failure = FailUnknown
			}
		default:
			return nil // it is known already
		}
		body, err := json.Marshal(d)
		if err != nil {
			return err
		}
		_, last = t.acks.Store.Commit(ctx, continuity.Batch{
			Actor:   continuity.Actor{Kind: "system", ID: t.channel, Via: "provider"},
			Changes: []continuity.Change{{Kind: continuity.KindDelivery, ID: d.ID, Service: d.Service, Version: o.Version, Body: body, Action: action}},
		})
		if continuity.CodeOf(last) != continuity.CodeVersion {
			return last
		}
	}
	return last
}
