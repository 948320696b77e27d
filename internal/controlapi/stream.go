package controlapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

const (
	heartbeat = 15 * time.Second
	atOnce    = 200 // events
)

func registerStream(s *server) {
	register(s, operation{
		Method: http.MethodGet, Path: "/api/v1/stream", ID: "followEvents", Scope: access.EventsRead, Stream: true, Media: "text/event-stream",
	}, s.followEvents)
}

// StreamFilter is the input of the stream.
type StreamFilter struct {
	LastEventID string `header:"Last-Event-ID"` // the number of the last event that was seen
	After       string `query:"after"`          // the same, for those who can't set a header; neither: from now on
	Service     string `query:"service"`
	Kind        string `query:"kind"` // several by commas
}

// followEvents streams events as server-sent events (HTML, 9.2) in the order of
// their numbers, which are their ids.
func (s *server) followEvents(ctx context.Context, in *StreamFilter) (*huma.StreamResponse, error) {
	seq, err := s.startOf(ctx, in)
	if err != nil {
		return nil, err
	}
	wanted := func(e continuity.AuditEvent) bool {
		return (in.Service == "" || e.Service == in.Service) && (in.Kind == "" || contains(in.Kind, e.Kind))
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		out, err := steadily(w)
		if err == nil {
			// The browser learns from where to go on even before anything happens.
			err = out.send(fmt.Appendf(nil, "retry: 2000\nid: %d\n: from here\n\n", seq))
		}
		for err == nil {
			err = s.passOn(r.Context(), out, &seq, wanted)
			if err == nil {
				caller, stillErr := s.Still(r)
				err = may(caller, stillErr, access.EventsRead)
			}
		}
	}}, nil
}

// startOf is the number after which a stream begins.
func (s *server) startOf(ctx context.Context, in *StreamFilter) (int64, error) {
	text := in.LastEventID
	if text == "" {
		text = in.After
	}
	last, _, err := s.Events.LastEvent(ctx)
	if err != nil || text == "" {
		return last, err
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 || seq > last {
		// A greater number is another database's: who goes on from it would miss events.
		return 0, continuity.E(continuity.CodeInvalid, err, problem.DetailID, "controlapi.invalid.after")
	}
	return seq, nil
}

// passOn sends what comes within the time of a heartbeat, or the heartbeat.
func (s *server) passOn(ctx context.Context, out *steady, seq *int64, wanted func(continuity.AuditEvent) bool) error {
	waiting, cancel := context.WithTimeout(ctx, s.pulse)
	defer cancel()
	for {
		page, err := s.Events.After(waiting, *seq, atOnce)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			// The id moves past what was filtered away, too.
			return out.send(fmt.Appendf(nil, ": beat\nid: %d\n\n", *seq))
		}
		if err != nil {
			return err
		}
		var b bytes.Buffer
		for _, e := range page {
			*seq = e.Seq
			if !wanted(e) {
				continue
			}
			data, err := json.Marshal(headOf(langOf(ctx), e))
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", e.Seq, data)
		}
		if err := out.send(b.Bytes()); err != nil {
			return err
		}
		if waiting.Err() != nil {
			return nil
		}
	}
}

// send writes events at once. A reader who is dropped comes back and goes on
// where it was.
func (s *steady) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := s.Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}

func contains(list, name string) bool {
	for _, one := range strings.Split(list, ",") {
		if strings.TrimSpace(one) == name {
			return true
		}
	}
	return false
}
