package upgrade

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

var (
	cycles = flag.Int("cycles", 60, "how many of the killed and failing upgrades are gone through; 0: all")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the ones that are chosen") // #nosec G115 -- a seed
)

// stories are upgrades and how each of them ends where nobody is killed.
var stories = map[string]struct {
	flaw  flaw
	end   string
	class string
	way   string
}{
	"right":        {flaw{none: true}, continuity.UpgradeDone, "", ""},
	"spoils":       {flaw{spoils: true}, continuity.UpgradeRolled, continuity.UpgradeMigration, continuity.UpgradeRestore},
	"spoils later": {flaw{late: true}, continuity.UpgradeRolled, continuity.UpgradeMigration, continuity.UpgradeRestore},
	"no migration": {flaw{errs: true}, continuity.UpgradeRolled, continuity.UpgradeMigration, continuity.UpgradeUntouched},
	"broken":       {flaw{broken: true}, continuity.UpgradeRolled, continuity.UpgradeCompatibility, continuity.UpgradeDown},
	"no way down":  {flaw{broken: true, noDown: true}, continuity.UpgradeRolled, continuity.UpgradeCompatibility, continuity.UpgradeRestore},
	"limits":       {flaw{late: true, limited: true}, continuity.UpgradeRolled, continuity.UpgradeMigration, continuity.UpgradeRestore},
}

func names() (all []string) {
	for name := range stories {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func TestStories(t *testing.T) {
	for _, name := range names() {
		t.Run(name, func(t *testing.T) {
			story := stories[name]
			s := newSim(t, story.flaw)
			u := s.live(s.people)
			if wrong := s.right(&u); len(wrong) > 0 || u.State != story.end {
				t.Errorf("%s, want %s: %s\n%v", u.State, story.end, strings.Join(wrong, "; "), u.Trail)
			}
			if story.class != "" && (u.Failure == nil || u.Failure.Class != story.class || u.Back.Way != story.way) {
				t.Errorf("%+v %+v, want %s %s", u.Failure, u.Back, story.class, story.way)
			}
		})
	}
}

// TestKilledAtEachEffect kills the runner before and after each thing that it does, and
// each of its commits, in each story, and has each effect fail for once and for good.
func TestKilledAtEachEffect(t *testing.T) {
	type end struct {
		story  string
		effect int    // killed at this one, or
		commit int    // at this one, or
		fails  string // this one fails
		times  int
		after  bool
	}
	var all []end
	for _, name := range names() {
		s := newSim(t, stories[name].flaw)
		s.live(s.people)
		for n := 1; n <= s.effects; n++ {
			all = append(all, end{story: name, effect: n}, end{story: name, effect: n, after: true})
		}
		for n := 1; n <= s.commits; n++ {
			all = append(all, end{story: name, commit: n}, end{story: name, commit: n, after: true})
		}
		slices.Sort(s.names)
		for _, what := range slices.Compact(s.names) {
			all = append(all, end{story: name, fails: what, times: 1}, end{story: name, fails: what, times: 1000})
		}
	}
	t.Logf("%d ways to go wrong, -args -seed=%d -cycles=%d", len(all), *seed, *cycles)
	random := rand.New(rand.NewPCG(*seed, 1)) // #nosec G404 -- a seed that is printed
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if *cycles > 0 {
		all = all[:min(*cycles, len(all))]
	}
	for _, e := range all {
		t.Run(fmt.Sprintf("%s %d %d %s %d %v", e.story, e.effect, e.commit, e.fails, e.times, e.after), func(t *testing.T) {
			s := newSim(t, stories[e.story].flaw)
			s.kill, s.killAt, s.after = e.effect, e.commit, e.after
			if e.fails != "" {
				s.fail[e.fails] = e.times
			}
			u := s.live(s.people)
			wrong := s.right(&u)
			if e.times < 2 && u.State != stories[e.story].end && (e.fails == "" || !strings.HasPrefix(e.fails, "step-")) {
				wrong = append(wrong, "it is "+u.State+", want "+stories[e.story].end)
			}
			if len(wrong) > 0 {
				t.Errorf("%s\n%+v\n%+v\n%v", strings.Join(wrong, "; "), u.Failure, u.Asks, u.Trail)
			}
		})
	}
}
