package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// nonceLife is how long a nonce may be used.
	nonceLife = 5 * time.Minute
	// noncesKept is how many that were used a generation has; there are two.
	noncesKept = 4096
	nonceTime  = 8  // bytes of a nonce that say when it was made
	nonceRand  = 8  // bytes that make it unique
	nonceMAC   = 16 // bytes that make it ours
)

// nonces makes nonces and knows them again. Those that were made are not kept: each carries its own proof. Those that
// were used are, so that no answer is taken twice.
type nonces struct {
	key [32]byte

	mu         sync.Mutex
	young, old map[string]used
	forgotten  time.Time // whatever is as old as that and not kept, may have been used
}

// used is how a nonce was used.
type used struct {
	nc   uint32 // the highest count
	made time.Time
}

func newNonces() *nonces {
	n := &nonces{young: map[string]used{}}
	_, _ = rand.Read(n.key[:]) // it never fails
	return n
}

// make returns a new nonce.
func (n *nonces) make(now time.Time) string {
	b := make([]byte, nonceTime+nonceRand, nonceTime+nonceRand+nonceMAC)
	binary.BigEndian.PutUint64(b, uint64(now.UnixNano()))
	_, _ = rand.Read(b[nonceTime:])
	return base64.RawURLEncoding.EncodeToString(append(b, n.mac(b)...))
}

func (n *nonces) mac(b []byte) []byte {
	h := hmac.New(sha256.New, n.key[:])
	h.Write(b)
	return h.Sum(nil)[:nonceMAC]
}

// madeAt returns when a nonce of ours was made; false if it is none.
func (n *nonces) madeAt(nonce string) (time.Time, bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != nonceTime+nonceRand+nonceMAC || !hmac.Equal(b[nonceTime+nonceRand:], n.mac(b[:nonceTime+nonceRand])) {
		return time.Time{}, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), true
}

// fresh reports whether a nonce of ours is young enough.
func (n *nonces) fresh(made, now time.Time) bool { return now.Sub(made) <= nonceLife }

// use notes that a nonce was used for the nc-th time; false if it was used so often already, or may have been.
// 0 is the only time that there is.
func (n *nonces) use(nonce string, made time.Time, nc uint32) bool {
	if nc == 0 {
		nc = 1<<32 - 1
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	u, known := n.young[nonce]
	if !known {
		u, known = n.old[nonce]
	}
	if nc <= u.nc || !known && !made.After(n.forgotten) {
		return false
	}
	if len(n.young) >= noncesKept {
		for other, o := range n.old {
			if _, kept := n.young[other]; !kept && o.made.After(n.forgotten) {
				n.forgotten = o.made
			}
		}
		n.old, n.young = n.young, make(map[string]used, noncesKept)
	}
	n.young[nonce] = used{nc, made}
	return true
}
