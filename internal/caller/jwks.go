package caller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

// jwks are an issuer's keys, fetched ahead of their use. While the issuer can't
// be reached those fetched last are used, until they are older than max.
type jwks struct {
	url      string
	cache    string // file; empty: none
	max      time.Duration
	refresh  time.Duration
	client   *http.Client
	log      *slog.Logger
	now      func() time.Time
	current  atomic.Pointer[fetched]
	kick     chan struct{}
	lastMiss atomic.Int64
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// fetched is what the issuer said, and when.
type fetched struct {
	set     *jose.JSONWebKeySet
	at      time.Time
	version uint64
}

// kept is the cache file.
type kept struct {
	URL  string          `json:"url"` // its digest
	At   time.Time       `json:"fetched"`
	Keys json.RawMessage `json:"jwks"`
}

const (
	mostKeys   = 1 << 20
	missEvery  = 10 * time.Second
	retryFetch = 10 * time.Second
	clockSlack = 5 * time.Minute
)

func newJWKS(c *continuity.VerifyJWT, o Options) *jwks {
	ctx, cancel := context.WithCancel(context.Background())
	j := &jwks{
		url: c.JWKS, max: c.MaxAge, refresh: c.Refresh, client: o.Client, log: o.Logger, now: o.Now,
		kick: make(chan struct{}, 1), stop: cancel,
	}
	if o.CacheDir != "" {
		j.cache = filepath.Join(o.CacheDir, j.id()[:16]+".json")
		j.load()
	}
	j.done.Go(func() { j.run(ctx) })
	return j
}

// id names the address without showing it, as it may bear a secret.
func (j *jwks) id() string {
	sum := sha256.Sum256([]byte(j.url))
	return hex.EncodeToString(sum[:])
}

// host is as much of the address as is logged.
func (j *jwks) host() string {
	u, err := url.Parse(j.url)
	if err != nil {
		return ""
	}
	return u.Host
}

func (j *jwks) close() {
	j.stop()
	j.done.Wait()
}

// keys returns what is known of the issuer's keys, unless it is too old.
func (j *jwks) keys() (*jose.JSONWebKeySet, uint64, bool) {
	f := j.current.Load()
	if f == nil {
		return nil, 0, false
	}
	if age := j.now().Sub(f.at); age > j.max || age < -clockSlack {
		return nil, 0, false
	}
	return f.set, f.version, true
}

// missed fetches soon: the issuer may have a new key. Whoever makes up key names
// must not make us ask all the time.
func (j *jwks) missed() {
	now, last := j.now().UnixNano(), j.lastMiss.Load()
	if now-last >= int64(missEvery) && j.lastMiss.CompareAndSwap(last, now) {
		select {
		case j.kick <- struct{}{}:
		default:
		}
	}
}

func (j *jwks) run(ctx context.Context) {
	for {
		wait := j.refresh
		if err := j.fetch(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			wait = min(retryFetch, j.refresh)
			j.log.Warn("keys of an issuer can't be fetched; those fetched last are used while they are young enough", "host", j.host(), "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-j.kick:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (j *jwks) fetch(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := j.client.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			return at.Err // without the address
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostKeys+1))
	if err != nil {
		return err
	}
	if len(text) > mostKeys {
		return errors.New("more than a megabyte of keys")
	}
	set, err := parseKeySet(text)
	if err != nil {
		return err
	}
	j.put(set, j.now())
	return j.save(text)
}

func (j *jwks) put(set *jose.JSONWebKeySet, at time.Time) {
	next := &fetched{set: set, at: at, version: 1}
	if before := j.current.Load(); before != nil {
		next.version = before.version + 1
	}
	j.current.Store(next)
}

// load takes over what an earlier process fetched.
func (j *jwks) load() {
	text, err := os.ReadFile(j.cache)
	if err != nil {
		return
	}
	var k kept
	if json.Unmarshal(text, &k) != nil || k.URL != j.id() && k.URL != j.url { // older versions wrote the address itself
		return
	}
	if set, err := parseKeySet(k.Keys); err == nil {
		j.put(set, k.At)
	}
}

// save keeps the keys for a start while the issuer is down.
func (j *jwks) save(keys []byte) error {
	if j.cache == "" {
		return nil
	}
	text, err := json.Marshal(kept{URL: j.id(), At: j.now(), Keys: keys})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.cache), 0o700); err != nil {
		return err
	}
	return durable.Replace(j.cache, text)
}
