package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// proxy passes requests on to the upstream.
type proxy struct {
	name  string
	start func(dir, upstream string) (*passer, error)
}

// passer is a proxy that runs.
type passer struct {
	addr    string
	pid     int
	version string
	stop    func()
}

var proxies = []proxy{
	{"HAProxy", startHAProxy},
	{"Caddy", startCaddy},
	{"fasthttp", func(dir, upstream string) (*passer, error) { return startOwn("fasthttp", dir, upstream) }},
	{"tuned httputil.ReverseProxy", func(dir, upstream string) (*passer, error) { return startOwn("reverseproxy", dir, upstream) }},
}

func startNginx(dir, upstream string) (*passer, error) {
	return startProxy(dir, upstream, "nginx", "nginx", "nginx.conf", `
daemon off; worker_processes 2; pid nginx.pid; error_log error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream back { server UPSTREAM; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:PORT;
    location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
`, []string{"-v"}, "-p", "DIR", "-e", "error.log", "-c", "FILE")
}

func startHAProxy(dir, upstream string) (*passer, error) {
	return startProxy(dir, upstream, "haproxy", "haproxy", "haproxy.cfg", `
global
  nbthread 2
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:PORT
  default_backend back
backend back
  server up UPSTREAM pool-max-conn 512
`, []string{"-v"}, "-db", "-f", "FILE")
}

func startCaddy(dir, upstream string) (*passer, error) {
	return startProxy(dir, upstream, "caddy", "caddy", "Caddyfile", `
{
  admin off
  auto_https off
}
http://127.0.0.1:PORT {
  reverse_proxy UPSTREAM {
    transport http {
      keepalive_idle_conns_per_host 512
      compression off
    }
  }
}
`, []string{"version"}, "run", "--adapter", "caddyfile", "--config", "FILE")
}

var digits = regexp.MustCompile(`\d+(\.\d+)+`)

// startProxy runs a program of the distribution. In text and arguments stand
// PORT and UPSTREAM, FILE and DIR for what they are.
func startProxy(dir, upstream, program, debian, file, text string, version []string, args ...string) (*passer, error) {
	path, err := exec.LookPath(program)
	if err != nil { // its folder is not everybody's
		path = filepath.Join("/usr/sbin", program)
	}
	if path, err = installed(path, debian); err != nil {
		return nil, err
	}
	said, _ := exec.Command(path, version...).CombinedOutput() // only for the table
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- the proxies are not root
		return nil, err
	}
	p, err := newPlace(dir, 0)
	if err != nil {
		return nil, err
	}
	conf, err := p.write(file, strings.NewReplacer("PORT", port, "UPSTREAM", upstream).Replace(text))
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("FILE", conf, "DIR", dir)
	for i := range args {
		args[i] = fill.Replace(args[i])
	}
	d, err := p.daemon(path, args...)
	if err != nil {
		return nil, err
	}
	ready := &passer{addr: "127.0.0.1:" + port, pid: d.cmd.Process.Pid, version: program + " " + digits.FindString(string(said)), stop: d.stop}
	if program == "nginx" { // its workers outlive a killed master
		ready.stop = func() {
			_ = exec.Command("kill", "-TERM", fmt.Sprint(d.cmd.Process.Pid)).Run()
			<-d.ended
		}
	}
	if err := answers(ready.addr, d.ended); err != nil {
		return nil, d.failed(err)
	}
	return ready, nil
}

// answers waits until a proxy passes.
func answers(addr string, ended <-chan struct{}) error {
	return eventually(ended, func(ctx context.Context) error {
		_, err := drive(addr, 1, 0, time.Millisecond)
		return err
	})
}

// startOwn runs a proxy that this program is.
func startOwn(kind, dir, upstream string) (*passer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, err := startOf(self, kind, dir, 0, "-upstream", upstream)
	if err != nil {
		return nil, err
	}
	return &passer{addr: c.addr, pid: c.cmd.Process.Pid, version: ownVersion(kind), stop: c.stop}, nil
}

func ownVersion(kind string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok || kind == "reverseproxy" {
		return runtime.Version()
	}
	for _, m := range info.Deps {
		if strings.HasSuffix(m.Path, "/"+kind) {
			return kind + " " + m.Version
		}
	}
	return kind
}

// servePass is a proxy, or the upstream, in a process of its own.
func servePass(kind, upstream string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	go func() { // the parent's end is ours
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	switch kind {
	case "upstream":
		return serveUpstream(ln.(*net.TCPListener))
	case "fasthttp":
		back := &fasthttp.HostClient{Addr: upstream, MaxConns: 1024, MaxIdleConnDuration: time.Minute, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true}
		server := &fasthttp.Server{NoDefaultServerHeader: true, NoDefaultDate: true, Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.Request.Header.Del("Connection")
			if err := back.Do(&ctx.Request, &ctx.Response); err != nil {
				ctx.Error(err.Error(), 502)
			}
		}}
		return server.Serve(ln)
	case "reverseproxy":
		to := &url.URL{Scheme: "http", Host: upstream}
		p := &httputil.ReverseProxy{
			Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(to) },
			Transport:  &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true, WriteBufferSize: 8 << 10, ReadBufferSize: 8 << 10},
			BufferPool: new(buffers),
			ErrorLog:   log.New(io.Discard, "", 0),
		}
		return (&http.Server{Handler: p}).Serve(ln)
	}
	return errors.New("no such proxy")
}
