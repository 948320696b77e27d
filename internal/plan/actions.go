package plan

import (
	"maps"
	"slices"
)

// parameter is what an action is told in its step.
type parameter struct {
	ref  string // the value names an entry of this word; "": any text
	must bool
}

// actions are what a step can do, with what each has to be told.
var actions = map[string]map[string]parameter{
	"notify":        {"to": {"audiences", true}, "template": {"templates", true}, "channel": {"channels", false}},
	"autoreply.on":  {"channel": {"channels", true}, "template": {"templates", true}},
	"autoreply.off": {"channel": {"channels", true}},
	"channel.switch": {
		"from": {"channels", true}, "to": {"channels", true},
	},
	"channel.test": {"channel": {"channels", true}, "to": {"people", false}},
	"call.forward": {"from": {"channels", true}, "to": {"channels", true}},
	"bridge.open":  {"channel": {"channels", true}, "link": {"", false}},
	"hotspot.on":   {"what": {"resources", false}},
	"group.open":   {"channel": {"channels", true}, "team": {"teams", true}, "join": {"", false}, "for": {"", false}},
	"command":      {"command": {"", true}, anyParameter: {"", false}},
	"http": {
		"url": {"", true}, "method": {"", false}, "body": {"", false}, "type": {"", false}, "secret": {"", false},
		"status": {"", false}, "json": {"", false}, "equals": {"", false},
	},
	"wait":           {"check": {"checks", false}, "state": {"", false}, "via": {"", false}, "query": {"", false}},
	"uploads.pause":  {"what": {"", false}},
	"uploads.resume": {"what": {"", false}},
	"outbox.send":    {"channel": {"channels", false}},
	"readmit":        {"batch": {"", true}},
	"approve":        {"show": {"", false}},
	"check":          {"check": {"checks", true}},
	"backup.run":     {"set": {"backups", true}},
	"backup.verify":  {"set": {"backups", true}},
	"backup.restore": {"set": {"backups", true}},
	"upgrade.start":  {"upgrade": {"upgrades", true}, "part": {"", false}},
	"compensate":     {"rule": {"compensation.rules", false}},
}

// anyParameter stands for those that only the node knows.
const anyParameter = "*"

// upgradeParts are what a step of an upgrade's runbook can do of it; without one, all.
var upgradeParts = []string{"stop", "put", "migrate", "start"}

// isolating keeps a fault from spreading; recovering puts back to work. What holds
// requests by itself while it works isolates what it puts back, and no more than that.
var (
	isolating  = []string{"relay.hold", "relay.block", "relay.divert", "relay.reply"}
	recovering = []string{"relay.pass", "relay.drain", "readmit"}
	holding    = []string{"backup.restore", "upgrade.start"}
)

func init() { // not a literal: the modes take the same
	for _, mode := range []string{"hold", "pass", "divert", "reply", "block", "drain"} {
		actions["relay."+mode] = map[string]parameter{"route": {"routes", true}}
	}
	actionNames = slices.Sorted(maps.Keys(actions))
}

var actionNames []string

// Actions are what a step can do.
func Actions() []string { return slices.Clone(actionNames) }

// Refers is the section in which a parameter of an action names an entry, or
// nothing.
func Refers(action, parameter string) string { return actions[action][parameter].ref }

// Told is what a step tells its action.
func (s *Step) Told() map[string]string {
	told := map[string]string{}
	if n := s.With.Node; n != nil {
		for _, pair := range n.Pairs {
			told[pair.Key.Text] = pair.Value.Text
		}
	}
	return told
}
