package controlapi

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/access"
)

// State is all that the node knows, in one archive.
type State interface {
	// Export writes all state as of one moment.
	Export(ctx context.Context, to io.Writer) error
}

// ArchiveMedia is the media type of an archive.
const ArchiveMedia = "application/x-ndjson"

func registerState(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/state", ID: "exportState", Scope: access.StateRead, Stream: true, Media: ArchiveMedia}, s.exportState)
}

// exportState streams the archive. Its last line is its checksum: without that
// line it is not whole, and can't be restored.
func (s *server) exportState(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", ArchiveMedia)
		w.Header().Set("Content-Disposition", `attachment; filename="holdfast-state.jsonl"`)
		out, err := steadily(w)
		if err == nil {
			err = s.State.Export(r.Context(), out)
		}
		if err != nil {
			s.Logger.ErrorContext(r.Context(), "export broken off", "error", err)
			panic(http.ErrAbortHandler) // the reader learns that it is not whole
		}
	}}, nil
}
