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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"holdfast/internal/target"
)

const answer = 30 * time.Second // how long a server may take for its greeting

// Settings say where a folder is, and who asks.
type Settings struct {
	Address string // host:port
	User    string
	Folder  string
	Auth    ssh.AuthMethod
	Known   ssh.HostKeyCallback
}

// Folder is a target. Its connection is made anew where it broke.
type Folder struct {
	s     Settings
	place string // for people

	mu   sync.Mutex
	live *connection
}

type connection struct {
	ssh  *ssh.Client
	sftp *sftp.Client
}

// New takes a folder that is there.
func New(ctx context.Context, s Settings) (*Folder, error) {
	f := &Folder{s: s, place: "sftp://" + s.User + "@" + s.Address + s.Folder}
	c, err := f.connect(ctx)
	if err != nil {
		return nil, err
	}
	info, err := c.Stat(s.Folder)
	if err == nil && info.IsDir() {
		return f, nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = target.NoPlace(f.place, err)
	} else {
		err = f.of("", err)
	}
	return nil, errors.Join(err, f.Close())
}

func (f *Folder) connect(ctx context.Context) (*sftp.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live != nil {
		if _, _, err := f.live.ssh.SendRequest("keepalive@openssh.com", true, nil); err == nil {
			return f.live.sftp, nil
		}
		_ = f.live.ssh.Close() // it is dead
		f.live = nil
	}
	dial := net.Dialer{Timeout: answer}
	raw, err := dial.DialContext(ctx, "tcp", f.s.Address)
	if err != nil {
		return nil, target.Gone(f.place, "", err)
	}
	if err := raw.SetDeadline(time.Now().Add(answer)); err != nil {
		return nil, errors.Join(target.Gone(f.place, "", err), raw.Close())
	}
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
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err = errors.Join(err, raw.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(target.Gone(f.place, "", err), client.Close())
	}
	f.live = &connection{client, files}
	return files, nil
}

// of says of an error what it says of the place.
func (f *Folder) of(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target.Missing(f.place, name, err)
	case errors.Is(err, fs.ErrPermission):
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
	return f.of(name, do(c, path.Join(f.s.Folder, name)))
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
		if err := c.MkdirAll(path.Dir(full)); err != nil {
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

// reader tells by its errors that the place is to blame.
type reader struct {
	*sftp.File
	f    *Folder
	name string
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.File.Read(p)
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
	if err := target.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var all []target.Object
	err := f.walk(ctx, path.Dir(prefix+"x"), func(_ *sftp.Client, name string, info fs.FileInfo) error {
		if strings.HasPrefix(name, prefix) && target.CheckName(name) == nil {
			all = append(all, target.Object{Name: name, Size: info.Size(), Modified: info.ModTime()})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b target.Object) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

func (f *Folder) walk(ctx context.Context, from string, each func(*sftp.Client, string, fs.FileInfo) error) error {
	c, err := f.connect(ctx)
	if err != nil {
		return err
	}
	walker := c.Walk(path.Join(f.s.Folder, from))
	for walker.Step() {
		if errors.Is(walker.Err(), fs.ErrNotExist) {
			continue // it went meanwhile, or was never there
		}
		if err := errors.Join(ctx.Err(), walker.Err()); err != nil {
			return f.of(from, err)
		}
		if !walker.Stat().Mode().IsRegular() {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(walker.Path(), f.s.Folder), "/")
		if err := each(c, name, walker.Stat()); err != nil {
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
	n := 0
	err := f.walk(ctx, ".", func(c *sftp.Client, name string, info fs.FileInfo) error {
		if !strings.HasPrefix(path.Base(name), target.TempPrefix) || time.Since(info.ModTime()) < age {
			return nil
		}
		err := c.Remove(path.Join(f.s.Folder, name))
		if err == nil {
			n++
		}
		return err
	})
	return n, err
}

// Close ends the connection.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live == nil {
		return nil
	}
	err := f.live.ssh.Close()
	f.live = nil
	return err
}

var _ target.Target = (*Folder)(nil)
