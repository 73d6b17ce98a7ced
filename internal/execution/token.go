package execution

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// newToken returns a fresh execution token and the hash that is stored of it.
func newToken() (token, hash string) {
	token = rand.Text() + rand.Text()
	return token, HashToken(token)
}

// HashToken is the form in which execution tokens are stored and looked up.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
