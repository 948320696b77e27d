package continuity

import "errors"

// Code is a stable name of what went wrong. One table maps it to an HTTP
// status, one to an exit status; its text stands in the message catalogue
// under "error." and the code.
type Code string

// The codes of the relay and its tools.
const (
	CodeOutcomeUnknown Code = "outcome-unknown" // a sync failed, or the upstream never answered
	CodeLatched        Code = "latched"         // the journal latched: nothing is accepted
	CodeDiskFull       Code = "disk-full"
	CodeStateFull      Code = "state-full" // the control node's disk is full
	CodeLimitCount     Code = "limit-count"
	CodeLimitBytes     Code = "limit-bytes"
	CodeLimitItem      Code = "limit-item"
	CodeLimitAmount    Code = "limit-amount" // more money would be pending than may
	CodeNoAmount       Code = "no-amount"    // the amount can't be read, and its route bounds amounts
	CodeApproval       Code = "approval"     // a second person has to approve
	CodeIndexFull      Code = "index-full"   // no room to remember another repeat
	CodeInFlight       Code = "in-flight"    // the same request is being answered
	CodeMismatch       Code = "mismatch"     // another request under the same Idempotency-Key
	CodeNotHeld        Code = "not-held"     // upstream down, and the request may not be held
	CodeKeyUnknown     Code = "key-unknown"
	CodeBadBody        Code = "bad-body"  // not strict JSON where a key must be read
	CodeCaller         Code = "caller"    // the caller is not verified, so nothing is held for them
	CodeSensitive      Code = "sensitive" // upstream down, and the request bears what is never stored
	CodeUpstream       Code = "upstream"  // a live request failed and nothing was kept
	CodeTimeout        Code = "timeout"
	CodeNoRoute        Code = "no-route"
	CodeNotFound       Code = "not-found"
	CodeErased         Code = "erased"    // what was kept of it has been erased for its customer's sake
	CodeVersion        Code = "version"   // somebody changed it meanwhile
	CodeState          Code = "state"     // not possible in the record's state
	CodeForbidden      Code = "forbidden" // no or a wrong token
	CodeInvalid        Code = "invalid"   // bad input
	CodeConfig         Code = "config"
	CodeDamaged        Code = "damaged"        // the journal fails its checks
	CodeNoKey          Code = "no-key"         // the master key is missing or another one's
	CodeLocked         Code = "locked"         // another process has the journal open
	CodeAddress        Code = "address"        // another program listens where the relay is to
	CodeStarting       Code = "starting"       // the relay does not serve requests yet, or no longer
	CodeUnreachable    Code = "unreachable"    // the relay's admin API does not answer
	CodeReconcile      Code = "reconcile"      // the upstream's own list can't be read whole
	CodeReplace        Code = "replace"        // the new program can't take the relay's place
	CodeBlocked        Code = "blocked"        // refused by a block
	CodeMaintenance    Code = "maintenance"    // the relay answers, and keeps nothing
	CodeDatabase       Code = "database"       // the control plane's database does not answer
	CodeArchive        Code = "archive"        // the archive of the state is damaged, or none
	CodeBackupSource   Code = "backup-source"  // data could not be captured
	CodeBackupPiece    Code = "backup-piece"   // a piece of a backup is not what it has to be
	CodeBackupSpool    Code = "backup-spool"   // the folder of what backups know can't be used
	CodeBackupRestore  Code = "backup-restore" // pieces could not be made into data
	CodeBackupReplace  Code = "backup-replace" // restored data can't be put in its source's place
	CodeSecret         Code = "secret"         // a reference to a secret leads nowhere
	CodeLogin          Code = "login"          // name or password is wrong, or the user may not log in
	CodeLoginWait      Code = "login-wait"     // too many tries to log in
	CodeInternal       Code = "internal"
	CodeShed           Code = "shed"         // more came than the route lets in
	CodeBusy           Code = "busy"         // it is being done for somebody else
	CodeClientLimit    Code = "client-limit" // more came from one client than it may send
	CodeWaiting        Code = "waiting"      // the client's turn in the waiting line has not come
	CodeScope          Code = "scope"        // the caller is known, and may not do that
	CodeOutgoing       Code = "outgoing"     // no rule lets Holdfast connect there
	CodeCondition      Code = "condition"    // an edit that does not name the version it starts from
	CodeEvidence       Code = "evidence"     // a file of evidence is not as it was sealed, or is none
	CodeRepeated       Code = "repeated"     // a repeat whose first answer can't be given again
)

// Error is what every package returns to people and programs.
type Error struct {
	Code Code
	Args map[string]any // fills the catalogue's text
	Err  error          // cause; for logs, never for clients
}

// E makes an Error from a code and name-value pairs.
func E(code Code, cause error, pairs ...any) *Error {
	e := &Error{Code: code, Err: cause}
	if len(pairs) > 0 {
		e.Args = make(map[string]any, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			e.Args[pairs[i].(string)] = pairs[i+1]
		}
	}
	return e
}

// Error is for logs; people read the catalogue's text.
func (e *Error) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Err.Error()
	}
	return string(e.Code)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err, CodeInternal where it has none, and the
// empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
