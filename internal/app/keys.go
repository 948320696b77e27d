package app

import (
	"context"
	"fmt"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
)

// RotateKeys implements api.Keys: a new master key takes the place of the one in
// use. While that goes on the key file holds both; whatever stops it, doing it
// again, or starting again, finishes it.
func (d *desk) RotateKeys(_ context.Context, req api.RotateRequest) (api.RotateResult, error) {
	if err := d.usable(); err != nil {
		return api.RotateResult{}, err
	}
	if err := d.ledger.Latched(); err != nil {
		return api.RotateResult{}, continuity.E(continuity.CodeLatched, err)
	}
	d.rotating.Lock()
	defer d.rotating.Unlock()
	file := d.home.MasterKeyFile
	if err := d.ring.Add(file); err != nil {
		return api.RotateResult{}, fmt.Errorf("app: master key: %w", err)
	}
	if err := d.finishRotation(); err != nil {
		return api.RotateResult{}, err
	}
	d.log.Info("a person exchanged the master key", "person", req.Person, "why", req.Why, "file", file)
	return api.RotateResult{File: file}, nil
}

// finishRotation leaves nothing that needs an older key than the newest, and
// then drops those.
func (a *App) finishRotation() error {
	files, ok := a.journal.Log.(*journal.Files)
	if !ok {
		return continuity.E(continuity.CodeNoKey, nil)
	}
	if err := files.Rewrap(); err != nil {
		return err
	}
	if err := a.ledger.Reseal(); err != nil {
		return err
	}
	return a.ring.Drop(a.home.MasterKeyFile)
}

// resumeRotation goes on with an exchange that the process before did not
// finish. It is not worth failing a start for: both keys are there.
func (a *App) resumeRotation(ring *keyring.Ring) {
	if a.ledger == nil || ring == nil || ring.Count() < 2 {
		return
	}
	a.rotating.Lock()
	defer a.rotating.Unlock()
	if err := a.finishRotation(); err != nil {
		a.log.Error("the exchange of the master key is not finished; the key file keeps both keys", "error", err)
		return
	}
	a.log.Info("the exchange of the master key was finished")
}
