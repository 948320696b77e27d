package maintenance

import (
	"fmt"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// answerWithin is how long whoever is asked whether it works may take: the batch
// waits, and nobody else is asked in their place.
const answerWithin = 24 * time.Hour

// mostQuoted bounds how much of what people said is forwarded.
const mostQuoted = 100

// forward sends what people said of the window to the vendor, without their names,
// some time after it. Where nobody said anything there is nothing to send.
func (w *window) forward() bool {
	v := w.rules.Course.Vendor
	if v == nil || !w.Course.Forwarded.IsZero() {
		return false
	}
	if due := w.Course.Over.Add(v.After); w.shown.Before(due) {
		w.wake(due)
		return false
	}
	w.sendFeedback()
	return true
}

// feedbacks are what people said of the window, in the order in which they did.
func (w *window) feedbacks() (all []continuity.Feedback) {
	for n := 1; n <= w.Course.Feedbacks; n++ {
		var f continuity.Feedback
		if _, ok := w.facts.get(continuity.KindFeedback, feedbackID(w.ID, n), &f); ok {
			all = append(all, f)
		}
	}
	return all
}

func feedbackID(window string, n int) string { return fmt.Sprintf("%s.feedback-%d", window, n) }

// sendFeedback forwards what people said by now.
func (w *window) sendFeedback() (sent int) {
	all := w.feedbacks()
	w.Course.Forwarded = w.now
	w.become("window.feedback-forwarded")
	if len(all) == 0 {
		return 0
	}
	sum, scored := 0, 0
	var lines []string
	for i := range all {
		f := &all[i]
		if f.Score > 0 {
			sum, scored = sum+f.Score, scored+1
		}
		if f.Text != "" && len(lines) < mostQuoted {
			lines = append(lines, "- "+strings.Join(strings.Fields(f.Text), " "))
		}
	}
	mean := "-"
	if scored > 0 {
		mean = fmt.Sprintf("%.1f", float64(sum)/float64(scored))
	}
	v := w.rules.Course.Vendor
	args := func(lang catalogue.Lang) catalogue.Args {
		return w.args(lang, map[string]any{"vendor": v.Name, "count": len(all), "mean": mean, "texts": strings.Join(lines, "\n")})
	}
	w.tell(continuity.Notification{
		Urgency: continuity.UrgencyNotice, To: []continuity.Recipient{{Kind: continuity.ToAddress, ID: v.Channel, Address: v.Address}},
		Subject: both("course.vendor.subject", args), Text: both("course.vendor.text", args),
	})
	return len(all)
}

// feedback notes what somebody says of the window.
func (w *window) feedback(f *continuity.Feedback) {
	w.Course.Feedbacks++
	f.ID, f.Window, f.Service, f.At = feedbackID(w.ID, w.Course.Feedbacks), w.ID, w.Service, w.now
	f.Shown = w.facts.clocks.Shown(w.Exercise, w.now)
	w.also(continuity.Set(continuity.KindFeedback, f.ID, w.Service, continuity.VersionNew, "feedback.given", "", f))
	w.mark("window.feedback")
}
