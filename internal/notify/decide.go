package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

const (
	// gather is how long the first of a group waits for others.
	gather = 2 * time.Second
	// pause is how long after a group was told it is told again.
	pause = 5 * time.Minute
	// repeats is how long the same is not said again.
	repeats = time.Hour
	// ackWithin is how long a page waits for an acknowledgement.
	ackWithin = 5 * time.Minute
	// unknownAgain is when it is asked again what was not known.
	unknownAgain = 5 * time.Second
)

// Codes of why a notification failed, besides those of channels.
const (
	FailNobody         = "nobody"                      // there is nobody whom it is for, or no way to them
	FailUnacknowledged = continuity.FailUnacknowledged // it was delivered, and nobody answered
)

// group is what is told together.
type group struct {
	told    time.Time // when it was last
	rank    int       // of what was told then
	leader  string    // the notification that tells, until it is over
	waiting map[string]*note
}

// group is the one of a notification: of those for the same people and as urgent.
func (e *Engine) group(n *continuity.Notification) *group {
	key := strings.Join([]string{n.Service, n.Group, n.Urgency, recipients(n)}, "\x00")
	g := e.groups[key]
	if g == nil {
		g = &group{waiting: map[string]*note{}}
		e.groups[key] = g
	}
	return g
}

func recipients(n *continuity.Notification) string {
	body, _ := json.Marshal([]any{n.To, n.Channels}) // of texts
	return string(body)
}

func sameKey(n *continuity.Notification) string {
	return strings.Join([]string{n.Service, n.Same, n.Urgency, recipients(n)}, "\x00")
}

// counts reports whether somebody was told, or is about to be.
func counts(n *continuity.Notification) bool {
	switch n.State {
	case continuity.NotifySilenced, continuity.NotifyRepeated, continuity.NotifyCancelled, continuity.NotifyFailed:
		return false
	}
	return true
}

// decide says what becomes of everything that is due.
func (e *Engine) decide(ctx context.Context, now time.Time) {
	e.recall(ctx)
	for _, s := range e.bounced {
		e.back(ctx, s, now)
	}
	e.bounced = nil
	notes, ships := e.ripe(now)
	slices.SortFunc(notes, func(a, b *note) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	var fresh []*note
	for _, n := range notes {
		switch {
		case e.alone(n.ID):
		case n.Over():
			e.settleOver(ctx, n, now)
		case e.played(n):
			e.end(n, continuity.NotifyCancelled, continuity.KindExercise+"/"+n.Exercise, now)
		case n.State == continuity.NotifyNew:
			fresh = append(fresh, n)
		default:
			e.watch(ctx, n, now)
		}
	}
	e.admit(ctx, fresh, now)
	for _, s := range ships {
		if e.alone(s.note.ID) {
			continue
		}
		if s.note.Over() && !s.Rest {
			e.drop(s, s.note.State)
			continue
		}
		e.started = append(e.started, s)
	}
}

// admit says what becomes of what is new.
func (e *Engine) admit(ctx context.Context, fresh []*note, now time.Time) {
	var about map[string][]*note
	for _, n := range fresh {
		if n.Ends || n.Instead {
			if about == nil {
				about = map[string][]*note{}
				for _, other := range e.notes {
					about[other.About] = append(about[other.About], other)
				}
			}
			n.older = e.overtakes(n, about[n.About], now)
		}
	}
	ready := map[*group]bool{}
	for _, n := range fresh {
		if n.Over() {
			continue
		}
		if e.waitsFor(n, now) {
			continue
		}
		if by := e.silenced(n, now); by != "" {
			e.end(n, continuity.NotifySilenced, by, now)
			continue
		}
		if n.Same != "" {
			key := sameKey(&n.Notification)
			if s := e.sames[key]; s.id != "" && s.id != n.ID && n.At.Sub(s.at).Abs() < repeats {
				e.end(n, continuity.NotifyRepeated, s.id, now)
				continue
			}
			e.sames[key] = same{n.ID, n.At}
		}
		if n.Group == "" {
			e.route(ctx, n, now)
			continue
		}
		if e.join(n, now) {
			ready[e.group(&n.Notification)] = true
		}
	}
	for g := range ready {
		e.lead(ctx, g, now)
	}
}

// overtakes ends what a notification is told in the place of. It returns what has to be
// routed before that, as it is for those who were told: whoever was to hear the other is
// known only then.
func (e *Engine) overtakes(n *note, about []*note, now time.Time) (later []*note) {
	for _, other := range about {
		same := sameAudience(n, other)
		// What became true with the end is of it, but for words that hold no more.
		if other.Over() || !other.At.Before(n.At) || !n.Ends && !same || other.Ends && !(n.Instead && other.Instead && same) {
			continue
		}
		if n.Instead && toTold(n) && other.State == continuity.NotifyNew && audienceMeant(&other.Notification) != "" && !e.alone(other.ID) {
			later = append(later, other)
			continue
		}
		e.overtaken(other, n, now)
	}
	return later
}

// waitsFor ends what a notification is told in the place of and that was routed since. It
// says true where there is such that is not routed yet.
func (e *Engine) waitsFor(n *note, now time.Time) (waits bool) {
	for _, other := range n.older {
		switch {
		case other.Over():
		case other.State == continuity.NotifyNew:
			waits = true
		default:
			e.overtaken(other, n, now)
		}
	}
	n.older = nil
	if waits {
		e.wakeNote(n, now.Add(crowded))
	}
	return waits
}

func toTold(n *note) bool { return len(n.To) > 0 && n.To[0].Kind == continuity.ToTold }

// join puts a notification to its group, and says whether the group is to be told
// now.
func (e *Engine) join(n *note, now time.Time) (ready bool) {
	g := e.group(&n.Notification)
	if leader := e.notes[g.leader]; leader != nil && leader != n && !leader.Over() && !e.alone(leader.ID) && n.Rank <= leader.Rank {
		leader.Grouped++
		e.mark(leader, "notification.joined")
		e.wakeNote(leader, later(now, leader.Told.Add(pause)))
		e.end(n, continuity.NotifyGrouped, leader.ID, now)
		return false
	}
	g.waiting[n.ID] = n
	at := n.At.Add(gather)
	if n.At.After(now) {
		at = now // another node's clock is ahead
	}
	if !past(g.told, pause, now) && n.Rank <= g.rank { // what is worse waits for nothing
		at = later(at, g.told.Add(pause))
	}
	if at.After(now) {
		e.wakeNote(n, at)
		return false
	}
	return true
}

// lead has the worst of a group speak for all that wait.
func (e *Engine) lead(ctx context.Context, g *group, now time.Time) {
	var leader *note
	for id, n := range g.waiting {
		if e.notes[id] != n || n.State != continuity.NotifyNew {
			delete(g.waiting, id)
			continue
		}
		if leader == nil || n.Rank > leader.Rank || n.Rank == leader.Rank && cmp.Or(n.At.Compare(leader.At), cmp.Compare(n.ID, leader.ID)) < 0 {
			leader = n
		}
	}
	if leader == nil {
		return
	}
	leader.Grouped = len(g.waiting) - 1
	leader.Again = leader.Grouped
	if !e.route(ctx, leader, now) {
		leader.Grouped, leader.Again = 0, 0 // they wait with it
		return
	}
	if leader.Over() { // it could not be told: the next worst speaks
		leader.Grouped, leader.Again = 0, 0
		delete(g.waiting, leader.ID)
		e.lead(ctx, g, now)
		return
	}
	g.leader, g.told, g.rank = leader.ID, now, leader.Rank
	for _, n := range g.waiting {
		if n != leader {
			e.end(n, continuity.NotifyGrouped, leader.ID, now)
		}
	}
	clear(g.waiting)
}

// route sends a notification on its way. It says false where it is not known yet
// who is meant.
func (e *Engine) route(ctx context.Context, n *note, now time.Time) bool {
	if n.Template != "" {
		words, ok := e.o.Router.Words(n.Service, n.Template)
		subject, text, missing := words.filled(n.Vars)
		if !ok || len(missing) > 0 {
			e.fail(n, FailTemplate, now)
			return true
		}
		n.Subject, n.Text = subject, text
	}
	if n.Text.En == "" && n.Text.Zh == "" {
		if n.Text = n.Subject; n.Text.En == "" && n.Text.Zh == "" {
			e.fail(n, FailContent, now)
			return true
		}
	}
	if toTold(n) && e.telling(n.About, "") || n.Instead && e.telling(n.About, audienceMeant(&n.Notification)) {
		e.wakeNote(n, now.Add(crowded)) // somebody may just be being told
		return false
	}
	targets, err := e.resolve(ctx, n, 0, now)
	if err != nil {
		e.wakeNote(n, now.Add(unknownAgain))
		return false
	}
	if len(targets) == 0 && toTold(n) {
		e.end(n, continuity.NotifyCancelled, "told/nobody", now)
		return true
	}
	n.State, n.Since, n.Told = continuity.NotifySending, now, now
	if n.Urgency == continuity.UrgencyPage {
		n.AckDue = now.Add(cmp.Or(n.AckWithin, ackWithin))
	}
	e.mark(n, "notification.sending")
	e.send(n, targets, now)
	e.unreached(n)
	e.wakeNote(n, now)
	return true
}

// sameAudience reports whether both are for one audience, told as such.
func sameAudience(a, b *note) bool {
	id := audienceMeant(&a.Notification)
	return id != "" && id == audienceMeant(&b.Notification)
}

// telling reports whether a message about something is under way; with an audience,
// one to that.
func (e *Engine) telling(about, audience string) bool {
	for id := range e.inflight {
		if s := e.ships[id]; s != nil && s.note.About == about && (audience == "" || audienceMeant(&s.note.Notification) == audience) {
			return true
		}
	}
	return false
}

// watch sees how what is on its way stands.
func (e *Engine) watch(ctx context.Context, n *note, now time.Time) {
	if len(n.ships) == 0 && n.Deliver == 0 && n.Step == 0 && len(n.Escalate) == 0 {
		e.fail(n, FailNobody, now)
		return
	}
	s := e.stands(n, now)
	if n.Urgency == continuity.UrgencyPage {
		e.watchPage(ctx, n, s, now)
		return
	}
	switch {
	case n.Grouped > n.Again && past(n.Told, pause, now):
		e.again(ctx, n, now)
	case s.open || n.Grouped > n.Again:
		if n.Grouped > n.Again {
			e.wakeNote(n, n.Told.Add(pause))
		}
	case len(s.missed) == 0 && len(s.reached) > 0:
		e.end(n, continuity.NotifyDelivered, "", now)
	default:
		e.escalate(ctx, n, now)
	}
}

func (e *Engine) watchPage(ctx context.Context, n *note, s standing, now time.Time) {
	if n.State == continuity.NotifySending && len(s.reached) > 0 {
		n.State, n.Since = continuity.NotifyWaiting, now
		e.mark(n, "notification.waiting")
	}
	if within := cmp.Or(n.AckWithin, ackWithin); n.AckDue.After(now.Add(within + clocks)) { // the clock was put back
		n.AckDue = now.Add(within)
		e.mark(n, cmp.Or(n.action, "notification."+n.State))
	}
	switch {
	case !now.Before(n.AckDue), len(s.reached) == 0 && s.stuck && n.Step < len(n.Escalate):
		e.escalate(ctx, n, now)
		return
	case n.Grouped > n.Again && past(n.Told, pause, now):
		e.again(ctx, n, now)
	case n.Grouped > n.Again:
		e.wakeNote(n, n.Told.Add(pause))
	}
	e.wakeNote(n, n.AckDue)
}

// standing is how the deliveries of a notification's present step stand.
type standing struct {
	open    bool            // one goes on
	stuck   bool            // none has a way left that was not tried
	reached map[string]bool // targets
	missed  map[string]bool
}

func (e *Engine) stands(n *note, now time.Time) standing {
	s := standing{stuck: true, reached: map[string]bool{}, missed: map[string]bool{}}
	for _, d := range n.ships {
		if d.Step != n.Step {
			continue
		}
		switch {
		case d.State == continuity.DeliveryDelivered:
			s.reached[d.Target] = true
		case !d.Over():
			s.open = true
			s.stuck = s.stuck && (d.Failure != "" && d.Attempts >= pageAttempts || d.Due.Sub(now) > pageStuck)
		}
	}
	for _, d := range n.ships {
		if d.Step == n.Step && !s.reached[d.Target] {
			s.missed[d.Target] = true
		}
	}
	return s
}

// escalate tells the next, or says that there is none.
func (e *Engine) escalate(ctx context.Context, n *note, now time.Time) {
	for n.Step < len(n.Escalate) {
		n.Step++
		targets, err := e.resolve(ctx, n, n.Step, now)
		if err != nil {
			n.Step--
			e.wakeNote(n, now.Add(unknownAgain))
			return
		}
		if !slices.ContainsFunc(targets, func(t Target) bool { return len(e.ways(&t)) > 0 }) {
			for i := range targets {
				e.unreached(n, targets[i].Person)
			}
			continue
		}
		n.Again, n.Told = n.Grouped, now
		if n.Urgency == continuity.UrgencyPage {
			n.AckDue = now.Add(cmp.Or(n.AckWithin, ackWithin))
		}
		e.mark(n, "notification.escalated")
		e.send(n, targets, now)
		e.unreached(n)
		e.wakeNote(n, now)
		return
	}
	code := FailNobody
	for _, s := range sorted(n.ships) {
		switch {
		case s.State == continuity.DeliveryDelivered && n.Urgency == continuity.UrgencyPage:
			code = FailUnacknowledged
		case s.Failure != "" && code != FailUnacknowledged && s.Channel != "":
			code = s.Failure
		}
	}
	if n.Grouped > n.Again && !e.tellRest(ctx, n, now) { // nothing else tells it
		return
	}
	e.fail(n, code, now)
}

// unreached notes people whose turn it was and who were sent nothing: they were not
// asked, whatever comes of it. Whoever a message goes to is none of them.
func (e *Engine) unreached(n *note, people ...string) {
	had := slices.Clone(n.Unreached)
	for _, s := range n.ships {
		if s.State == continuity.DeliveryFailed {
			people = append(people, s.Person)
		}
	}
	n.Unreached = append(had, people...)
	for _, s := range n.ships {
		if s.State == continuity.DeliveryDelivered || !s.Over() {
			n.Unreached = slices.DeleteFunc(n.Unreached, func(id string) bool { return id == s.Person })
		}
	}
	n.Unreached = slices.DeleteFunc(n.Unreached, func(id string) bool { return id == "" })
	slices.Sort(n.Unreached)
	n.Unreached = slices.Compact(n.Unreached)
}

// again tells those who are being told what came since.
func (e *Engine) again(ctx context.Context, n *note, now time.Time) {
	if e.tellRest(ctx, n, now) {
		n.Told = now
		e.group(&n.Notification).told = now
		e.mark(n, "notification.told-again")
		e.wakeNote(n, now)
	}
}

// tellRest makes the deliveries of that. It says false where it is not known to
// whom.
func (e *Engine) tellRest(ctx context.Context, n *note, now time.Time) bool {
	targets, err := e.resolve(ctx, n, n.Step, now)
	if err != nil {
		e.wakeNote(n, now.Add(unknownAgain))
		return false
	}
	n.Again = n.Grouped
	for _, s := range e.send(n, targets, now) {
		s.Rest = true // what it tells is told nowhere else
	}
	return true
}

// silenced names what keeps a notification from being told. Silences are for what
// watches: what people decided, or have to decide, is told all the same.
func (e *Engine) silenced(n *note, now time.Time) string {
	kind, id, _ := strings.Cut(n.About, "/")
	if kind != "warning" && kind != "check" && kind != "component" && kind != "signal" {
		return ""
	}
	by := ""
	for _, s := range e.silences {
		if s.Service != n.Service || now.Before(s.From) || !now.Before(s.Until) {
			continue
		}
		matches := len(s.Match) == 0 || slices.ContainsFunc(s.Match, func(m string) bool {
			return m == id || s.Service+"."+m == id || slices.Contains(n.Touches, m)
		})
		if ref := continuity.KindSilence + "/" + s.ID; matches && (by == "" || ref < by) {
			by = ref
		}
	}
	return by
}

// overtaken is what becomes of a notification about what is over. One that tells of
// others besides goes on: they are not over.
func (e *Engine) overtaken(n, by *note, now time.Time) {
	if n.Grouped > 0 {
		return
	}
	state := continuity.NotifyCancelled
	for _, s := range n.ships {
		if s.State == continuity.DeliveryDelivered || s.State == continuity.DeliverySending {
			state = continuity.NotifyDelivered // and nobody has to answer any more
		}
		switch {
		case !by.Instead || s.Over():
		case s.State == continuity.DeliverySending: // where it doesn't arrive they hear the other, whoever leads then
			s.By = droppedInstead
			e.markShip(s, "delivery.sending")
		default:
			e.instead(s)
		}
	}
	e.end(n, state, by.ID, now)
}

// instead drops a delivery whose receiver hears something newer in its place.
func (e *Engine) instead(s *ship) {
	e.drop(s, droppedInstead)
	e.reached(s)
}

// end ends a notification.
func (e *Engine) end(n *note, state, by string, now time.Time) {
	n.State, n.By, n.Since, n.Ended = state, by, now, now
	e.mark(n, "notification."+state)
	for _, s := range n.ships {
		if !s.Over() && s.State != continuity.DeliverySending && !s.Rest {
			e.drop(s, state)
		}
	}
}

// fail ends a notification that nobody got, or nobody answered.
func (e *Engine) fail(n *note, code string, now time.Time) {
	n.Failure = code
	e.unreached(n)
	for _, s := range sorted(n.ships) {
		if s.State == continuity.DeliveryDelivered && !slices.Contains(n.Escalated, s.Target) {
			n.Escalated = append(n.Escalated, s.Target)
		}
	}
	e.end(n, continuity.NotifyFailed, "", now)
	if e.o.Failed != nil {
		e.extra = append(e.extra, e.o.Failed(&n.Notification, now)...)
	}
}

// settleOver drops what is no longer wanted of a notification that somebody else
// ended. What it was to tell of others is told.
func (e *Engine) settleOver(ctx context.Context, n *note, now time.Time) {
	for _, s := range n.ships {
		if !s.Over() && s.State != continuity.DeliverySending && !s.Rest {
			e.drop(s, n.State)
		}
	}
	if n.Grouped > n.Again && n.State == continuity.NotifyAcknowledged {
		e.again(ctx, n, now)
	}
	if e.dirty[n.ID] == nil {
		e.forget(n)
	}
}

// clocks is how much those of nodes may differ. What is said to have been further
// ahead than that is of a clock that has been put back since.
const clocks = time.Minute

// past reports whether it is so long since something was.
func past(was time.Time, d time.Duration, now time.Time) bool {
	return !now.Before(was.Add(d)) || was.After(now.Add(clocks))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
