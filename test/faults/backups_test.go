package faults

// backupFaults take for a backup what is none, or have an upgrade go on or go back by
// less than it has to.
var backupFaults = []fault{
	{
		name: "a manifest before its file", file: "internal/backup/engine/store.go",
		from: "	file, err := e.seal(ctx, f, m, write)\n",
		to: `	if early, err := backupfile.SignManifest(*m, e.o.Ring); err == nil {
		for _, t := range targets {
			_ = e.put(ctx, t, m.Path()+backup.ManifestSuffix, early)
		}
	}
	file, err := e.seal(ctx, f, m, write)
`,
		suite: "./internal/backup/engine", run: "TestBadSourcePublishesNothing",
	},
	{
		name: "a file with its name but not its place is opened", file: "internal/backupfile/bound.go",
		from: "fields := []string{purpose, string(header), b.Service, b.Set, b.Type, b.ID, b.Base, b.Parent}", to: "fields := []string{purpose}",
		suite: "./internal/backupfile", run: "TestMutatedFilesAreRejected|TestFilesOpenAsWhatTheyAre",
	},
	{
		name: "figures that are of no place in the log", file: "internal/backup/postgres/still.go",
		from: "return n < v.high && !v.under[n]", to: "return n < v.high",
		suite: "./internal/backup/postgres", run: "TestPlacesOfSnapshotsAreExact",
	},
	{
		name: "retention by dates alone", file: "internal/backup/retention.go",
		from: "func (r Rules) least() int { return max(r.Proven, 1) }", to: "func (r Rules) least() int { return 0 * r.Proven }",
		suite: "./internal/backup", run: "TestRetention",
	},
	{
		name: "nothing is kept from a clock that jumped", file: "internal/backup/retention.go",
		from: "if since < -time.Hour || since > 3*interval(chains, rules.Every)+48*time.Hour {", to: "if since != since {",
		suite: "./internal/backup", run: "TestClockTenYearsOff",
	},
	{
		name: "an upgrade begins without fresh backups", file: "internal/upgrade/stages.go",
		from: "if why := sets[i].Lacks; why != nil {", to: "if why := sets[i].Lacks; why != nil && false {",
		suite: "./internal/upgrade", run: "TestStories",
	},
	{
		name: "the gate asks for backups, but not for fresh ones", file: "internal/control/upgrades_backups.go",
		from: "case s.Full == nil, lacks(&s), time.Since(set.Taken) > c.Spec.Fresh:", to: "case s.Full == nil, lacks(&s):",
		suite: "./internal/control", run: "TestAnUpgradeAsksForFreshBackups",
	},
	{
		name: "the gate does not ask targets", file: "internal/control/upgrades_backups.go",
		from: "if len(away) > 0 {", to: "if len(away) > 99 {",
		suite: "./internal/control", run: "TestAnUpgradeAsksForFreshBackups",
	},
	{
		name: "a rollback that delivers nothing again", file: "internal/upgrade/back.go",
		from: "if !t.Back.Switched.IsZero() && !t.Released.IsZero() {", to: "if t.Back.Switched.IsZero() && !t.Released.IsZero() {",
		suite: "./internal/upgrade", run: "TestStories",
	},
	{
		name: "a rollback to what was there before, whether it was right or not", file: "internal/upgrade/back.go",
		from: "t.Back = &continuity.UpgradeBack{Began: t.now, Version: t.Good}", to: "t.Back = &continuity.UpgradeBack{Began: t.now, Version: t.To}",
		suite: "./internal/upgrade", run: "TestStories",
	},
	{
		name: "one person brings data back", file: "internal/upgrade/stages.go",
		from: "const approvers = 2", to: "const approvers = 1",
		suite: "./internal/upgrade", run: "Test",
	},
	{
		name: "an upgrade's silent person is waited for", file: "internal/runbook/tell.go",
		from: "n.To, n.Escalate = []continuity.Recipient{n.Escalate[later-1]}, n.Escalate[later:]", to: "_ = later",
		suite: "./internal/upgrade", run: "TestASilentPerson",
	},
	{
		name: "a restore that delivers nothing again", file: "internal/keeping/restorer.go",
		from: "if route.Delivered || r.Skipped != \"\" {", to: "if !route.Delivered || r.Skipped != \"\" {",
		suite: "./internal/keeping", run: "TestARestoreOverTheOriginal",
	},
	{
		name: "one person undoes a restore that requests reach", file: "internal/keeping/restore_acts.go",
		from: "if r.WentOn() {", to: "if r.State == continuity.RestoreDraining {",
		suite: "./internal/keeping", run: "TestWhatCantBeDeliveredAgain",
	},
	{
		name: "a refuted backup is green", file: "internal/keeping/decide.go",
		from: "if t.k.Proven = &work; work.Good {", to: "if t.k.Proven = &work; true {",
		suite: "./internal/keeping", run: "TestARefutedBackupIsNotGreen",
	},
}
