package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo/customers"
	"holdfast/internal/demo/inbox"
	"holdfast/internal/demo/postgres"
	"holdfast/internal/demo/process"
	"holdfast/internal/demo/shop"
	"holdfast/internal/endpoint"
	"holdfast/internal/loopback"
)

//go:embed files
var files embed.FS

// Service is the plan's.
const Service = "shop"

// Options are what a world is made of.
type Options struct {
	Program    string // holdfast itself
	Dir        string // in which the world's folder is made; empty: that of temporary files
	ControlDSN string // PostgreSQL's for the control node; empty: SQLite
	ShopDSN    string // and for the shop
	Lang       catalogue.Lang
	PerMinute  int // messages that a channel takes; 0: 60

	// Releases has the shop upgraded: it is served by a PostgreSQL of its own, of which
	// backups are made.
	Releases bool
}

// World is everything that runs, and where it is. What is exported but is no method is
// for those who take its legs away.
type World struct {
	Options

	Folder string
	Inbox  *inbox.Inbox
	DB     customers.Database

	Shop, Relay, Control *process.Process
	Server               *postgres.Server // of a shop that is upgraded

	spawner  *process.Spawner
	at       places
	callback string // secret of the provider's callbacks
	hands    *hands
	users    map[string]*controlapi.Client
}

// places are addresses, as the files have them.
type places struct {
	Shop, Relay, Admin, Control, Public, Hands string

	Mail, Provider, Hooks string
	Driver, ControlDSN    string
	Lang                  string
	PerMinute             int
	Program               string
	Folder                string

	Releases   bool
	Postgres   string // address of the shop's server
	Beside     string // the folder of that server, and of restores
	Invariants []shop.Invariant
	Bake       string // how long a new release is watched
}

// Password of every user and of the mail server.
const password = "a shop that holds fast"

// New makes a world's folder and what stands outside of Holdfast's processes.
func New(o Options) (w *World, err error) {
	if o.PerMinute == 0 {
		o.PerMinute = 60
	}
	if o.Lang == "" {
		o.Lang = catalogue.En
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o750); err != nil {
			return nil, err
		}
	}
	w = &World{Options: o, users: map[string]*controlapi.Client{}}
	if w.Folder, err = os.MkdirTemp(o.Dir, "holdfast-demo-"); err != nil {
		return nil, err
	}
	if w.Folder, err = filepath.Abs(w.Folder); err != nil {
		return nil, err
	}
	w.spawner = process.New()
	w.spawner.Env = w.environment()
	made := w
	defer func() {
		if err != nil {
			err = errors.Join(err, made.Close(false))
		}
	}()
	w.DB = customers.Database{File: filepath.Join(w.Folder, "shop.db"), DSN: o.ShopDSN}
	if o.Releases {
		if err := w.serve(); err != nil {
			return nil, err
		}
	}
	provider, site, mail := rand.Text(), "whsec_"+strings.TrimRight(base64Of(24), "="), rand.Text()
	w.callback = rand.Text()
	w.Inbox = &inbox.Inbox{
		User: "holdfast@shop.example", Password: mail, Account: "demo", Key: provider, Trust: filepath.Join(w.Folder, "mail.pem"),
		Hooks: map[string]string{"site": site},
		Approved: map[string]string{"TTS_1": map[catalogue.Lang]string{
			catalogue.En: "Holdfast calls: ${what} Press 1 if you take it.", catalogue.Zh: "Holdfast 来电：${what} 接手请按 1。",
		}[o.Lang]},
	}
	if err := w.Inbox.Open(); err != nil {
		return nil, err
	}
	if w.hands, err = openHands(w); err != nil {
		return nil, err
	}
	addresses, err := loopback.Addresses(5)
	if err != nil {
		return nil, err
	}
	w.at = places{
		Postgres: w.at.Postgres, Beside: w.at.Beside,
		Shop: addresses[0], Relay: addresses[1], Admin: addresses[2], Control: addresses[3], Public: addresses[4], Hands: w.hands.url,
		Mail: w.Inbox.MailAddress, Provider: w.Inbox.ProviderURL, Hooks: w.Inbox.HookURL, ControlDSN: o.ControlDSN,
		Lang: string(o.Lang), PerMinute: o.PerMinute, Program: o.Program, Folder: w.Folder,
	}
	if o.Releases {
		w.at.Releases, w.at.Invariants, w.at.Bake = true, shop.Invariants(), bake.String()
	}
	driver, dsn := w.DB.Driver()
	w.at.Driver = driver
	return w, w.write(map[string]string{
		"shop.dsn": dsn, "control.dsn": o.ControlDSN, "secrets/SHOP_DSN": dsn,
		"secrets/MAIL": mail, "secrets/PROVIDER": provider, "secrets/CALLBACK": w.callback, "secrets/SITE": site,
	})
}

func base64Of(n int) string {
	return strings.Repeat(rand.Text(), 2)[:n] // letters and digits are base64, too
}

// environment is this process's without what would lead commands elsewhere.
func (w *World) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "HOLDFAST_") || strings.HasPrefix(v, "LC_") || strings.HasPrefix(v, "LANG=") || strings.HasPrefix(v, "HOME=")
	})
	lang := map[catalogue.Lang]string{catalogue.Zh: "zh_CN.UTF-8"}[w.Lang]
	return append(env, "LANG="+lang, "HOME="+w.Folder, "HOLDFAST_PERSON=li.wei")
}

// write puts the files of the folder down: those that come along, and secrets.
func (w *World) write(secrets map[string]string) error {
	if err := os.MkdirAll(filepath.Join(w.Folder, "secrets"), 0o700); err != nil {
		return err
	}
	for name, text := range secrets {
		if err := os.WriteFile(filepath.Join(w.Folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	entries, err := files.ReadDir("files")
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			return err
		}
		t, err := template.New(e.Name()).Parse(string(text))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, w.at); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(w.Folder, e.Name()), out.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything; what was written goes too, unless it is to be kept.
func (w *World) Close(keep bool) error {
	w.spawner.Close()
	if w.hands != nil {
		w.hands.close()
	}
	if w.Inbox != nil {
		w.Inbox.Close()
	}
	if keep {
		return nil
	}
	return errors.Join(os.RemoveAll(w.Folder), os.RemoveAll(w.at.Beside))
}

// Edit puts one text in the place of another in a file of the folder.
func (w *World) Edit(file, from, to string) error {
	path := filepath.Join(w.Folder, file)
	text, err := os.ReadFile(path) // #nosec G304 -- the world's own
	if err != nil {
		return err
	}
	after := strings.ReplaceAll(string(text), from, to)
	if after == string(text) {
		return fmt.Errorf("demo: %q is not in %s", from, file)
	}
	return os.WriteFile(path, []byte(after), 0o600) // #nosec G703 -- as above
}

func (w *World) start(name string, args ...string) (*process.Process, error) {
	return w.spawner.Start(name, filepath.Join(w.Folder, name+".log"), append([]string{w.Program}, args...)...)
}

// StartShop starts the shop, anew where it has ended.
func (w *World) StartShop() (err error) {
	args := []string{"demo", "shop", "--listen", w.at.Shop, "--db", w.DB.File, "--capacity", "500"}
	if w.DB.DSN != "" {
		args = append(args, "--dsn-file", filepath.Join(w.Folder, "shop.dsn"))
	}
	if w.Releases {
		args = append(args, "--release", w.release(), "--recount", recount.String())
	}
	if w.Shop, err = w.start("shop", args...); err != nil {
		return err
	}
	return w.Shop.Ready(func() error { return answers("http://" + w.at.Shop + "/healthz") }, 15*time.Second)
}

// SlowShop has the shop answer so much later.
func (w *World) SlowShop(by time.Duration) error {
	req, err := http.NewRequest(http.MethodPut, "http://"+w.at.Shop+"/slow?by="+by.String(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := prober.Do(req)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// StartRelay starts the relay.
func (w *World) StartRelay(ctx context.Context) (err error) {
	if w.Relay, err = w.start("relay", "serve", "--config", filepath.Join(w.Folder, "relay.yaml"), "--log-level", "warn"); err != nil {
		return err
	}
	return w.Relay.Ready(func() error {
		_, err := w.Route(ctx)
		return err
	}, 15*time.Second)
}

// StartControl starts the control node, anew where it has ended.
func (w *World) StartControl() (err error) {
	data := filepath.Join(w.Folder, "control")
	if err := endpoint.Remove(data, endpoint.Control); err != nil { // what a killed one left
		return err
	}
	if w.Control, err = w.start("control", "control", "--config", filepath.Join(w.Folder, "control.yaml"), "--log-level", "warn"); err != nil {
		return err
	}
	return w.Control.Ready(func() error {
		if _, err := endpoint.Read(data, endpoint.Control); err != nil {
			return err
		}
		return answers("http://" + w.at.Control + "/readyz")
	}, 30*time.Second)
}

// Start starts everything and has the plan hold.
func (w *World) Start(ctx context.Context) error {
	if err := w.StartShop(); err != nil {
		return err
	}
	if err := w.StartRelay(ctx); err != nil {
		return err
	}
	if err := w.StartControl(); err != nil {
		return err
	}
	return w.Prepare(ctx)
}

// users of the control node, with their roles there.
var roles = map[string]string{"li.wei": "commander", "zhang.min": "commander", "chen.jie": "commander", "wu.hao": "operator", "sun.lan": "commander"}

// Prepare brings people, users and the plan into the control node.
func (w *World) Prepare(ctx context.Context) error {
	for _, args := range [][]string{{"people", "import", "people.yaml"}, {"plan", "apply", "shop.yaml"}} {
		if _, err := w.Holdfast(ctx, args...); err != nil {
			return err
		}
	}
	own, err := w.Administrator()
	if err != nil {
		return err
	}
	for id, role := range roles {
		if _, err := controlapi.Post[controlapi.User](ctx, own, "/users", map[string]any{"id": id, "name": id, "role": role, "password": password}); err != nil {
			return fmt.Errorf("user %s: %w", id, err)
		}
	}
	return nil
}

// Holdfast runs a command of the program as a person would type it, and returns what
// it printed.
func (w *World) Holdfast(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, w.Program, args...) // #nosec G204 -- this program
	cmd.Dir, cmd.Env = w.Folder, append(w.environment(), "HOLDFAST_CONTROL_DATA="+filepath.Join(w.Folder, "control"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("holdfast %s: %w\n%s%s", strings.Join(args, " "), err, stderr.String(), out)
	}
	return string(out), nil
}

// Administrator is the control node as its own administrator sees it.
func (w *World) Administrator() (*controlapi.Client, error) {
	token, err := endpoint.ReadToken(filepath.Join(w.Folder, "control", "admin.token"))
	if err != nil {
		return nil, err
	}
	return controlapi.NewClient(w.at.Control, token, "li.wei", w.Lang, nil), nil
}

// As is the control node as a person sees it who has logged in.
func (w *World) As(ctx context.Context, user string) (*controlapi.Client, error) {
	if c := w.users[user]; c != nil {
		return c, nil
	}
	door := controlapi.NewClient(w.at.Control, "", "", w.Lang, nil)
	session, err := controlapi.Post[controlapi.Opened](ctx, door, "/sessions", map[string]string{"user": user, "password": password})
	if err != nil {
		return nil, fmt.Errorf("%s logs in: %w", user, err)
	}
	w.users[user] = controlapi.NewClient(w.at.Control, session.Token, "", w.Lang, nil)
	return w.users[user], nil
}

// Route is what the relay says of the orders.
func (w *World) Route(ctx context.Context) (api.Route, error) {
	token, err := endpoint.ReadToken(filepath.Join(w.Folder, "relay", "admin.token"))
	if err != nil {
		return api.Route{}, err
	}
	status, err := api.NewClient(w.at.Admin, token, "demo", w.Lang).Status(ctx)
	if err != nil {
		return api.Route{}, err
	}
	for _, r := range status.Routes {
		if r.ID == "orders" {
			return r, nil
		}
	}
	return api.Route{}, errors.New("demo: the relay has no route orders")
}

// CustomersURL is where customers order.
func (w *World) CustomersURL() string { return "http://" + w.at.Relay }

// Press has a person who was called press a key.
func (w *World) Press(ctx context.Context, call inbox.Item, key string) error {
	return inbox.Press(ctx, "http://"+w.at.Public+"/in/company-phone?key="+w.callback, call, key)
}

var prober = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func answers(url string) error {
	response, err := prober.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// ShopURL is where the shop itself is, behind the relay.
func (w *World) ShopURL() string { return "http://" + w.at.Shop }

// HandsURL is where the service manager is asked.
func (w *World) HandsURL() string { return w.hands.url }
