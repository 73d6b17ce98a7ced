package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// PasswordCost says how much work a password hash is. The cost is kept in
// each stored hash, so changing it concerns new passwords only.
type PasswordCost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// DefaultCost takes some 20 ms and 19 MiB.
var DefaultCost = PasswordCost{Memory: 19 * 1024, Passes: 2, Threads: 1}

// Bounds on the cost found in a stored hash: beyond them it is not ours and
// would only eat the machine.
const (
	maxMemory = 1 << 20 // KiB
	maxPasses = 64
	hashBytes = 32
	saltBytes = 16
)

// Lengths of passwords in characters.
const (
	minPassword = 5
	maxPassword = 256
)

func checkPassword(password string) error {
	switch n := len([]rune(password)); {
	case n < minPassword:
		return refuse(BadParameters, "The password must be at least %d characters long", minPassword)
	case n > maxPassword:
		return refuse(BadParameters, "The password is too long. Maximum allowed length is %d characters", maxPassword)
	}
	return nil
}

// hasher makes and checks password hashes, a few at a time: each takes so much
// memory that many at once would be a way to bring the manager down.
type hasher struct {
	cost  PasswordCost
	slots chan struct{}
	rand  io.Reader
}

func newHasher(cost PasswordCost, atOnce int, rand io.Reader) *hasher {
	return &hasher{cost: cost, slots: make(chan struct{}, atOnce), rand: rand}
}

// enter waits for a slot; call leave when done.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to check a password: %w", context.Cause(ctx))
	}
}

// hash gives the text to store for a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(h.rand, salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	sum := argon2.IDKey([]byte(password), salt, h.cost.Passes, h.cost.Memory, h.cost.Threads, hashBytes)
	return encodeHash(storedHash{cost: h.cost, salt: salt, sum: sum}), nil
}

// verify tells whether password is the one that was hashed.
func (h *hasher) verify(ctx context.Context, password, stored string) (bool, error) {
	want, err := decodeHash(stored)
	if err != nil {
		return false, err
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	got := argon2.IDKey([]byte(password), want.salt, want.cost.Passes, want.cost.Memory, want.cost.Threads, uint32(len(want.sum)))
	return subtle.ConstantTimeCompare(got, want.sum) == 1, nil
}

type storedHash struct {
	cost PasswordCost
	salt []byte
	sum  []byte
}

// encodeHash writes the common text form: $argon2id$v=19$m=..,t=..,p=..$salt$sum.
func encodeHash(h storedHash) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.Memory, h.cost.Passes, h.cost.Threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

var errBadHash = errors.New("the stored password hash is not readable; set the password again")

func decodeHash(text string) (storedHash, error) {
	var h storedHash
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errBadHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.Memory, &h.cost.Passes, &h.cost.Threads); err != nil {
		return h, errBadHash
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	c := h.cost
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.sum) < 16 || len(h.sum) > 128 ||
		c.Memory < 8 || c.Memory > maxMemory || c.Passes < 1 || c.Passes > maxPasses || c.Threads < 1 {
		return h, errBadHash
	}
	return h, nil
}
