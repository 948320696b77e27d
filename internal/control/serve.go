package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/endpoint"
	"holdfast/internal/store"
)

// openEvents serves the chain of changes, and all state.
func (n *Node) openEvents(context.Context) error {
	n.api.Events = struct {
		*store.Store
		*feed
	}{n.store, n.feed}
	n.api.State = n.store
	return nil
}

func (n *Node) openMetrics(context.Context) error {
	leading := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_control_leading", Help: "1 on the node that leads."}, func() float64 {
		if n.leads() != nil {
			return 1
		}
		return 0
	})
	events := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_control_events", Help: "Number of the newest change of state."}, func() float64 {
		n.feed.mu.Lock()
		defer n.feed.mu.Unlock()
		return float64(n.feed.newest)
	})
	for _, c := range []prometheus.Collector{leading, events, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := n.registry.Register(c); err != nil {
			return err
		}
	}
	n.api.Metrics = promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	return nil
}

// openAPI serves the API.
func (n *Node) openAPI(ctx context.Context) error {
	n.api.Answers, n.api.Ready, n.api.Names = n.store, n.Ready, n.o.Config.Names
	n.api.Version, n.api.Logger = n.o.Version, n.log
	handler, err := controlapi.New(n.api)
	if err != nil {
		return err
	}
	if n.listener, err = n.listen(ctx); err != nil {
		return err
	}
	serving, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		// What a request and its answer may take from their head on says the handler.
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		HTTP2:       &http.HTTP2Config{WriteByteTimeout: 30 * time.Second},
		BaseContext: func(net.Listener) context.Context { return serving },
	}
	go func() {
		if err := srv.Serve(n.listener); !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("control: listener: %w", err))
		}
	}()
	n.stack.push(func(ctx context.Context) error {
		// Requests end by themselves, streams when their context does.
		time.AfterFunc(100*time.Millisecond, cancel)
		ctx, done := context.WithTimeout(ctx, 10*time.Second)
		defer done()
		if srv.Shutdown(ctx) != nil {
			return srv.Close()
		}
		return nil
	})
	return nil
}

func (n *Node) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", n.o.Config.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, continuity.E(continuity.CodeAddress, err, "address", n.o.Config.Listen, "control", true)
	}
	if err != nil {
		return nil, err
	}
	l = netutil.LimitListener(l, int(n.o.Config.Conns))
	if n.o.Config.TLS == nil {
		return l, nil
	}
	cert, err := tls.LoadX509KeyPair(n.o.Config.TLS.Cert, n.o.Config.TLS.Key)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// announce begins to lead, if it can, and tells commands on this machine where
// the node is.
func (n *Node) announce(context.Context) error {
	n.background(n.leader.run)
	data := n.o.Config.Data
	address := n.Addr()
	if n.o.Config.TLS != nil {
		address = "https://" + address
	}
	if err := endpoint.Write(data, endpoint.Control, endpoint.Endpoint{Address: address, TokenFile: n.o.Config.TokenFile(), PID: os.Getpid()}); err != nil {
		return err
	}
	n.stack.push(func(context.Context) error { return endpoint.Remove(data, endpoint.Control) })
	return nil
}
