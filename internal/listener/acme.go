package listener

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"holdfast/internal/continuity"
)

// acmeFolder is where what an ACME authority gave is kept, below the data
// folder.
const acmeFolder = "acme"

// acmeCertificates has certificates ordered as they are asked for.
func acmeCertificates(config *tls.Config, s *continuity.ACME, o Options) error {
	client := &acme.Client{DirectoryURL: s.Directory, UserAgent: "holdfast"}
	if s.CA != "" {
		pool, err := Pool(s.CA)
		if err != nil {
			return err
		}
		client.HTTPClient = &http.Client{
			Timeout: time.Minute,
			Transport: &http.Transport{
				Proxy:           http.ProxyFromEnvironment,
				TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			},
		}
	}
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(filepath.Join(o.DataDir, acmeFolder)),
		HostPolicy: autocert.HostWhitelist(s.Names...), Email: s.Email, Client: client,
	}
	config.NextProtos = append(config.NextProtos, acme.ALPNProto)
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := manager.GetCertificate(hello)
		if err != nil {
			o.Logger.Warn("no certificate for a handshake", "name", hello.ServerName, "error", err)
		}
		return c, err
	}
	return nil
}
