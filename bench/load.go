package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const bodyBytes = 1024

// figures are what one round of load showed.
type figures struct {
	requests int
	took     time.Duration
	latency  []time.Duration // sorted; empty for a closed loop
}

func (f figures) rate() float64 { return float64(f.requests) / f.took.Seconds() }

func (f figures) percentile(p float64) time.Duration {
	if len(f.latency) == 0 {
		return 0
	}
	return f.latency[min(len(f.latency)-1, int(p*float64(len(f.latency))))]
}

var serial atomic.Int64

// post writes one order: 1 KB, one of 10,000 keys, an Idempotency-Key of its own.
func post(buf *bytes.Buffer, host string) {
	n := serial.Add(1)
	buf.Reset()
	fmt.Fprintf(buf, "POST /orders HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nIdempotency-Key: bench-%d\r\nContent-Length: %d\r\n\r\n", host, n, bodyBytes)
	orderBody(buf, n)
}

func orderBody(buf *bytes.Buffer, n int64) {
	start := buf.Len()
	fmt.Fprintf(buf, `{"order_no":"N%d","note":"`, n%10000)
	for buf.Len()-start < bodyBytes-2 {
		buf.WriteByte('x')
	}
	buf.WriteString(`"}`)
}

// closed has every connection ask again as soon as it has been answered.
func closed(addr string, conns int, d time.Duration) (figures, error) {
	return drive(addr, conns, func(k int, start time.Time) (time.Time, bool) {
		now := time.Now()
		return now, now.Sub(start) < d
	}, false)
}

// open asks at a stated rate, whether or not answers come; latency counts from
// the intended time.
func openLoop(addr string, conns int, rate float64, d time.Duration) (figures, error) {
	var next atomic.Int64
	return drive(addr, conns, func(_ int, start time.Time) (time.Time, bool) {
		at := time.Duration(float64(next.Add(1)) / rate * float64(time.Second))
		return start.Add(at), at < d
	}, true)
}

func drive(addr string, conns int, when func(k int, start time.Time) (time.Time, bool), timed bool) (figures, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all figures
	var failed error
	start := time.Now().Add(20 * time.Millisecond)
	for range conns {
		wg.Go(func() {
			latency, n, err := one(addr, start, when, timed)
			mu.Lock()
			defer mu.Unlock()
			all.requests += n
			all.latency = append(all.latency, latency...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	all.took = time.Since(start)
	slices.Sort(all.latency)
	return all, failed
}

func one(addr string, start time.Time, when func(int, time.Time) (time.Time, bool), timed bool) (latency []time.Duration, n int, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 4096)
	var buf bytes.Buffer
	for ; ; n++ {
		intended, more := when(n, start)
		if !more {
			return latency, n, nil
		}
		if wait := time.Until(intended); wait > 0 {
			time.Sleep(wait)
		}
		post(&buf, addr)
		if _, err := c.Write(buf.Bytes()); err != nil {
			return latency, n, err
		}
		if err := accepted(r); err != nil {
			return latency, n, err
		}
		if timed {
			latency = append(latency, time.Since(intended))
		}
	}
}

func accepted(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 202 ")) {
		text, _ := io.ReadAll(io.LimitReader(r, int64(r.Buffered())))
		return fmt.Errorf("answered %s%s", line, text)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			_, err := r.Discard(length)
			return err
		}
		if name, value, ok := strings.Cut(string(line), ":"); ok && textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
}
