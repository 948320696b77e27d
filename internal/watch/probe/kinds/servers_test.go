package kinds_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"log"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/miekg/dns"

	"holdfast/internal/continuity"
	"holdfast/internal/mariatest"
	"holdfast/internal/outgoing"
	"holdfast/internal/pgtest"
	"holdfast/internal/watch/probe"
)

var quiet = log.New(io.Discard, "", 0)

func TestTCP(t *testing.T) {
	tools := tools(t, nil)
	echo := serve(t, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	expect(t, "open", look(t, tools, probe.Spec{Kind: "tcp", Target: echo}), up, "")
	expect(t, "talks", look(t, tools, probe.Spec{Kind: "tcp", Target: echo, Expect: probe.Expect{Send: "ping\r\n", Received: "ping"}}), up, "")
	pieces := serve(t, func(conn net.Conn) {
		for _, part := range []string{"22", "0 re", "ady\r\n"} {
			_, _ = io.WriteString(conn, part)
		}
	})
	expect(t, "in pieces", look(t, tools, probe.Spec{Kind: "tcp", Target: pieces, Expect: probe.Expect{Received: "220 ready"}}), up, "")
	expect(t, "other words", look(t, tools, probe.Spec{Kind: "tcp", Target: pieces, Expect: probe.Expect{Received: "250"}}), down, "watch.not-received")
	expect(t, "endless", look(t, tools, probe.Spec{Kind: "tcp", Target: endless(t), Expect: probe.Expect{Received: "250"}}), down, "watch.too-long")
}

func TestDNS(t *testing.T) {
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		switch q := r.Question[0]; {
		case strings.HasPrefix(q.Name, "none."):
			m.Rcode = dns.RcodeNameError
		case strings.HasPrefix(q.Name, "long.") && w.LocalAddr().Network() == "udp":
			m.Truncated = true
		default:
			for _, text := range []string{"A 10.0.0.5", "A 10.0.0.6", "MX 10 Mail.shop.example.", `TXT "v=spf1 " "-all"`} {
				rr, err := dns.NewRR(q.Name + " 60 IN " + text)
				if err == nil && rr.Header().Rrtype == q.Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		_ = w.WriteMsg(m)
	})
	packets, listener := both(t)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	tools := tools(t, nil)
	ask := func(name, record string, answer ...string) continuity.CheckResult {
		return look(t, tools, probe.Spec{Kind: "dns", Target: name, Record: record, Server: packets.LocalAddr().String(), Expect: probe.Expect{Answer: answer}})
	}
	expect(t, "any", ask("shop.example", ""), up, "")
	expect(t, "both", ask("shop.example", "A", "10.0.0.6", "10.0.0.5"), up, "")
	expect(t, "another", ask("shop.example", "A", "10.0.0.7"), down, "watch.dns-lacks")
	expect(t, "mail", ask("shop.example", "mx", "10 mail.shop.example"), up, "")
	expect(t, "text", ask("shop.example", "TXT", "v=spf1 -all"), up, "")
	expect(t, "no record", ask("shop.example", "AAAA"), down, "watch.dns-empty")
	expect(t, "no name", ask("none.example", "A"), down, "watch.dns-status")
	expect(t, "over TCP", ask("long.example", "A", "10.0.0.5"), up, "")
	dead, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	expect(t, "silent", look(t, tools, probe.Spec{Kind: "dns", Target: "a.example", Server: dead.LocalAddr().String(), Timeout: 100 * time.Millisecond}), down, "watch.timeout")
	expect(t, "not let out", look(t, tools, probe.Spec{Kind: "dns", Target: "a.example", Server: "169.254.169.253:53"}), unknown, "watch.not-let-out")
}

// redisServer starts a real one.
func redisServer(t *testing.T, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is missing; install it with: make needs")
	}
	address := refused(t)
	_, port, _ := net.SplitHostPort(address)
	server := exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, arguments...)...)
	output := &signal{ready: make(chan struct{})}
	server.Stdout = output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	select {
	case <-output.ready:
	case <-time.After(20 * time.Second):
		t.Fatal("redis-server does not start")
	}
	return address
}

// signal tells when a server says that it is ready.
type signal struct {
	all   bytes.Buffer
	ready chan struct{}
	told  bool
}

func (s *signal) Write(p []byte) (int, error) {
	s.all.Write(p)
	if !s.told && bytes.Contains(s.all.Bytes(), []byte("eady to accept connections")) {
		s.told = true
		close(s.ready)
	}
	return len(p), nil
}

func TestRedis(t *testing.T) {
	tools := tools(t, nil)
	open, closed := redisServer(t), redisServer(t, "--requirepass", secretWord)
	r := look(t, tools, probe.Spec{Kind: "redis", Target: open})
	expect(t, "open", r, up, "")
	if r.Values["used_memory"] <= 0 || r.Values["connected_clients"] != 1 {
		t.Errorf("values: %v", r.Values)
	}
	expect(t, "password", look(t, tools, probe.Spec{Kind: "redis", Target: closed, Auth: secret}), up, "")
	expect(t, "user", look(t, tools, probe.Spec{Kind: "redis", Target: closed, Auth: func() (string, error) { return "default:" + secretWord, nil }}), up, "")
	expect(t, "no password", look(t, tools, probe.Spec{Kind: "redis", Target: closed}), down, "watch.login")
	expect(t, "wrong password", look(t, tools, probe.Spec{Kind: "redis", Target: closed, Auth: func() (string, error) { return "wrong", nil }}), down, "watch.login")
	_, port, _ := net.SplitHostPort(refused(t))
	expect(t, "alone", look(t, tools, probe.Spec{Kind: "redis", Target: redisServer(t, "--replicaof", "127.0.0.1 "+port)}), degraded, "watch.redis-alone")
	other := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "220 mail\r\n") })
	expect(t, "no redis", look(t, tools, probe.Spec{Kind: "redis", Target: other}), down, "watch.redis-talk")
	empty := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "$999999999\r\n") })
	expect(t, "huge", look(t, tools, probe.Spec{Kind: "redis", Target: empty}), down, "watch.redis-talk")
}

type mailbox struct{ t *testing.T }

func (m mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m mailbox) Mail(string, *smtp.MailOptions) error {
	m.t.Error("a mail is sent")
	return errors.New("no")
}
func (m mailbox) Rcpt(string, *smtp.RcptOptions) error { return errors.New("no") }
func (m mailbox) Data(io.Reader) error                 { return errors.New("no") }
func (m mailbox) Reset()                               {}
func (m mailbox) Logout() error                        { return nil }

func TestSMTP(t *testing.T) {
	a := newAuthority(t)
	tools := tools(t, a.roots)
	start := func(change func(*smtp.Server)) string {
		server := smtp.NewServer(mailbox{t})
		server.ErrorLog = quiet
		change(server)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
		return l.Addr().String()
	}
	ends := time.Now().Add(50 * 24 * time.Hour)
	plain := start(func(*smtp.Server) {})
	secure := start(func(s *smtp.Server) { s.TLSConfig = a.issue(t, "127.0.0.1", ends) })
	wrong := start(func(s *smtp.Server) { s.TLSConfig = a.issue(t, "127.0.0.9", ends) })
	expect(t, "plain", look(t, tools, probe.Spec{Kind: "smtp", Target: plain}), up, "")
	expect(t, "plain, not enough", look(t, tools, probe.Spec{Kind: "smtp", Target: plain, TLS: true}), down, "watch.smtp-plain")
	r := look(t, tools, probe.Spec{Kind: "smtp", Target: secure, TLS: true})
	expect(t, "secure", r, up, "")
	if !r.CertExpires.Equal(ends.Truncate(time.Second)) {
		t.Errorf("ends %s", r.CertExpires)
	}
	expect(t, "ends soon", look(t, tools, probe.Spec{Kind: "smtp", Target: secure, Expires: 60 * 24 * time.Hour}), degraded, "watch.certificate-ends")
	expect(t, "wrong name", look(t, tools, probe.Spec{Kind: "smtp", Target: wrong}), down, "watch.certificate-name")
	busy := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "421 "+secretWord+"\r\n") })
	expect(t, "busy", look(t, tools, probe.Spec{Kind: "smtp", Target: busy}), down, "watch.smtp-status")
	other := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "hello "+secretWord+"\r\n") })
	expect(t, "no SMTP", look(t, tools, probe.Spec{Kind: "smtp", Target: other}), down, "watch.smtp-talk")
}

func TestSQL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("create table t (n integer); insert into t values (17)"); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	maria, err := mysql.ParseDSN(mariatest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	rules := []string{"unix:" + maria.Addr}
	postgres := pgtest.Database(t)
	socket := postgresSocket(t, postgres)
	tools := tools(t, nil, append(rules, "unix:"+socket)...)
	for name, dsn := range map[string]string{"sqlite": "sqlite://" + file, "mysql": "mysql://" + maria.FormatDSN(), "postgres": postgres} {
		ask := func(query string, e probe.Expect) continuity.CheckResult {
			return look(t, tools, probe.Spec{Kind: "sql", Target: query, Expect: e, DSN: func() (string, error) { return dsn, nil }})
		}
		r := ask("select 17, 18", probe.Expect{Equals: ref("17"), Value: probe.Bounds{AtLeast: ref(10.0)}})
		expect(t, name+": well", r, up, "")
		if r.Values["value"] != 17 {
			t.Errorf("%s: values %v", name, r.Values)
		}
		expect(t, name+": text", ask("select 'ready'", probe.Expect{Equals: ref("ready")}), up, "")
		expect(t, name+": another", ask("select 17", probe.Expect{Equals: ref("18")}), down, "watch.query-value")
		expect(t, name+": too much", ask("select 17", probe.Expect{Value: probe.Bounds{AtMost: ref(5.0)}}), down, "watch.query-value")
		expect(t, name+": no number", ask("select 'x'", probe.Expect{Value: probe.Bounds{AtMost: ref(5.0)}}), down, "watch.query-value")
		expect(t, name+": nothing", ask("select 1 where 1 = 0", probe.Expect{}), down, "watch.no-row")
		expect(t, name+": no table", ask("select * from "+"nowhere", probe.Expect{}), down, "watch.query")
	}
	expect(t, "kind", look(t, tools, probe.Spec{Kind: "sql", Target: "select 1", DSN: func() (string, error) { return "oracle://" + secretWord, nil }}), unknown, "watch.dsn")
	expect(t, "no file", look(t, tools, probe.Spec{Kind: "sql", Target: "select 1", DSN: func() (string, error) { return "sqlite:///nowhere/x.db", nil }}), down, "watch.query")
	expect(t, "socket not listed", look(t, toolsFor(t), probe.Spec{Kind: "sql", Target: "select 1", DSN: func() (string, error) { return postgres, nil }}), unknown, "watch.not-let-out")
	maria.Passwd = secretWord
	expect(t, "login", look(t, tools, probe.Spec{Kind: "sql", Target: "select 1", DSN: func() (string, error) { return "mysql://" + maria.FormatDSN(), nil }}), down, "watch.login")
}

func toolsFor(t *testing.T) *probe.Tools { return tools(t, nil) }

func TestICMP(t *testing.T) {
	r := look(t, tools(t, nil), probe.Spec{Kind: "icmp", Target: "127.0.0.1"})
	if r.State == unknown && r.Reason.Code == "watch.no-ping" {
		t.Fatal("this machine lets nobody ping: sysctl net.ipv4.ping_group_range, or run it as root")
	}
	expect(t, "here", r, up, "")
	if r.Values["loss"] != 0 || r.Values["rtt_seconds"] <= 0 {
		t.Errorf("values: %v", r.Values)
	}
	expect(t, "not let out", look(t, tools(t, nil), probe.Spec{Kind: "icmp", Target: "169.254.169.254"}), unknown, "watch.not-let-out")
}

func TestHeartbeat(t *testing.T) {
	var last probe.Beat
	tools := probe.NewTools("node-1", outgoing.New(outgoing.Policy{}, nil), nil, func(check string) (probe.Beat, bool) {
		return last, check == "check-1" && !last.At.IsZero()
	})
	spec := probe.Spec{Kind: "heartbeat", Every: time.Hour, Grace: 5 * time.Minute}
	expect(t, "never", look(t, tools, spec), unknown, "watch.no-beat")
	last.At = time.Now().Add(-64 * time.Minute)
	expect(t, "within its grace", look(t, tools, spec), up, "")
	last.At = time.Now().Add(-66 * time.Minute)
	expect(t, "late", look(t, tools, spec), down, "watch.late")
	last = probe.Beat{At: time.Now(), Failed: true, Took: time.Minute}
	expect(t, "failed", look(t, tools, spec), down, "watch.beat-failed")
	last = probe.Beat{At: time.Now().Add(50 * time.Second)}
	if r := look(t, tools, spec); r.State != up || r.Values["age_seconds"] != 0 {
		t.Errorf("of a clock a little ahead: %+v", r)
	}
	last.At = time.Now().Add(70 * time.Second)
	expect(t, "of a clock that is ahead", look(t, tools, spec), unknown, "watch.beat-ahead")
	last.Failed = true
	expect(t, "failed, by that clock", look(t, tools, spec), down, "watch.beat-failed")
}

// postgresSocket is the socket that a DSN names by its folder.
func postgresSocket(t *testing.T, dsn string) string {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, address := pgconn.NetworkAddress(config.Host, config.Port)
	return address
}

// both listens over UDP and TCP on one port.
func both(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var last error
	for range 20 {
		listener, err := net.Listen("tcp", refused(t))
		if err != nil {
			last = err
			continue
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return packets, listener
		}
		last = err
		_ = listener.Close()
	}
	t.Fatal(last)
	return nil, nil
}
