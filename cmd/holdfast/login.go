package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

// sessionFile is where login leaves a session with a node, for this person's later
// commands.
func (c *cli) sessionFile(at controlPlace) string {
	dir := c.env("XDG_CONFIG_HOME")
	if dir == "" {
		if c.env("HOME") == "" {
			return ""
		}
		dir = filepath.Join(c.env("HOME"), ".config")
	}
	sum := sha256.Sum256([]byte(at.address))
	return filepath.Join(dir, "holdfast", "sessions", hex.EncodeToString(sum[:8]))
}

// loggedOut ends the name of what logout leaves in the place of a session, so that later
// commands say by whose token they act.
const loggedOut = ".out"

func (c *cli) loginCommand() *cobra.Command {
	return c.onNode(c.command("login [USER]", "login", atMost(1), func(cmd *cobra.Command, args []string) error {
		user := c.person
		if len(args) == 1 {
			user = args[0]
		}
		if user == "" {
			return invalid("cli.invalid.login-user")
		}
		at, err := c.findControl()
		if err != nil {
			return err
		}
		file := c.sessionFile(at)
		if file == "" {
			return invalid("cli.invalid.no-home")
		}
		password, err := c.newSecrets().read("cli.ask.password", "user", user)
		if err != nil {
			return err
		}
		node := controlapi.NewClient(at.address, "", c.person, c.lang, at.roots)
		session, err := controlapi.Post[controlapi.Opened](cmd.Context(), node, "/sessions", map[string]string{"user": user, "password": password})
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		err = whole(file, true, func(w io.Writer) error {
			_, err := io.WriteString(w, session.Token+"\n")
			return err
		})
		if err != nil {
			return err
		}
		_ = os.Remove(file + loggedOut) // it would only warn of what is not so
		c.warnOnly("cli.login.done", "user", session.User, "until", clock(session.Until))
		return nil
	}))
}

func (c *cli) logoutCommand() *cobra.Command {
	return c.onNode(c.command("logout", "logout", exactly(0), func(cmd *cobra.Command, _ []string) error {
		at, err := c.findControl()
		if err != nil {
			return err
		}
		file := c.sessionFile(at)
		if file == "" || !exists(file) {
			return invalid("cli.invalid.no-session")
		}
		token, err := c.controlToken(at)
		if err == nil {
			node := controlapi.NewClient(at.address, token, c.person, c.lang, at.roots)
			err = controlapi.Delete(cmd.Context(), node, "/sessions/current", continuity.VersionAny)
		}
		if continuity.CodeOf(err) == continuity.CodeForbidden {
			err = nil // it was over already
		}
		if gone := os.Remove(file); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		if err == nil {
			err = os.WriteFile(file+loggedOut, nil, 0o600)
		}
		if err == nil {
			c.warnOnly("cli.logout.done")
		}
		return err
	}))
}

// secrets reads what must not be seen: from the terminal without showing it, or
// one a line from a pipe.
type secrets struct {
	c     *cli
	lines *bufio.Reader
}

func (c *cli) newSecrets() *secrets { return &secrets{c: c, lines: bufio.NewReader(c.in)} }

const longestSecret = 4096

// read asks by a text of the catalogue.
func (s *secrets) read(id string, pairs ...any) (string, error) {
	if f, ok := s.c.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(s.c.err, s.c.t(id, pairs...)+" ")
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.c.err)
		return string(b), err
	}
	line, err := s.lines.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") || len(line) > longestSecret {
		return "", invalid("cli.invalid.no-password")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// fresh asks for a new one, at a terminal twice.
func (s *secrets) fresh(user string) (string, error) {
	first, err := s.read("cli.ask.new-password", "user", user)
	if err != nil || !terminal(s.c.in) {
		return first, err
	}
	second, err := s.read("cli.ask.again")
	if err == nil && first != second {
		err = invalid("cli.invalid.passwords-differ")
	}
	return first, err
}
