package shop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	largestBody = 64 << 10
	longestWait = 200 * time.Millisecond // of a request beyond the capacity, before it is refused
)

type api struct{ shop *store }

// handler serves the shop's API. With a capacity a token bucket slows what
// comes faster and refuses what would wait too long.
func handler(shop *store, capacity float64) http.Handler {
	a := &api{shop}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/orders", a.create)
	mux.HandleFunc("PUT /api/orders/{no}", a.effect(true, shop.Change))
	mux.HandleFunc("DELETE /api/orders/{no}", a.effect(false, shop.Cancel))
	mux.HandleFunc("GET /api/orders/{no}", func(w http.ResponseWriter, r *http.Request) {
		order, err := shop.Find(r.Context(), r.PathValue("no"))
		reply(w, http.StatusOK, order, err)
	})
	mux.HandleFunc("GET /api/goods", func(w http.ResponseWriter, r *http.Request) {
		list, err := shop.Goods(r.Context(), limit(r))
		reply(w, http.StatusOK, list, err)
	})
	mux.HandleFunc("GET /api/customers", func(w http.ResponseWriter, r *http.Request) {
		list, err := shop.Customers(r.Context(), limit(r))
		reply(w, http.StatusOK, list, err)
	})

	top := http.NewServeMux()
	top.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		_, err := shop.Ready(r.Context())
		reply(w, http.StatusOK, map[string]string{"status": "ok"}, err)
	})
	top.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) {
		m, err := shop.Ready(r.Context())
		if errors.Is(err, errWrongSchema) {
			err = nil // what runs is asked, whether it is ready or not
		}
		reply(w, http.StatusOK, version{shop.release.name, m.Needs, m.Schema, m.By}, err)
	})
	slow := &slowness{}
	top.Handle("PUT /slow", slow)
	top.Handle("/", slow.before(bounded(mux, capacity)))
	return top
}

// version is what runs, and on what.
type version struct {
	Release string `json:"release"`
	Needs   int    `json:"needs"`
	Schema  int    `json:"schema,omitzero"`
	By      string `json:"by,omitzero"` // the release that made the schema
}

// slowness makes a shop answer later, as one does whose disk is full of other work.
type slowness struct{ by atomic.Int64 }

func (s *slowness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	by, err := time.ParseDuration(r.URL.Query().Get("by"))
	if err != nil || by < 0 || by > time.Minute {
		reply(w, 0, nil, errBadOrder)
		return
	}
	s.by.Store(int64(by))
	w.WriteHeader(http.StatusNoContent)
}

func (s *slowness) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if by := time.Duration(s.by.Load()); by > 0 {
			select {
			case <-time.After(by):
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func bounded(next http.Handler, capacity float64) http.Handler {
	if capacity <= 0 {
		return next
	}
	bucket := rate.NewLimiter(rate.Limit(capacity), max(1, int(capacity/20)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn := bucket.Reserve()
		wait := turn.Delay()
		if wait > longestWait {
			turn.Cancel()
			w.Header().Set("Retry-After", "1")
			reply(w, 0, nil, errBusy)
			return
		}
		select {
		case <-time.After(wait):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
			turn.Cancel()
		}
	})
}

func limit(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n < 1 || n > most {
		return most
	}
	return n
}

func (a *api) create(w http.ResponseWriter, r *http.Request) {
	req, err := read(r, true)
	if err == nil {
		err = req.In.validate(true)
		req.No = req.In.No
	}
	a.do(w, r, req, err, a.shop.Create)
}

func (a *api) effect(body bool, do func(context.Context, *request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := read(r, body)
		if err == nil {
			req.No = r.PathValue("no")
			switch {
			case req.In.No != "" && req.In.No != req.No:
				err = errBadOrder
			case body:
				err = req.In.validate(false)
			}
		}
		a.do(w, r, req, err, do)
	}
}

func (a *api) do(w http.ResponseWriter, r *http.Request, req *request, err error, do func(context.Context, *request) (answer, error)) {
	if err != nil {
		reply(w, 0, nil, err)
		return
	}
	kept, err := do(r.Context(), req)
	if err != nil {
		reply(w, 0, nil, err)
		return
	}
	reply(w, kept.Status, json.RawMessage(kept.Body), nil)
}

// read reads a request with an effect. A body where none is needed is taken as
// well: its ref is kept.
func read(r *http.Request, needed bool) (*request, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, largestBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > largestBody {
		return nil, errBadOrder
	}
	req := &request{Key: r.Header.Get("Idempotency-Key")}
	if needed || len(body) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&req.In); err != nil {
			return nil, errBadOrder
		}
	}
	req.Ref = req.In.Ref
	sum := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), string(body)} {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	req.Fingerprint = hex.EncodeToString(sum.Sum(nil))
	return req, nil
}

// reply writes a JSON answer, or the refusal that err is.
func reply(w http.ResponseWriter, status int, body any, err error) {
	if err != nil {
		refused := &refusal{http.StatusInternalServerError, "internal"}
		if !errors.As(err, &refused) {
			slog.Error("request failed", "error", err)
		}
		status, body = refused.Status, map[string]string{"error": refused.Code}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Debug("client is gone", "error", err)
	}
}
