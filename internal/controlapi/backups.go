package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// Backups are sets of data and what stands of them on targets.
type Backups interface {
	Sets(ctx context.Context, service string) ([]keeping.SetShown, error)
	Set(ctx context.Context, service, id string) (keeping.SetShown, error)
	Backups(ctx context.Context, service, set, cursor string, limit int) (page []continuity.Backup, next string, err error)
	Backup(ctx context.Context, service, set, piece string) (continuity.Backup, int64, error)
	Ask(ctx context.Context, by continuity.Actor, service, id, work, piece string) (continuity.BackupWork, error)
	Answer(ctx context.Context, service, id string, asked time.Time) (work continuity.BackupWork, done bool, err error)
}

// BackupSetPath names a set of data.
type BackupSetPath struct {
	Service string `path:"service" maxLength:"128"`
	Set     string `path:"set" maxLength:"128"`
}

// BackupProof says which backup is to be proven.
type BackupProof struct {
	Backup string `json:"backup,omitempty" maxLength:"64"` // the piece's id; none: the newest
}

// BackupAnswer is what became of a work that somebody asked for.
type BackupAnswer struct {
	Done bool                  `json:"done"`
	Work continuity.BackupWork `json:"work"`
}

func registerBackups(s *server) {
	const sets, one = "/api/v1/backup-sets", "/api/v1/backup-sets/{service}/{set}"
	read, run := access.BackupsRead, access.BackupsRun
	register(s, operation{Method: http.MethodGet, Path: sets, ID: "listBackupSets", Scope: read}, s.listBackupSets)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getBackupSet", Scope: read}, s.getBackupSet)
	register(s, operation{Method: http.MethodGet, Path: one + "/works", ID: "getBackupWork", Scope: read}, s.getBackupWork)
	register(s, operation{Method: http.MethodPost, Path: one + "/run", ID: "runBackup", Scope: run}, s.runBackup)
	register(s, operation{Method: http.MethodPost, Path: one + "/verify", ID: "verifyBackup", Scope: run}, s.verifyBackup)
	register(s, operation{Method: http.MethodPost, Path: one + "/prune", ID: "pruneBackups", Scope: run}, s.pruneBackups)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/backups", ID: "listBackups", Scope: read}, s.listBackups)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/backups/{service}/{set}/{backup}", ID: "getBackup", Scope: read}, s.getBackup)
}

func (s *server) listBackupSets(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Paging
}) (*list[keeping.SetShown], error) {
	all, err := s.Backups.Sets(ctx, in.Service)
	if err != nil {
		return nil, err
	}
	page, next := pageOf(all, func(set keeping.SetShown) string { return set.ID }, in.Paging)
	return listOf(page, next), nil
}

func (s *server) getBackupSet(ctx context.Context, in *BackupSetPath) (*plain[keeping.SetShown], error) {
	set, err := s.Backups.Set(ctx, in.Service, in.Set)
	return &plain[keeping.SetShown]{set}, err
}

func (s *server) getBackupWork(ctx context.Context, in *struct {
	BackupSetPath

	Asked time.Time `query:"asked" required:"true"` // as the answer to who asked for it had it
}) (*plain[BackupAnswer], error) {
	work, done, err := s.Backups.Answer(ctx, in.Service, in.Set, in.Asked)
	return &plain[BackupAnswer]{BackupAnswer{done, work}}, err
}

func (s *server) ask(ctx context.Context, in BackupSetPath, work, piece string) (*plain[continuity.BackupWork], error) {
	asked, err := s.Backups.Ask(ctx, actorOf(ctx), in.Service, in.Set, work, piece)
	return &plain[continuity.BackupWork]{asked}, err
}

func (s *server) runBackup(ctx context.Context, in *BackupSetPath) (*plain[continuity.BackupWork], error) {
	return s.ask(ctx, *in, continuity.WorkFull, "")
}

func (s *server) verifyBackup(ctx context.Context, in *struct {
	BackupSetPath

	Body BackupProof
}) (*plain[continuity.BackupWork], error) {
	return s.ask(ctx, in.BackupSetPath, continuity.WorkVerify, in.Body.Backup)
}

func (s *server) pruneBackups(ctx context.Context, in *BackupSetPath) (*plain[continuity.BackupWork], error) {
	return s.ask(ctx, *in, continuity.WorkPrune, "")
}

func (s *server) listBackups(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Set     string `query:"set" maxLength:"128"`
	Paging
}) (*list[continuity.Backup], error) {
	page, next, err := s.Backups.Backups(ctx, in.Service, in.Set, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(page, next), nil
}

func (s *server) getBackup(ctx context.Context, in *struct {
	BackupSetPath

	Backup string `path:"backup" maxLength:"64"`
}) (*object[continuity.Backup], error) {
	b, version, err := s.Backups.Backup(ctx, in.Service, in.Set, in.Backup)
	if err != nil {
		return nil, err
	}
	return objectOf(b, version), nil
}
