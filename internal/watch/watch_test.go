package watch

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/continuity"
)

var states = map[byte]continuity.CheckState{
	'u': continuity.CheckUp, 'g': continuity.CheckDegraded, 'd': continuity.CheckDown, '?': continuity.CheckUnknown,
}

func TestTrend(t *testing.T) {
	letters := map[continuity.CheckState]string{}
	for letter, state := range states {
		letters[state] = string(letter)
	}
	for _, c := range []struct{ name, looks, want string }{
		{"well at once", "uuu", "uuu"},
		{"one is not enough", "uuduu", "uuuuu"},
		{"two of three", "uududuu", "uuuuddu"},
		{"two in a row", "udd", "uud"},
		{"begins badly", "ddd", "?dd"},
		{"up by two in a row", "dduduu", "?ddddu"},
		{"a gap", "u?u", "uuu"},
		{"blind", "u???uu", "uuu?uu"},
		{"blind, then one bad look", "u???du", "uuu??u"},
		{"down, blind, and back", "dd???uu", "?ddd??u"},
		{"slow", "uggu", "uugg"},
		{"slow, then down", "uggdd", "uuggd"},
		{"down, then slow", "ddgguu", "?ddggu"},
		{"a gap within a row", "ddu?uu", "?ddduu"},
		{"up by hearsay", "u??d??u", "uuuuuuu"},
		{"up by hearsay for too long", "u??d??d?", "uuuuuu" + "d" + "d"},
	} {
		trend, got := NewTrend(DefaultRule), ""
		for i := range len(c.looks) {
			got += letters[trend.Add(states[c.looks[i]])]
		}
		if got != c.want {
			t.Errorf("%s: %s: %s, not %s", c.name, c.looks, got, c.want)
		}
	}
}

// TestDamping counts how many good looks end each fall of what keeps changing.
func TestDamping(t *testing.T) {
	trend := NewTrend(DefaultRule)
	fall := func() (good int) {
		trend.Add(continuity.CheckDown)
		trend.Add(continuity.CheckDown)
		for trend.State() != continuity.CheckUp {
			trend.Add(continuity.CheckUp)
			good++
		}
		return good
	}
	trend.Add(continuity.CheckUp)
	for i, want := range []int{2, 4, 8, 16, 16} {
		if got := fall(); got != want {
			t.Errorf("fall %d ends after %d good looks, not %d", i, got, want)
		}
	}
	for range 10 * calm {
		trend.Add(continuity.CheckUp)
	}
	if got := fall(); got > 4 {
		t.Errorf("after a calm time it ends after %d", got)
	}
}

// TestNeverUpUnseen holds every trend to it: what is up was seen up within the
// last looks.
func TestNeverUpUnseen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := Rule{Of: rapid.IntRange(1, 6).Draw(t, "of"), Up: rapid.IntRange(1, 4).Draw(t, "up")}
		rule.Down = rapid.IntRange(1, rule.Of).Draw(t, "down")
		trend, seen := NewTrend(rule), ""
		for range 60 {
			letter := rapid.SampledFrom([]byte("ugd??")).Draw(t, "look")
			seen += string(letter)
			recent := seen[max(0, len(seen)-2*rule.Of):]
			switch state := trend.Add(states[letter]); {
			case state == continuity.CheckUp && !strings.Contains(recent, "u"):
				t.Fatalf("up after %s", seen)
			case strings.HasSuffix(seen, strings.Repeat("d", rule.Of)) && state != continuity.CheckDown:
				t.Fatalf("%s after %s", state, seen)
			case strings.HasSuffix(seen, strings.Repeat("?", rule.Of)) && state != continuity.CheckUnknown:
				t.Fatalf("%s after %s", state, seen)
			}
		}
	})
}

func TestAgree(t *testing.T) {
	for votes, want := range map[string]byte{
		"": '?', "u": 'u', "d": 'd', "?": '?',
		"uuu": 'u', "uud": 'u', "udd": 'd', "ddd": 'd', "u?u": 'u', "u??": '?', "d?d": 'd', "ud?": '?', "ugd": 'g', "ugg": 'g', "uug": 'u',
		"ud": '?', "dd": 'd', "d?": '?',
		"DDu": '?', "Ddd": 'd', "Duu": 'u', "U": '?', "UUU": '?',
	} {
		var all []Vote
		for i := range len(votes) {
			letter := strings.ToLower(votes[i : i+1])[0]
			all = append(all, Vote{State: states[letter], Isolated: letter != votes[i]})
		}
		if got := Agree(all, 0); got != states[want] {
			t.Errorf("%s: %s", votes, got)
		}
	}
}

func TestQuorum(t *testing.T) {
	u, d, g := Vote{State: continuity.CheckUp}, Vote{State: continuity.CheckDown}, Vote{State: continuity.CheckDegraded}
	for _, c := range []struct {
		votes  []Vote
		quorum int
		want   continuity.CheckState
	}{
		{[]Vote{u, u, u, d, d}, 2, continuity.CheckDown},
		{[]Vote{u, u, u, d, d}, 0, continuity.CheckUp},
		{[]Vote{u, u, d, d, d}, 4, continuity.CheckUnknown},
		{[]Vote{u, d}, 1, continuity.CheckDown},
		{[]Vote{u, g, d}, 2, continuity.CheckDegraded},
		{[]Vote{u, {State: continuity.CheckDown, Isolated: true}}, 1, continuity.CheckUp},
	} {
		if got := Agree(c.votes, c.quorum); got != c.want {
			t.Errorf("%v, %d: %s, not %s", c.votes, c.quorum, got, c.want)
		}
	}
}

func TestIsolated(t *testing.T) {
	for anchors, want := range map[string]bool{"": false, "u": false, "d": true, "dd": true, "du": false, "?": true, "g": false} {
		var all []continuity.CheckState
		for i := range len(anchors) {
			all = append(all, states[anchors[i]])
		}
		if Isolated(all) != want {
			t.Errorf("%q: %v", anchors, !want)
		}
	}
}
