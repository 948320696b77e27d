package control

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// kindSalt is the kind of the one object beside which the key stands that addresses
// are hashed with.
const kindSalt = "salt"

// numbers hashes addresses by a key that all nodes of a state share: deliveries bear
// the hash, and who sees an event of one learns no address by it.
type numbers struct {
	node *Node
	mu   sync.Mutex
	key  string
}

// saltTime is how long the key may be looked for.
const saltTime = 5 * time.Second

// hash is empty while the key is not known.
func (n *numbers) hash(address string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.key == "" {
		ctx, done := context.WithTimeout(context.Background(), saltTime)
		defer done()
		var err error
		if n.key, err = n.node.salt(ctx); err != nil {
			n.node.log.Warn("the key of addresses can't be read", "code", continuity.CodeOf(err), "error", err)
			return ""
		}
	}
	mac := hmac.New(sha256.New, []byte(n.key))
	mac.Write([]byte(address))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// salt is the key, which the first who needs it makes.
func (n *Node) salt(ctx context.Context) (string, error) {
	const id = "numbers"
	_, key, err := n.store.Proof(ctx, kindSalt, id)
	if continuity.CodeOf(err) != continuity.CodeNotFound {
		return key, err
	}
	made := continuity.Set(kindSalt, id, "", continuity.VersionNew, "salt.made", "", struct{}{})
	made.Proof = rand.Text() + rand.Text()
	by := continuity.Actor{Kind: "system", ID: "control", Via: n.name}
	_, err = n.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{made}})
	if err == nil || continuity.CodeOf(err) == continuity.CodeVersion { // another node was faster
		_, key, err = n.store.Proof(ctx, kindSalt, id)
	}
	return key, err
}
