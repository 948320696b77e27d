package http1_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/http1"
)

const benchConns = 64

var (
	benchRequest = []byte("POST /orders HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\n" +
		"Idempotency-Key: 0123456789abcdef\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	benchResponse = []byte("HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("y", 200))
)

// benchUpstream answers as cheaply as a Go program can, so that what is
// measured is the relay in the middle.
func benchUpstream(b *testing.B) string {
	return upstreamOf(b, func(_ int, c net.Conn) {
		buf := make([]byte, 16<<10)
		for have, want := 0, 0; ; {
			n, err := c.Read(buf[have:])
			if err != nil {
				return
			}
			have += n
			if i := bytes.Index(buf[:have], []byte("\r\n\r\n")); i >= 0 {
				want = i + 4 + 1024
			}
			if want > 0 && have >= want {
				if _, err := c.Write(benchResponse); err != nil {
					return
				}
				have, want = 0, 0
			}
		}
	})
}

// fleet is the clients: one goroutine and connection each.
type fleet struct {
	conns []net.Conn
	size  int // of an answer
}

func newFleet(b *testing.B, address string) *fleet {
	f := &fleet{}
	for range benchConns {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		f.conns = append(f.conns, c)
	}
	// All answers are of one size: learn it, and warm the pools.
	buf := make([]byte, 4096)
	for range 3 {
		f.conns[0].Write(benchRequest)
		for have := 0; ; {
			n, err := f.conns[0].Read(buf[have:])
			if err != nil {
				b.Fatal(err)
			}
			have += n
			if i := bytes.Index(buf[:have], []byte("\r\n\r\n")); i >= 0 && have >= i+4+200 {
				f.size = i + 4 + 200
				break
			}
		}
	}
	return f
}

func (f *fleet) run(b *testing.B, requests int) {
	var wg sync.WaitGroup
	for i, c := range f.conns {
		n := requests / len(f.conns)
		if i < requests%len(f.conns) {
			n++
		}
		wg.Go(func() {
			buf := make([]byte, f.size)
			for range n {
				if _, err := c.Write(benchRequest); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func benchRelay(b *testing.B, back string) string {
	pool := http1.NewPool(http1.PoolOptions{Address: back})
	b.Cleanup(pool.Close)
	return serve(b, &http1.Server{Handler: func(x http1.Exchange) {
		response, err := pool.RoundTrip(x.Context(), x.Request())
		if err != nil {
			x.Respond(502, nil, nil)
			return
		}
		defer response.Body.Close()
		x.Stream(response.Status, response.Header, response.Length, response.Body)
	}})
}

func benchReverseProxy(b *testing.B, back string) string {
	target, _ := url.Parse("http://" + back)
	buffers := bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}
	proxy := &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		Transport:  &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true},
		BufferPool: &buffers,
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: proxy}
	go s.Serve(l)
	b.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

var benchFronts = []struct {
	name  string
	front func(b *testing.B, back string) string
}{
	{"direct", func(b *testing.B, back string) string { return back }},
	{"holdfast", benchRelay},
	{"reverseproxy", benchReverseProxy},
}

// BenchmarkPassThrough: 64 connections, 1 KB POST, 200 B answer. Clients and
// upstream run in the same process; "direct" is what they cost by themselves.
func BenchmarkPassThrough(b *testing.B) {
	for _, f := range benchFronts {
		b.Run(f.name, func(b *testing.B) {
			clients := newFleet(b, f.front(b, benchUpstream(b)))
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			clients.run(b, b.N)
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkPassThroughRatio interleaves short rounds (A B A B), as the machine's
// speed drifts, and reports medians of rates and of CPU a request over what
// clients and upstream cost alone, each as Holdfast over ReverseProxy.
func BenchmarkPassThroughRatio(b *testing.B) {
	fleets := make([]*fleet, len(benchFronts))
	for i, f := range benchFronts {
		fleets[i] = newFleet(b, f.front(b, benchUpstream(b)))
	}
	const round = 4000
	var rates, costs []float64
	b.ResetTimer()
	for range b.N {
		took, used := make([]float64, len(fleets)), make([]float64, len(fleets))
		for i, f := range fleets {
			began, before := time.Now(), cpu()
			f.run(b, round)
			took[i], used[i] = time.Since(began).Seconds(), (cpu() - before).Seconds()
		}
		rates = append(rates, took[2]/took[1])
		costs = append(costs, (used[1]-used[0])/(used[2]-used[0]))
	}
	b.ReportMetric(median(rates), "rate-ratio")
	b.ReportMetric(median(costs), "cpu-ratio")
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// cpu is what the process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
