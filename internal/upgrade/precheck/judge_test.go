package precheck

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

func versions(t *testing.T, text string) Range {
	t.Helper()
	r, err := ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ptr[T any](v T) *T { return &v }

const gib = 1 << 30

// everything is what an upgrade may need, and facts that satisfy all of it.
func everything(t *testing.T) (Needs, Facts) {
	return Needs{
			CPU: 2, Memory: 2 * gib, Disk: []Space{{Path: "/var", Free: 10 * gib}, {Path: "/data", OfData: 1.5}}, Kernel: versions(t, ">= 5.10"),
			Programs: []Program{{"libpq", versions(t, ">= 15")}}, Ports: []string{"127.0.0.1:9002"},
			Peers:    []Peer{{"10.0.0.6:6379", 50 * time.Millisecond, ptr(0.01)}},
			Database: &DatabaseNeeded{Old: versions(t, ">= 13, < 17"), New: versions(t, ">= 15, < 18")},
			OnDuty:   []string{"technical"}, Trained: []string{"rollback"},
		}, Facts{
			CPU: CPU{Count: 2, Load: 0.5}, Memory: Memory{Total: 8 * gib, Available: 2 * gib}, Kernel: Kernel{System: "linux", Version: "6.1.0-13-amd64"},
			Disks:    []Disk{{Path: "/var", Free: 12 * gib, Total: 20 * gib}, {Path: "/data", Free: 12 * gib, Total: 20 * gib}},
			Programs: []ProgramFact{{ID: "libpq", Version: "15.3"}}, Ports: []Port{{Address: "127.0.0.1:9002", Free: true}},
			Peers:    []PeerFact{{Address: "10.0.0.6:6379", By: "ping", Sent: 100, Received: 99, RTT: 300 * time.Microsecond, Worst: time.Millisecond}},
			Database: &Database{Kind: "postgres", Version: "16.2", Bytes: 6 * gib, Oldest: ptr(time.Second), Clients: []Client{{"shop", "", 12}, {"", "", 1}}},
			People:   []Person{{"chen.jie", []string{"technical"}, []string{"rollback"}}, {"sun.lan", []string{"customers"}, nil}},
		}
}

// levels are the findings that are not ok, in one line.
func levels(all []continuity.UpgradeFinding) string {
	var parts []string
	for _, f := range all {
		if f.Level != continuity.FindingOK {
			parts = append(parts, f.ID+" "+f.Level+" "+strings.TrimPrefix(f.Reason.Code, "upgrade.precheck."))
		}
	}
	return strings.Join(parts, ", ")
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Needs, *Facts)
		want   string
	}{
		"all is well":         {func(*Needs, *Facts) {}, ""},
		"too few processors":  {func(n *Needs, _ *Facts) { n.CPU = 3 }, "cpu block cpu"},
		"a busy machine":      {func(_ *Needs, f *Facts) { f.CPU.Load = 1.01 }, "load warn load"},
		"little memory":       {func(_ *Needs, f *Facts) { f.Memory.Available-- }, "memory block memory"},
		"a full disk":         {func(_ *Needs, f *Facts) { f.Disks[0].Free = 10*gib - 1 }, "disk:/var block disk"},
		"just enough disk":    {func(_ *Needs, f *Facts) { f.Disks[0].Free = 10 * gib }, "disk:/var warn disk"},
		"no more files":       {func(_ *Needs, f *Facts) { f.Disks[0].Files = 0.95 }, "disk:/var warn disk-files"},
		"a large database":    {func(_ *Needs, f *Facts) { f.Database.Bytes = 9 * gib }, "disk:/data block disk"},
		"an unknown database": {func(_ *Needs, f *Facts) { f.Database = nil }, "disk:/data block disk-of-unknown, database block not-looked"},
		"an unreachable database": {func(_ *Needs, f *Facts) {
			f.Database = &Database{Unread: unread("upgrade.precheck.database-failed", "cause", "x")}
		}, "disk:/data block disk-of-unknown, database block database-failed"},
		"an old kernel":  {func(_ *Needs, f *Facts) { f.Kernel.Version = "5.9.16" }, "kernel block kernel"},
		"an old program": {func(_ *Needs, f *Facts) { f.Programs[0].Version = "14.11" }, "program:libpq block program"},
		"a program that is not there": {func(_ *Needs, f *Facts) {
			f.Programs[0] = ProgramFact{ID: "libpq", Unread: unread("upgrade.precheck.program-failed", "id", "libpq", "cause", "x")}
		}, "program:libpq block program-failed"},
		"a program not asked": {func(_ *Needs, f *Facts) { f.Programs = nil }, "program:libpq block not-looked"},
		"a taken port":        {func(_ *Needs, f *Facts) { f.Ports[0].Free = false }, "port:127.0.0.1:9002 block port-taken"},
		"a held port": {func(_ *Needs, f *Facts) { f.Ports[0] = Port{Address: "127.0.0.1:9002", Holder: "shop", PID: 7} },
			"port:127.0.0.1:9002 block port-held"},
		"another machine's port": {func(_ *Needs, f *Facts) {
			f.Ports[0] = Port{Address: "127.0.0.1:9002", Unread: unread("upgrade.precheck.port-elsewhere", "address", "127.0.0.1:9002")}
		}, "port:127.0.0.1:9002 block port-elsewhere"},
		"a lossy way":      {func(_ *Needs, f *Facts) { f.Peers[0].Received = 98 }, "peer:10.0.0.6:6379 block peer-lossy"},
		"a slow way":       {func(_ *Needs, f *Facts) { f.Peers[0].RTT = 51 * time.Millisecond }, "peer:10.0.0.6:6379 block peer-slow"},
		"a way at limits":  {func(_ *Needs, f *Facts) { f.Peers[0].RTT = 50 * time.Millisecond }, ""},
		"any loss will do": {func(n *Needs, f *Facts) { n.Peers[0].Loss, f.Peers[0].Received = nil, 1 }, ""},
		"no loss at all":   {func(n *Needs, _ *Facts) { n.Peers[0].Loss = ptr(0.0) }, "peer:10.0.0.6:6379 block peer-lossy"},
		"a peer that refuses": {func(_ *Needs, f *Facts) {
			f.Peers[0] = PeerFact{Address: "10.0.0.6:6379", Unread: unread("upgrade.precheck.peer-refused", "address", "10.0.0.6:6379")}
		}, "peer:10.0.0.6:6379 block peer-refused"},
		"a server too old for the new release":   {func(_ *Needs, f *Facts) { f.Database.Version = "14.9" }, "database:new block database-new"},
		"a server too new for the old release":   {func(_ *Needs, f *Facts) { f.Database.Version = "17.1" }, "database:old block database-old"},
		"a server for neither":                   {func(_ *Needs, f *Facts) { f.Database.Version = "18.0" }, "database:new block database-new, database:old block database-old"},
		"a server whose version nobody can tell": {func(_ *Needs, f *Facts) { f.Database.Version = "" }, "database:new block database-new, database:old block database-old"},
		"a long transaction":                     {func(_ *Needs, f *Facts) { f.Database.Oldest = ptr(time.Minute) }, "transactions warn transactions"},
		"hidden transactions":                    {func(_ *Needs, f *Facts) { f.Database.Oldest = nil }, "transactions warn transactions-hidden"},
		"SQLite has no sessions":                 {func(_ *Needs, f *Facts) { f.Database.Kind, f.Database.Oldest = "sqlite", nil }, ""},
		"nobody on duty":                         {func(_ *Needs, f *Facts) { f.People = f.People[1:] }, "role:technical block duty-nobody, training:rollback block trained-nobody"},
		"on duty, not trained":                   {func(_ *Needs, f *Facts) { f.People[0].Trained = nil }, "training:rollback block trained-nobody"},
		"one of two is trained": {func(_ *Needs, f *Facts) {
			f.People = append(f.People, Person{"wu.hao", []string{"technical"}, []string{"fire"}})
		}, "training:rollback warn trained-some"},
		"trained, whatever the role": {func(n *Needs, f *Facts) { n.OnDuty = nil; f.People[1].Trained = []string{"rollback"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, f := everything(t)
			c.change(&n, &f)
			all := Judge(n, f)
			if got := levels(all); got != c.want {
				t.Errorf("%s; want %s", got, c.want)
			}
			want := continuity.FindingOK
			if c.want != "" {
				want = continuity.FindingWarn
			}
			if strings.Contains(c.want, continuity.FindingBlock) {
				want = continuity.FindingBlock
			}
			if got := Worst(all); got != want {
				t.Errorf("worst is %s, want %s", got, want)
			}
			ids := map[string]bool{}
			for _, finding := range all {
				if ids[finding.ID] {
					t.Errorf("%s is there twice", finding.ID)
				}
				ids[finding.ID] = true
				if (finding.Advice.Code == "") != (finding.Level == continuity.FindingOK) {
					t.Errorf("%s is %s, advice %q", finding.ID, finding.Level, finding.Advice.Code)
				}
				for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
					for _, said := range []string{
						catalogue.Text(lang, finding.Reason.Code, finding.Reason.Args), catalogue.Text(lang, finding.Advice.Code, finding.Advice.Args),
					} {
						if strings.Contains(said, "<no value>") || strings.HasPrefix(said, "upgrade.") {
							t.Errorf("%s in %s: %q", finding.ID, lang, said)
						}
					}
				}
			}
		})
	}
}

func TestNothingIsNeeded(t *testing.T) {
	if all := Judge(Needs{}, Facts{}); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	n, _ := everything(t)
	if got := slices.Sorted(maps.Keys(byLevel(Judge(n, Facts{})))); !slices.Equal(got, []string{continuity.FindingBlock}) {
		t.Errorf("nothing was looked at, and there are findings of %v", got)
	}
}

func byLevel(all []continuity.UpgradeFinding) map[string]int {
	counts := map[string]int{}
	for _, f := range all {
		counts[f.Level]++
	}
	return counts
}

func TestFiguresAsPeopleReadThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 20 * gib: "20.0 GiB", 1 << 60: "1024.0 PiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := []string{percent(0.01), percent(1), percent(1.234), short(310 * time.Microsecond)}; !slices.Equal(got, []string{"1%", "100%", "123.4%", "0.3 ms"}) {
		t.Error(got)
	}
}
