package sftp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"holdfast/internal/target"
)

// Settings say where a folder is, and who asks.
type Settings struct {
	Address string // host:port
	User    string
	Folder  string
	Auth    ssh.AuthMethod
	Known   ssh.HostKeyCallback
	// Silence is how long a server that was asked may say nothing before its connection is
	// given up; 0: 30 s.
	Silence time.Duration
}

// Folder is a target. Its connection is made anew where it broke.
type Folder struct {
	s     Settings
	place string // for people

	turn chan struct{} // holds one while somebody makes or ends the connection
	live *connection
}

type connection struct {
	ssh  *ssh.Client
	sftp *sftp.Client
}

// New takes a folder that is there.
func New(ctx context.Context, s Settings) (*Folder, error) {
	s.Silence = cmp.Or(s.Silence, 30*time.Second)
	f := &Folder{s: s, place: "sftp://" + s.User + "@" + s.Address + s.Folder, turn: make(chan struct{}, 1)}
	c, err := f.connect(ctx)
	if err == nil {
		err = f.there(c)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// there tells whether the folder is. A disk that is not mounted is no place without
// files, and nothing is put where it was.
func (f *Folder) there(c *sftp.Client) error {
	info, err := c.Stat(f.s.Folder)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return target.NoPlace(f.place, err)
	}
	return f.of("", err)
}

func (f *Folder) connect(ctx context.Context) (*sftp.Client, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if f.live != nil {
		if alive(f.live.ssh) == nil {
			return f.live.sftp, nil
		}
		_ = f.live.ssh.Close() // it is dead
		f.live = nil
	}
	dial := net.Dialer{Timeout: f.s.Silence}
	raw, err := dial.DialContext(ctx, "tcp", f.s.Address)
	if err != nil {
		return nil, target.Gone(f.place, "", err)
	}
	raw = &heard{raw, f.s.Silence}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // who greets does not look at ctx
	defer stop()
	conn, channels, requests, err := ssh.NewClientConn(raw, f.s.Address, &ssh.ClientConfig{
		User: f.s.User, Auth: []ssh.AuthMethod{f.s.Auth}, HostKeyCallback: f.s.Known,
	})
	if err != nil {
		_ = raw.Close() // why is known
		if strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), "knownhosts: ") {
			return nil, target.Denied(f.place, "", err)
		}
		return nil, target.Gone(f.place, "", err)
	}
	client := ssh.NewClient(conn, channels, requests)
	go ask(client, f.s.Silence/3)
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(target.Gone(f.place, "", err), client.Close())
	}
	f.live = &connection{client, files}
	return files, nil
}

// heard is a connection that ends once nothing was heard for so long. All that waits on it
// then fails: the protocol itself would wait for as long as TCP does, a read for good.
type heard struct {
	net.Conn
	silence time.Duration
}

func (h *heard) Read(p []byte) (int, error) {
	if err := h.SetReadDeadline(time.Now().Add(h.silence)); err != nil {
		return 0, err
	}
	n, err := h.Conn.Read(p)
	if err != nil {
		_ = h.Close() // wakes who waits to write
	}
	return n, err
}

// ask has a server that is there say something often enough, until the connection ends.
func ask(client *ssh.Client, every time.Duration) {
	ended := make(chan struct{})
	go func() {
		_ = client.Wait() // whoever uses it is told why
		close(ended)
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			if alive(client) != nil {
				_ = client.Close()
			}
		}
	}
}

// alive asks whether the server is there: it may refuse to answer that.
func alive(client *ssh.Client) error {
	_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
	return err
}

// of says of an error what it says of the place.
func (f *Folder) of(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target.Missing(f.place, name, err)
	case errors.Is(err, fs.ErrPermission) || err != nil && strings.Contains(err.Error(), "read-only file system"):
		return target.Denied(f.place, name, err)
	case err != nil && strings.Contains(err.Error(), "no space left on device"):
		return target.Full(f.place, name, err)
	}
	return target.OfSystem(f.place, name, err)
}

// within does something on a connection that lives.
func (f *Folder) within(ctx context.Context, name string, do func(c *sftp.Client, full string) error) error {
	if err := target.CheckName(name); err != nil {
		return err
	}
	c, err := f.connect(ctx)
	if err != nil {
		return err
	}
	err = do(c, path.Join(f.s.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		if gone := f.there(c); gone != nil {
			return gone
		}
	}
	return f.of(name, err)
}

// makeFolder makes a folder of the place and what is above it, never the place itself.
func (f *Folder) makeFolder(c *sftp.Client, dir string) error {
	if dir == "." {
		return f.there(c)
	}
	full := path.Join(f.s.Folder, dir)
	if _, err := c.Stat(full); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.makeFolder(c, path.Dir(dir)); err != nil {
		return err
	}
	err := c.Mkdir(full)
	if err != nil {
		if info, missing := c.Stat(full); missing == nil && info.IsDir() {
			return nil // another one made it meanwhile
		}
	}
	return err
}

// unsupported says that a server does not know a request.
func unsupported(err error) bool {
	var status *sftp.StatusError
	return errors.Is(err, sftp.ErrSSHFxOpUnsupported) || errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxOpUnsupported
}

// Put writes a file.
func (f *Folder) Put(ctx context.Context, name string, r io.Reader) error {
	in := target.NewInput(ctx, r)
	err := f.within(ctx, name, func(c *sftp.Client, full string) (err error) {
		if err := f.makeFolder(c, path.Dir(name)); err != nil {
			return err
		}
		temp := path.Join(path.Dir(full), target.TempPrefix+rand.Text())
		file, err := c.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = c.Remove(temp) // else it is swept up later
			}
		}()
		_, err = file.ReadFrom(in)
		if err == nil {
			if err = file.Sync(); unsupported(err) {
				err = nil // the server decides when it writes
			}
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		if in.Err() != nil || ctx.Err() != nil {
			return errors.Join(in.Err(), context.Cause(ctx))
		}
		return c.PosixRename(temp, full)
	})
	if in.Err() != nil {
		return in.Err()
	}
	return err
}

// Open reads a file.
func (f *Folder) Open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	var file *sftp.File
	var size int64
	err := f.within(ctx, name, func(c *sftp.Client, full string) (err error) {
		if file, err = c.Open(full); err != nil {
			return err
		}
		info, err := file.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
		if err != nil {
			return errors.Join(err, file.Close())
		}
		size = info.Size()
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return &reader{file, f, name}, size, nil
}

// reader tells by its errors that the place is to blame. It writes itself to nobody:
// an error of doing so would be anybody's.
type reader struct {
	file *sftp.File
	f    *Folder
	name string
}

func (r *reader) Close() error { return r.file.Close() }

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers have it
		err = r.f.of(r.name, err)
	}
	return n, err
}

// Stat tells of a file.
func (f *Folder) Stat(ctx context.Context, name string) (o target.Object, err error) {
	err = f.within(ctx, name, func(c *sftp.Client, full string) error {
		info, err := c.Stat(full)
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
		if err == nil {
			o = target.Object{Name: name, Size: info.Size(), Modified: info.ModTime()}
		}
		return err
	})
	return o, err
}

// List lists files.
func (f *Folder) List(ctx context.Context, prefix string) ([]target.Object, error) {
	return target.ListTree(ctx, f, prefix)
}

// Walk goes through files.
func (f *Folder) Walk(ctx context.Context, from string, each func(string, fs.FileInfo, func() error) error) error {
	c, err := f.connect(ctx)
	if err != nil {
		return err
	}
	walker := c.Walk(path.Join(f.s.Folder, from))
	for walker.Step() {
		if errors.Is(walker.Err(), fs.ErrNotExist) {
			if err := f.there(c); err != nil {
				return err
			}
			continue // it went meanwhile, or was never there
		}
		if err := errors.Join(ctx.Err(), walker.Err()); err != nil {
			return f.of(from, err)
		}
		if !walker.Stat().Mode().IsRegular() {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(walker.Path(), f.s.Folder), "/")
		if err := each(name, walker.Stat(), func() error { return c.Remove(walker.Path()) }); err != nil {
			return f.of(name, err)
		}
	}
	return nil
}

// Delete removes a file.
func (f *Folder) Delete(ctx context.Context, name string) error {
	return f.within(ctx, name, func(c *sftp.Client, full string) error { return c.Remove(full) })
}

// Sweep removes what was not finished.
func (f *Folder) Sweep(ctx context.Context, age time.Duration) (int, error) {
	return target.SweepTree(ctx, f, age)
}

// Close ends the connection.
func (f *Folder) Close() error {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	if f.live == nil {
		return nil
	}
	err := f.live.ssh.Close()
	f.live = nil
	return err
}

var _ target.Target = (*Folder)(nil)
