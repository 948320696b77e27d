package warning

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// mostAlerts bounds one message of an Alertmanager.
const mostAlerts = 1000

// alerts is what an Alertmanager's webhook sends, version 4.
type alerts struct {
	Version string  `json:"version"`
	Alerts  []alert `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"` // firing, resolved
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// Alerts takes a message of an Alertmanager. An alert's label "service" names
// the plan, "holdfast_level" or "severity" the level; it returns how many alerts
// fire and how many are over.
func (in *Inbox) Alerts(ctx context.Context, by continuity.Actor, body []byte) (firing, resolved int, err error) {
	var m alerts
	d := json.NewDecoder(strings.NewReader(string(body)))
	if err := d.Decode(&m); err != nil {
		return 0, 0, invalid("alerts")
	}
	if _, err := d.Token(); err != io.EOF || m.Version != "4" || len(m.Alerts) > mostAlerts {
		return 0, 0, invalid("alerts")
	}
	var all []said
	at := map[string]int{}
	for i := range m.Alerts {
		one, err := m.Alerts[i].said()
		if err != nil {
			return 0, 0, err
		}
		key := signalID(one.signal.Service, one.signal.Source, one.signal.Rule)
		if j, twice := at[key]; twice {
			if !one.ended {
				all[j] = one // while one of two fires, it is so
			}
			continue
		}
		at[key] = len(all)
		all = append(all, one)
	}
	for _, one := range all {
		if one.ended {
			resolved++
		} else {
			firing++
		}
	}
	return firing, resolved, in.say(ctx, by, all, nil)
}

func (a *alert) said() (said, error) {
	s := continuity.Signal{Source: continuity.FromAlert, Rule: a.name(), At: a.StartsAt.UTC(), Partial: a.Labels["partial"] == "true"}
	if named(a.Labels["service"]) {
		s.Service = a.Labels["service"]
	}
	switch a.Status {
	case "resolved":
		return said{s, true}, nil
	case "firing":
	default:
		return said{}, invalid("alerts")
	}
	s.Level = a.level()
	text := a.Annotations["summary"]
	if text == "" {
		text = a.Annotations["description"]
	}
	if text == "" {
		text = a.Labels["alertname"]
	}
	s.Text = continuity.Text{En: text, Zh: a.Annotations["summary_zh"]}
	for _, link := range []string{a.GeneratorURL, a.Annotations["runbook_url"]} {
		if web(link) {
			s.Evidence = append(s.Evidence, continuity.Evidence{Kind: "link", URL: link})
		}
	}
	return said{signal: s}, nil
}

// name tells alerts apart: by their own name and what Alertmanager makes of
// their labels.
func (a *alert) name() string {
	h := sha256.New()
	for _, label := range slices.Sorted(maps.Keys(a.Labels)) {
		_, _ = h.Write([]byte(label + "\x00" + a.Labels[label] + "\x00"))
	}
	sum := hex.EncodeToString(h.Sum(nil)[:6])
	var plain strings.Builder
	for _, r := range strings.ToLower(a.Labels["alertname"]) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			plain.WriteRune(r)
		default:
			plain.WriteByte('-')
		}
		if plain.Len() >= 60 {
			break
		}
	}
	return strings.Trim(plain.String()+"-"+sum, "-")
}

func (a *alert) level() continuity.Level {
	if l, ok := continuity.ParseLevel(a.Labels["holdfast_level"]); ok {
		return l
	}
	switch strings.ToLower(a.Labels["severity"]) {
	case "critical", "page", "emergency", "disaster":
		return continuity.LevelRed
	case "error", "major", "high":
		return continuity.LevelOrange
	case "info", "information", "none", "low":
		return continuity.LevelBlue
	}
	return continuity.LevelYellow
}

// web reports whether a text is an address that a person may follow.
func web(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && len(text) <= 2000
}
