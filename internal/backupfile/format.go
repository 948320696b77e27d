package backupfile

import (
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"holdfast/internal/continuity"
)

const (
	magic       = "holdfast backup 1\n"
	keyIDBytes  = 10
	wrappedSize = 12 + dataKeySize + 16 // nonce, key, tag
	headerSize  = len(magic) + keyIDBytes + 1 + wrappedSize
	dataKeySize = 32
	segmentSize = 1 << 20
	windowSize  = 1 << 19 // of the compression

	purposeWrap   = "holdfast backup data key 1"
	purposeStream = "holdfast backup stream 1"
)

// cipher is the streaming encryption by a data key.
func cipher(dataKey []byte) (*subtle.AESGCMHKDF, error) {
	return subtle.NewAESGCMHKDF(dataKey, "SHA256", dataKeySize, segmentSize, 0)
}

// broken says that a file or a document is not what it has to be.
func broken(cause error) error {
	return continuity.E(continuity.CodeBackupPiece, cause, "cause", cause.Error())
}
