package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"holdfast/internal/continuity"
)

// Failed tells what an error says about a service. The error's own words are
// left out: they may repeat what was sent.
func Failed(err error) Outcome {
	var (
		refusal   *continuity.Error
		name      *net.DNSError
		timeout   net.Error
		long      *http.MaxBytesError
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		other     x509.HostnameError
		verify    *tls.CertificateVerificationError
		alert     *net.OpError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &refusal) && refusal.Code == continuity.CodeOutgoing:
		return Unknown("watch.not-let-out", "host", refusal.Args["host"], "address", refusal.Args["address"])
	case errors.Is(err, context.Canceled):
		return Unknown("watch.ended")
	case isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL):
		return Unknown("watch.own-resources")
	case errors.As(err, &name) && name.IsNotFound:
		return Down("watch.no-such-name", "host", name.Name)
	case errors.As(err, &name) && !name.IsTimeout:
		return Down("watch.name-server", "host", name.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Down("watch.timeout")
	case errors.Is(err, syscall.ECONNREFUSED):
		return Down("watch.refused")
	case isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN):
		return Down("watch.unreachable")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Down("watch.certificate-expired")
	case errors.As(err, &authority):
		return Down("watch.certificate-untrusted")
	case errors.As(err, &other):
		return Down("watch.certificate-name", "host", other.Host)
	case errors.As(err, &verify), errors.As(err, &invalid):
		return Down("watch.certificate-invalid")
	case errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error"), errors.As(err, &record): // crypto/tls calls its alerts so
		return Down("watch.tls")
	case errors.As(err, &long):
		return Down("watch.too-long", "limit", long.Limit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isAny(err, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED):
		return Down("watch.closed")
	}
	return Down("watch.failed")
}

func isAny(err error, all ...syscall.Errno) bool {
	for _, errno := range all {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
