package control

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/evidence"
	"holdfast/internal/incident"
)

// evidenceKey is the file of the key by which this node seals evidence.
const evidenceKey = "evidence.key"

// openEvidence seals what is known of an incident.
func (n *Node) openEvidence(context.Context) error {
	path := filepath.Join(n.o.Config.Data, evidenceKey)
	key, err := evidence.Key(path)
	if err != nil {
		return unusable(path, err)
	}
	n.api.Evidence = evidenceDesk{n, key}
	return nil
}

type evidenceDesk struct {
	node *Node
	key  ed25519.PrivateKey
}

// Key implements controlapi.Evidence.
func (d evidenceDesk) Key() string {
	return evidence.Fingerprint(d.key.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // of an ed25519 key
}

// incidentOf reads one.
func (n *Node) incidentOf(ctx context.Context, id string) (i continuity.Incident, err error) {
	o, err := n.store.Get(ctx, continuity.KindIncident, id)
	if err == nil {
		err = json.Unmarshal(o.Body, &i)
	}
	return i, err
}

// exportTries bounds how often the number of an export is tried again.
const exportTries = 20

// Seal implements controlapi.Evidence: that somebody got evidence is an event of the
// incident itself.
func (d evidenceDesk) Seal(ctx context.Context, by continuity.Actor, id string) (file []byte, sum string, err error) {
	i, err := d.node.incidentOf(ctx, id)
	if err != nil {
		return nil, "", err
	}
	c := evidence.Case{Incident: id, Service: i.Service, Made: time.Now().UTC().Truncate(time.Microsecond), By: by, Node: d.node.name, Program: d.node.o.Version}
	if err := d.gather(ctx, &c); err != nil {
		return nil, "", err
	}
	if c.Hidden, err = d.addresses(ctx); err != nil {
		return nil, "", err
	}
	if file, sum, err = evidence.Seal(&c, d.key); err != nil {
		return nil, "", err
	}
	for n := 1; n <= exportTries; n++ {
		e := evidence.Export{ID: id + ".evidence-" + strconv.FormatInt(c.Made.UnixMilli(), 36) + "-" + strconv.Itoa(n), Incident: id, Service: i.Service, By: by, At: c.Made, Sum: sum, Key: d.Key()}
		body, err := json.Marshal(e)
		if err != nil {
			return nil, "", err
		}
		_, err = d.node.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{
			{Kind: evidence.KindExport, ID: e.ID, Service: i.Service, Version: continuity.VersionNew, Body: body, Action: "export.sealed"},
		}})
		if continuity.CodeOf(err) == continuity.CodeVersion {
			continue // another one at the same moment
		}
		return file, sum, err
	}
	return nil, "", continuity.E(continuity.CodeBusy, nil)
}

// gather reads events, the chain between them, and objects: first what belongs to the
// incident, then what else happened to its service meanwhile.
func (d evidenceDesk) gather(ctx context.Context, c *evidence.Case) error {
	store := d.node.store
	err := incident.NewActs(store, incident.Options{}, time.Now).Events(ctx, c.Incident, evidence.Kinds(), func(e *continuity.AuditEvent) bool {
		if len(c.Events) == evidence.MostEvents {
			c.Left++
		} else {
			c.Events = append(c.Events, *e)
		}
		return true
	})
	if err != nil {
		return err
	}
	slices.SortFunc(c.Events, func(a, b continuity.AuditEvent) int { return cmp.Compare(a.Seq, b.Seq) })
	objects := map[string]bool{}
	for i := range c.Events {
		e := &c.Events[i]
		if key := e.Kind + "/" + e.ID; !objects[key] && len(c.Objects) < evidence.MostObjects {
			objects[key] = true
			o, err := store.Get(ctx, e.Kind, e.ID)
			if err == nil {
				c.Objects = append(c.Objects, o)
			} else if continuity.CodeOf(err) != continuity.CodeNotFound { // it was deleted
				return err
			}
		}
	}
	if len(c.Events) == 0 {
		return nil
	}
	last := c.Events[len(c.Events)-1].Seq
	for seq := c.Events[0].Seq - 1; seq < last && len(c.Links) < evidence.MostLinks; {
		page, err := store.EventsSince(ctx, seq, 1000)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if seq = page[i].Seq; seq <= last && len(c.Links) < evidence.MostLinks {
				c.Links = append(c.Links, evidence.LinkOf(&page[i]))
			}
		}
	}
	return nil
}

// addresses are those of all people who are known.
func (d evidenceDesk) addresses(ctx context.Context) (all []string, err error) {
	for cursor := ""; ; {
		page, next, err := d.node.store.People().List(ctx, cursor, 1000)
		if err != nil {
			return nil, err
		}
		for i := range page {
			for _, a := range page[i].Addresses {
				all = append(all, a.Value)
			}
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

var _ controlapi.Evidence = evidenceDesk{}
