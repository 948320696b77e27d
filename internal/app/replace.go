package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/listener"
)

const (
	trialTime = 20 * time.Second // for each thing that is tried with a new program
	retireFor = time.Second      // until idle connections are closed
)

// tryProgram finds out, while everything goes on, whether the program that
// stands in this one's file could take its place: it must run here, understand
// the configuration, and read the journal.
func (a *App) tryProgram(ctx context.Context) error {
	if a.o.Program == "" {
		return continuity.E(continuity.CodeReplace, errors.New("app: the program's file is not known"), "cause", "its file is not known")
	}
	for _, args := range [][]string{
		{"version"},
		{"relay", "check", a.o.ConfigFile},
		{"journal", "inspect", "--config", a.o.ConfigFile},
	} {
		if err := a.try(ctx, args); err != nil {
			a.log.Error("the new program was not started; everything goes on as it was", "program", a.o.Program, "tried", strings.Join(args, " "), "error", err)
			return continuity.E(continuity.CodeReplace, err, "program", a.o.Program, "tried", strings.Join(args, " "), "cause", err.Error())
		}
	}
	return nil
}

func (a *App) try(ctx context.Context, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, a.o.Program, args...) // #nosec G204 -- this program's own path
	cmd.Stderr = &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n"); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// failedReplacement has the relay begin again, with the sockets it had.
type failedReplacement struct {
	err     error
	sockets *listener.Inheritance
}

func (f *failedReplacement) Error() string { return f.err.Error() }

// makeRoom stops the relay and puts the program that stands in its file into
// its process. Connections that come meanwhile wait in the sockets.
func (a *App) makeRoom(ctx context.Context, signals <-chan os.Signal) error {
	sockets, err := listener.NewHandover(a.sockets)
	if err != nil {
		return errors.Join(err, a.stopBounded(ctx, signals))
	}
	defer sockets.Close()
	a.log.Info("making room for the new program", "program", a.o.Program)
	a.front.retire()
	select {
	case <-time.After(retireFor):
	case <-ctx.Done():
	}
	if err := a.stopBounded(ctx, signals); err != nil || ctx.Err() != nil {
		return err
	}
	err = sockets.Exec(a.o.Program, os.Args, os.Environ())
	a.log.Error("the new program could not be started; going on as before", "error", err)
	kept, keptErr := sockets.Keep()
	if keptErr != nil {
		return errors.Join(err, keptErr)
	}
	return &failedReplacement{err, kept}
}

// Replace implements api.Control: it returns once the new program was tried; it
// takes its place soon after.
func (d *desk) Replace(ctx context.Context) error {
	if err := d.Ready(); err != nil {
		return err
	}
	if err := d.tryProgram(ctx); err != nil {
		return err
	}
	select {
	case d.replace <- struct{}{}:
	default: // it is on its way
	}
	return nil
}
