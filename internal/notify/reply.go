package notify

import "context"

// OwnWords are what a person wrote in an answer: its first line of their own, without
// the code by which the answer is recognised.
func OwnWords(text string) string { return ownWords(text) }

// Answered is what an answer over a channel belongs to, and who gave it: the message
// that the provider names, else the last that went to whoever has the address. ok is
// false where nobody was told anything.
func (a *Acks) Answered(ctx context.Context, channel string, e *Event) (notification, person string, ok bool, err error) {
	d, ok, err := a.called(ctx, channel, e.ID)
	if err != nil || ok {
		return d.notification, d.person, ok, err
	}
	theirs, err := a.toAddress(ctx, channel, e.From, false)
	if err != nil || len(theirs) == 0 {
		return "", "", false, err
	}
	return theirs[0].notification, theirs[0].person, true, nil
}
