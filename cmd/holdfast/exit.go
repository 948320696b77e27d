package main

import "holdfast/internal/continuity"

// The exit statuses that are no error of the command itself.
const (
	exitOK       = 0
	exitInternal = 1
	exitFindings = 20 // the check ran, and what it looked at is not well
)

// exitStatuses is the one table from codes to exit statuses. `holdfast help
// exit` shows it.
var exitStatuses = map[continuity.Code]int{
	continuity.CodeInternal: exitInternal,

	continuity.CodeInvalid:   2,
	continuity.CodeBadBody:   2,
	continuity.CodeCondition: 2,

	continuity.CodeConfig: 3,
	continuity.CodeSecret: 3,

	continuity.CodeNotFound: 4,
	continuity.CodeNoRoute:  4,
	continuity.CodeErased:   4,

	continuity.CodeVersion:       5,
	continuity.CodeState:         5,
	continuity.CodeApproval:      5,
	continuity.CodeMismatch:      5,
	continuity.CodeInFlight:      5,
	continuity.CodeRepeated:      5,
	continuity.CodeBackupReplace: 5,

	continuity.CodeUnreachable:   6,
	continuity.CodeDatabase:      6,
	continuity.CodeStarting:      6,
	continuity.CodeUpstream:      6,
	continuity.CodeTimeout:       6,
	continuity.CodeReconcile:     6,
	continuity.CodeBackupSource:  6,
	continuity.CodeBackupRestore: 6,

	continuity.CodeForbidden: 7,
	continuity.CodeLogin:     7,
	continuity.CodeLoginWait: 7,
	continuity.CodeOutgoing:  7,
	continuity.CodeScope:     7,

	continuity.CodeDiskFull:    8,
	continuity.CodeStateFull:   8,
	continuity.CodeLimitCount:  8,
	continuity.CodeLimitBytes:  8,
	continuity.CodeLimitItem:   8,
	continuity.CodeIndexFull:   8,
	continuity.CodeLimitAmount: 8,
	continuity.CodeShed:        8,
	continuity.CodeClientLimit: 8,
	continuity.CodeWaiting:     8,
	continuity.CodeBusy:        8,
	continuity.CodeBackupSpool: 8,

	continuity.CodeDamaged:     9,
	continuity.CodeArchive:     9,
	continuity.CodeEvidence:    9,
	continuity.CodeBackupPiece: 9,

	continuity.CodeLatched:        10,
	continuity.CodeOutcomeUnknown: 10,
	continuity.CodeNotHeld:        10,
	continuity.CodeKeyUnknown:     10,
	continuity.CodeNoAmount:       10,
	continuity.CodeCaller:         10,
	continuity.CodeSensitive:      10,
	continuity.CodeBlocked:        10,
	continuity.CodeMaintenance:    10,

	continuity.CodeLocked:  11,
	continuity.CodeReplace: 5,
	continuity.CodeAddress: 11,

	continuity.CodeNoKey: 12,
}

// findings ends a command whose check ran and found something wrong; what it
// found has been printed.
type findings struct{}

func (findings) Error() string { return "findings" }

func exitStatus(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := err.(findings); ok {
		return exitFindings
	}
	if e, ok := err.(ended); ok {
		return int(e)
	}
	if status, ok := exitStatuses[continuity.CodeOf(err)]; ok {
		return status
	}
	return exitInternal
}
