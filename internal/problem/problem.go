// Package problem turns an error into what a client reads: an HTTP status, and
// a problem document (RFC 9457) in the client's language. It is the one table
// from codes to HTTP statuses, shared by the live path and the admin API.
package problem

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

var statuses = map[continuity.Code]int{
	continuity.CodeOutcomeUnknown: http.StatusServiceUnavailable,
	continuity.CodeLatched:        http.StatusServiceUnavailable,
	continuity.CodeDiskFull:       http.StatusInsufficientStorage,
	continuity.CodeStateFull:      http.StatusInsufficientStorage,
	continuity.CodeLimitCount:     http.StatusServiceUnavailable,
	continuity.CodeLimitBytes:     http.StatusInsufficientStorage,
	continuity.CodeLimitItem:      http.StatusRequestEntityTooLarge,
	continuity.CodeIndexFull:      http.StatusServiceUnavailable,
	continuity.CodeLimitAmount:    http.StatusServiceUnavailable,
	continuity.CodeNoAmount:       http.StatusServiceUnavailable,
	continuity.CodeApproval:       http.StatusConflict,
	continuity.CodeInFlight:       http.StatusConflict,
	continuity.CodeMismatch:       http.StatusUnprocessableEntity,
	continuity.CodeNotHeld:        http.StatusServiceUnavailable,
	continuity.CodeKeyUnknown:     http.StatusServiceUnavailable,
	continuity.CodeBadBody:        http.StatusBadRequest,
	continuity.CodeCaller:         http.StatusUnauthorized,
	continuity.CodeSensitive:      http.StatusServiceUnavailable, // it would pass if the upstream were there
	continuity.CodeUpstream:       http.StatusBadGateway,
	continuity.CodeTimeout:        http.StatusGatewayTimeout,
	continuity.CodeNoRoute:        http.StatusNotFound,
	continuity.CodeNotFound:       http.StatusNotFound,
	continuity.CodeErased:         http.StatusGone,
	continuity.CodeVersion:        http.StatusConflict,
	continuity.CodeState:          http.StatusConflict,
	continuity.CodeForbidden:      http.StatusUnauthorized,
	continuity.CodeInvalid:        http.StatusBadRequest,
	continuity.CodeConfig:         http.StatusUnprocessableEntity,
	continuity.CodeDamaged:        http.StatusInternalServerError,
	continuity.CodeNoKey:          http.StatusServiceUnavailable,
	continuity.CodeLocked:         http.StatusServiceUnavailable,
	continuity.CodeAddress:        http.StatusServiceUnavailable,
	continuity.CodeStarting:       http.StatusServiceUnavailable,
	continuity.CodeUnreachable:    http.StatusBadGateway,
	continuity.CodeReconcile:      http.StatusBadGateway,
	continuity.CodeArchive:        http.StatusUnprocessableEntity,
	continuity.CodeEvidence:       http.StatusUnprocessableEntity,
	continuity.CodeDatabase:       http.StatusServiceUnavailable,
	continuity.CodeSecret:         http.StatusUnprocessableEntity,
	continuity.CodeLogin:          http.StatusUnauthorized,
	continuity.CodeLoginWait:      http.StatusTooManyRequests,
	continuity.CodeReplace:        http.StatusConflict,
	continuity.CodeBlocked:        http.StatusForbidden,
	continuity.CodeMaintenance:    http.StatusServiceUnavailable,
	continuity.CodeInternal:       http.StatusInternalServerError,
	continuity.CodeShed:           http.StatusServiceUnavailable,
	continuity.CodeBusy:           http.StatusTooManyRequests,
	continuity.CodeClientLimit:    http.StatusTooManyRequests,
	continuity.CodeWaiting:        http.StatusServiceUnavailable,
	continuity.CodeOutgoing:       http.StatusForbidden,
	continuity.CodeScope:          http.StatusForbidden,
	continuity.CodeCondition:      http.StatusPreconditionRequired,
	continuity.CodeRepeated:       http.StatusConflict,
	continuity.CodeBackupSource:   http.StatusBadGateway,
	continuity.CodeBackupPiece:    http.StatusUnprocessableEntity,
	continuity.CodeBackupSpool:    http.StatusInsufficientStorage,
	continuity.CodeBackupRestore:  http.StatusBadGateway,
	continuity.CodeBackupReplace:  http.StatusConflict,
}

// Status returns the HTTP status of a code; 500 for one that has none.
func Status(code continuity.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Document is a problem document. Its extension members are what the API adds.
type Document struct {
	Type    string          `json:"type"`
	Title   string          `json:"title"`
	Status  int             `json:"status"`
	Detail  string          `json:"detail,omitempty"`
	Code    continuity.Code `json:"code"`
	Receipt string          `json:"receipt,omitempty"`
	Args    map[string]any  `json:"args,omitempty"` // lets a program write the title in another language
}

// Of describes err in a language. The cause never enters the document.
func Of(err error, lang catalogue.Lang) Document {
	code := continuity.CodeOf(err)
	var args map[string]any
	var e *continuity.Error
	if errors.As(err, &e) {
		args = e.Args
	}
	return Document{
		Type:   "urn:holdfast:error:" + string(code),
		Title:  Text(code, args, lang),
		Status: Status(code),
		Code:   code,
		Args:   args,
	}
}

// DetailID is the argument that names a message; its text fills "detail".
const DetailID = "detail_id"

// Text is what people read of a code.
func Text(code continuity.Code, args map[string]any, lang catalogue.Lang) string {
	id := "error." + string(code)
	args = worded(args, lang)
	if detail, ok := args[DetailID].(string); ok {
		filled := maps.Clone(args)
		filled["detail"] = catalogue.Text(lang, detail, args)
		args = filled
	}
	text := catalogue.Text(lang, id, args)
	if text == id {
		return catalogue.Text(lang, "error."+string(continuity.CodeInternal), nil)
	}
	return text
}

// worded writes lists of messages of the catalogue in a language: who made the error
// does not know in which it is read.
func worded(args map[string]any, lang catalogue.Lang) map[string]any {
	own := false
	for name, value := range args {
		ids, ok := value.([]string)
		if list, came := value.([]any); came { // through JSON
			ok = true
			for _, one := range list {
				id, is := one.(string)
				ids, ok = append(ids, id), ok && is
			}
		}
		var texts []string
		for _, id := range ids {
			if text := catalogue.Text(lang, id, nil); text != id {
				texts = append(texts, text)
			}
		}
		if !ok || len(ids) == 0 || len(texts) < len(ids) {
			continue
		}
		if !own {
			args, own = maps.Clone(args), true
		}
		args[name] = strings.Join(texts, map[catalogue.Lang]string{catalogue.En: ", ", catalogue.Zh: "、"}[lang])
	}
	return args
}

// JSON returns the document's bytes.
func (d Document) JSON() []byte {
	b, err := json.Marshal(d)
	if err != nil { // an argument that JSON can't say
		d.Args = nil
		b, _ = json.Marshal(d)
	}
	return b
}
