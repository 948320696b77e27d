package mint

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that tokens may be signed with.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"}

// What is wrong with a key. The texts show nothing of it.
var (
	errKey       = errors.New("mint: no private key in PEM or JWK, or not one of this kind")
	errAlgorithm = errors.New("mint: the key does not go with the algorithm")
	errWeak      = errors.New("mint: the key is too short for the algorithm")
)

const leastRSA = 2048

// Check says what is wrong with a key for an algorithm.
func Check(key, algorithm string) error {
	_, err := parseKey(key, algorithm)
	return err
}

// parseKey reads a private key as PEM or JWK, or the secret of an HMAC as it is.
func parseKey(text, algorithm string) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	text = strings.TrimSpace(text)
	switch {
	case text == "" || !slices.Contains(algorithms, algorithm):
		return key, errKey
	case strings.HasPrefix(text, "{"):
		if json.Unmarshal([]byte(text), &key) != nil || key.Algorithm != "" && key.Algorithm != algorithm {
			return jose.JSONWebKey{}, errKey
		}
	case strings.HasPrefix(text, "-----BEGIN"):
		var err error
		if key.Key, err = parsePEM([]byte(text)); err != nil {
			return key, err
		}
	default:
		key.Key = []byte(text)
	}
	return key, fits(key.Key, algorithm)
}

func parsePEM(text []byte) (any, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errKey
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default: // EC PARAMETERS, or the certificate beside the key
			continue
		}
		if err != nil {
			return nil, errKey
		}
		return key, nil
	}
}

// fits holds a key to what RFC 7518 and RFC 8037 want of it.
func fits(key any, algorithm string) error {
	switch k := key.(type) {
	case []byte:
		least, ok := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[algorithm]
		return judge(ok, len(k) >= least)
	case *rsa.PrivateKey:
		return judge(strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS"), k.N.BitLen() >= leastRSA)
	case *ecdsa.PrivateKey:
		return judge(map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[algorithm] == k.Curve.Params().BitSize, true)
	case ed25519.PrivateKey:
		return judge(algorithm == "EdDSA", true)
	}
	return errKey
}

func judge(fits, strong bool) error {
	switch {
	case !fits:
		return errAlgorithm
	case !strong:
		return errWeak
	}
	return nil
}
