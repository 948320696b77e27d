package controlapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/access"
	"holdfast/internal/announce"
	"holdfast/internal/continuity"
	"holdfast/internal/evidence"
	"holdfast/internal/incident"
)

// Updates are words to audiences.
type Updates interface {
	Say(ctx context.Context, by Caller, incident string, d announce.Draft) (announce.Kept, error)
	Get(ctx context.Context, id string) (announce.Kept, error)
	List(ctx context.Context, incident string) ([]announce.Kept, error)
	Approve(ctx context.Context, by Caller, id string, version int64) (announce.Kept, error)
	Reject(ctx context.Context, by Caller, id string, version int64, reason string) (announce.Kept, error)
}

// Losses are what incidents have cost.
type Losses interface {
	Loss(ctx context.Context, incident string) (incident.Loss, error)
}

// Evidence seals what is known of an incident.
type Evidence interface {
	Seal(ctx context.Context, by continuity.Actor, incident string) (file []byte, sum string, err error)
	Key() string // fingerprint of the one that seals
}

// UpdateDraft is what somebody wants an audience told.
type UpdateDraft struct {
	Audience string            `json:"audience" minLength:"1" maxLength:"63"`
	Phase    string            `json:"phase,omitempty" enum:"first,update,all-clear"` // absent: as fits
	Template string            `json:"template,omitempty" maxLength:"63"`             // absent: that of audience and phase, unless there is a text
	Text     continuity.Text   `json:"text,omitzero"`
	Subject  continuity.Text   `json:"subject,omitzero"`
	Status   continuity.Text   `json:"status,omitzero"` // what a template says for {status}
	Vars     map[string]string `json:"vars,omitempty"`  // further fields of a template
	Expected time.Time         `json:"expected,omitzero"`
	Next     time.Time         `json:"next_update,omitzero"`
	Preview  bool              `json:"preview,omitempty"`      // nothing is sent
	Lone     bool              `json:"one_language,omitempty"` // in one language, though the audience is told in two
}

// SealingKey names the key by which a node seals evidence.
type SealingKey struct {
	Key string `json:"key"`
}

// EvidenceMedia is the media type of a file of evidence, EvidenceSum the field of the
// answer that bears its SHA-256.
const (
	EvidenceMedia = "application/zip"
	EvidenceSum   = "Holdfast-SHA256"
)

func registerUpdates(s *server) {
	const one = "/api/v1/updates/{id}"
	register(s, operation{Method: http.MethodGet, Path: incidents + "/{id}/updates", ID: "listUpdates", Scope: access.IncidentsRead}, s.listUpdates)
	register(s, operation{Method: http.MethodPost, Path: incidents + "/{id}/updates", ID: "sendUpdate", Scope: access.IncidentsWrite}, s.sendUpdate)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getUpdate", Scope: access.IncidentsRead}, s.getUpdate)
	register(s, operation{Method: http.MethodPut, Path: one + "/approve", ID: "approveUpdate", Scope: access.IncidentsWrite, Edit: true}, s.approveUpdate)
	register(s, operation{Method: http.MethodPut, Path: one + "/reject", ID: "rejectUpdate", Scope: access.IncidentsWrite, Edit: true}, s.rejectUpdate)
}

func registerLosses(s *server) {
	register(s, operation{Method: http.MethodGet, Path: incidents + "/{id}/loss", ID: "getIncidentLoss", Scope: access.IncidentsRead}, s.getIncidentLoss)
}

func registerEvidence(s *server) {
	register(s, operation{
		Method: http.MethodGet, Path: incidents + "/{id}/evidence", ID: "sealEvidence", Scope: access.EvidenceRead, Bearer: true, Stream: true, Media: EvidenceMedia,
	}, s.sealEvidence)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/evidence-key", ID: "getEvidenceKey", Scope: access.IncidentsRead}, s.getEvidenceKey)
}

func shownUpdate(k announce.Kept, err error) (*object[continuity.Update], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Update, k.Version), nil
}

func (s *server) listUpdates(ctx context.Context, in *struct {
	IncidentPath
	Paging
}) (*list[continuity.Update], error) {
	known, err := s.Updates.List(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all, next := pageOf(known, func(k announce.Kept) string { return k.Cursor() }, in.Paging)
	items := make([]continuity.Update, len(all))
	for i := range all {
		items[i] = all[i].Update
	}
	return listOf(items, next), nil
}

func (s *server) sendUpdate(ctx context.Context, in *struct {
	IncidentPath
	Body UpdateDraft
}) (*object[continuity.Update], error) {
	return shownUpdate(s.Updates.Say(ctx, callerOf(ctx), in.ID, announce.Draft(in.Body)))
}

func (s *server) getUpdate(ctx context.Context, in *IncidentPath) (*object[continuity.Update], error) {
	return shownUpdate(s.Updates.Get(ctx, in.ID))
}

func (s *server) approveUpdate(ctx context.Context, in *IncidentPath) (*object[continuity.Update], error) {
	return shownUpdate(s.Updates.Approve(ctx, callerOf(ctx), in.ID, versionOf(ctx)))
}

func (s *server) rejectUpdate(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"2000"`
	}
}) (*object[continuity.Update], error) {
	return shownUpdate(s.Updates.Reject(ctx, callerOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) getIncidentLoss(ctx context.Context, in *IncidentPath) (*plain[incident.Loss], error) {
	return plainOf(s.Losses.Loss(ctx, in.ID))
}

// sealEvidence makes the file whole before a byte of it is sent.
func (s *server) sealEvidence(ctx context.Context, in *IncidentPath) (*huma.StreamResponse, error) {
	file, sum, err := s.Evidence.Seal(ctx, actorOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", EvidenceMedia)
		w.Header().Set("Content-Disposition", `attachment; filename="`+evidence.FileName(in.ID)+`"`)
		w.Header().Set(EvidenceSum, sum)
		out, err := steadily(w)
		if err == nil {
			_, err = io.Copy(out, bytes.NewReader(file))
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the reader learns that it is not whole
		}
	}}, nil
}

func (s *server) getEvidenceKey(context.Context, *struct{}) (*plain[SealingKey], error) {
	return &plain[SealingKey]{SealingKey{s.Evidence.Key()}}, nil
}
