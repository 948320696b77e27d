package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strconv"

	"github.com/emersion/go-smtp"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// failed is what an error at a step means. What the server said in words is
// dropped: it may name addresses.
func failed(err error, at step) *notify.Failure {
	if said, ok := errors.AsType[*smtp.SMTPError](err); ok {
		f := refused(said.Code, said.EnhancedCode, at)
		f.Status = said.Code
		if class := said.EnhancedCode[0]; class > 0 {
			f.Said = strconv.Itoa(class) + "." + strconv.Itoa(said.EnhancedCode[1]) + "." + strconv.Itoa(said.EnhancedCode[2])
		}
		return f
	}
	switch {
	case continuity.CodeOf(err) == continuity.CodeOutgoing:
		return &notify.Failure{Code: notify.FailSettings, Said: "outgoing"}
	case certificate(err):
		return &notify.Failure{Code: notify.FailSettings, Said: "certificate"}
	case errors.Is(err, errPlain):
		return &notify.Failure{Code: notify.FailSettings, Said: "starttls"}
	case at == data: // the whole message went out, and nobody said that it is taken
		return &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}
	}
	return &notify.Failure{Code: notify.FailUnreachable, Retry: true}
}

// refused is what a status means (RFC 5321, 3463).
func refused(code int, said smtp.EnhancedCode, at step) *notify.Failure {
	if code < 500 { // 421 says that the server itself goes, the others that something is in the way
		return &notify.Failure{Code: notify.FailProvider, Retry: true}
	}
	if at == greeting || at == authenticating {
		return &notify.Failure{Code: notify.FailRefused}
	}
	switch code {
	case 530, 534, 535, 538:
		return &notify.Failure{Code: notify.FailRefused}
	case 500, 502, 503, 504:
		return &notify.Failure{Code: notify.FailSettings}
	}
	if why := meaning(said); why != "" {
		if why == notify.FailRefused && at == data {
			why = notify.FailContent // it may send, but not this
		}
		return &notify.Failure{Code: why}
	}
	switch {
	case at == sender:
		return &notify.Failure{Code: notify.FailRefused}
	case code == 552, code == 554, at == data:
		return &notify.Failure{Code: notify.FailContent}
	case code == 501, code == 550, code == 551, code == 553, code == 556:
		return &notify.Failure{Code: notify.FailAddress}
	}
	return &notify.Failure{Code: notify.FailUnknown}
}

// meaning is what an enhanced status says by itself; "" where it says too little.
func meaning(said smtp.EnhancedCode) string {
	switch said[1] {
	case 1:
		if said[2] == 7 || said[2] == 8 { // of the sender
			return notify.FailRefused
		}
		return notify.FailAddress
	case 2:
		if said[2] == 3 { // too long for this mailbox
			return notify.FailContent
		}
		return notify.FailAddress // closed, full: it takes none
	case 3:
		if said[2] == 4 {
			return notify.FailContent
		}
	case 6:
		return notify.FailContent
	case 7:
		return notify.FailRefused
	}
	return ""
}

// certificate reports whether a server could not show who it is.
func certificate(err error) bool {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) || errors.As(err, &verify) || errors.As(err, &record)
}

// ended reports whether a connection was closed.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
