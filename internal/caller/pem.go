package caller

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// parsePEM reads public keys and certificates.
func parsePEM(text []byte) ([]jose.JSONWebKey, error) {
	var out []jose.JSONWebKey
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		var key any
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = cert.PublicKey
			}
		default:
			err = fmt.Errorf("a %s is no public key", block.Type)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, jose.JSONWebKey{Key: key})
	}
	if len(out) == 0 {
		return nil, errors.New("neither JWKS nor PEM")
	}
	return out, nil
}
