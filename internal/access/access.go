// Package access says who may do what: tenants, users, their roles and
// permissions, passwords, tokens, and the secrets that only some may read.
//
// A request is first turned into a Caller (Login, Token, ExecutionToken) and
// then checked with Caller.Check. Everything is read from the store each
// time, so a change made by another manager holds from the next request on;
// only the costly check of a password is remembered for a short while.
package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"runtime"
	"time"

	"windlass/internal/store"
)

// Names of what the first start creates.
const (
	DefaultTenant = "default_tenant"
	AdminName     = "admin"
)

// Defaults of Config.
const (
	DefaultLockAfter = 4
	DefaultLockFor   = 10 * time.Minute
)

// Config holds what a Service is made of.
type Config struct {
	Store store.Store
	Keys  *Keyring // opens and seals secrets

	LockAfter int           // failed logins beyond this many lock the account; 0: DefaultLockAfter, negative: never
	LockFor   time.Duration // for how long after the last failure; 0: DefaultLockFor

	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand
	Cost PasswordCost     // zero: DefaultCost
}

// Service answers who may do what. It is safe for concurrent use.
type Service struct {
	store     store.Store
	keys      *Keyring
	lockAfter int
	lockFor   time.Duration
	now       func() time.Time
	rand      io.Reader
	hasher    *hasher
	verified  *verifiedCache
	overrides overrideCache
}

// New makes a Service. It reads nothing yet; see Bootstrap.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Keys == nil {
		return nil, errors.New("access needs a store and a keyring")
	}
	s := &Service{
		store: cfg.Store, keys: cfg.Keys,
		lockAfter: cfg.LockAfter, lockFor: cfg.LockFor, now: cfg.Now, rand: cfg.Rand,
	}
	if s.lockAfter == 0 {
		s.lockAfter = DefaultLockAfter
	}
	if s.lockFor == 0 {
		s.lockFor = DefaultLockFor
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	cost := cfg.Cost
	if cost == (PasswordCost{}) {
		cost = DefaultCost
	}
	s.hasher = newHasher(cost, runtime.GOMAXPROCS(0), s.rand)
	verified, err := newVerifiedCache(s.rand)
	if err != nil {
		return nil, err
	}
	s.verified = verified
	return s, nil
}

// Bootstrap creates the default tenant and the admin user if there is no
// bootstrap admin yet. It returns the admin's password if it made the user,
// and "" if nothing was to do. An empty password means: generate one.
func (s *Service) Bootstrap(ctx context.Context, password string) (string, error) {
	if _, err := s.store.GetUser(ctx, AdminName); err == nil {
		return "", nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("look for the admin user: %w", err)
	}
	if password == "" {
		var err error
		if password, err = s.randomText(20); err != nil {
			return "", err
		}
	}
	if err := checkPassword(password); err != nil {
		return "", err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	made := false
	err = s.store.Write(ctx, func(tx store.Tx) error {
		made = false
		if err := tx.Lock("bootstrap"); err != nil {
			return err
		}
		if _, err := tx.GetTenant(ctx, DefaultTenant); errors.Is(err, store.ErrNotFound) {
			if err := tx.AddTenant(ctx, store.Tenant{Name: DefaultTenant, CreatedAt: s.now()}); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if _, err := tx.GetUser(ctx, AdminName); err == nil {
			return nil // another manager was faster
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		made = true
		if err := tx.AddUser(ctx, store.User{
			Username: AdminName, PasswordHash: hash, Role: SysAdmin, Active: true, Bootstrap: true,
			CreatedAt: s.now(), GettingStarted: true,
		}); err != nil {
			return err
		}
		return tx.SetMember(ctx, store.TenantMember{Tenant: DefaultTenant, Username: AdminName, Role: TenantUser})
	})
	if err != nil {
		return "", fmt.Errorf("create the first tenant and user: %w", err)
	}
	if !made {
		return "", nil
	}
	return password, nil
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomText gives n letters and digits, each equally likely.
func (s *Service) randomText(n int) (string, error) {
	b := make([]byte, n)
	limit := big.NewInt(int64(len(alphabet)))
	for i := range b {
		k, err := rand.Int(s.rand, limit)
		if err != nil {
			return "", fmt.Errorf("read random bytes: %w", err)
		}
		b[i] = alphabet[k.Int64()]
	}
	return string(b), nil
}
