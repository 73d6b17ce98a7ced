package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	verifiedFor = time.Minute
	verifiedMax = 4096
)

// verifiedCache remembers for a minute which user, password and stored hash
// were found to belong together. As the stored hash, read anew for each
// request, is part of what is remembered, a new password makes the memory
// worthless at once, on all managers.
//
// Passwords are not kept, only a keyed hash with a key that lives as long as
// the process.
type verifiedCache struct {
	key [32]byte

	mu      sync.Mutex
	expires map[[sha256.Size]byte]time.Time // guarded by mu
}

func newVerifiedCache(rand io.Reader) (*verifiedCache, error) {
	c := &verifiedCache{expires: map[[sha256.Size]byte]time.Time{}}
	if _, err := io.ReadFull(rand, c.key[:]); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return c, nil
}

func (c *verifiedCache) digest(parts ...string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, c.key[:])
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		mac.Write(n[:])
		mac.Write([]byte(p))
	}
	mac.Sum(sum[:0])
	return sum
}

func (c *verifiedCache) has(username, password, stored string, now time.Time) bool {
	d := c.digest(username, password, stored)
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.expires[d]
	if ok && !now.Before(until) {
		delete(c.expires, d)
		return false
	}
	return ok
}

func (c *verifiedCache) add(username, password, stored string, now time.Time) {
	d := c.digest(username, password, stored)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.expires) >= verifiedMax {
		for k, until := range c.expires {
			if !now.Before(until) {
				delete(c.expires, k)
			}
		}
		if len(c.expires) >= verifiedMax { // all fresh: forgetting costs a hash, nothing else
			clear(c.expires)
		}
	}
	c.expires[d] = now.Add(verifiedFor)
}
