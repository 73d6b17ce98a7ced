package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"windlass/internal/store"
)

// Login checks a user name and a password. The first check of a password
// takes milliseconds, later ones within a minute microseconds.
//
// Too many failures lock the account for a while; a good login ends the count.
func (s *Service) Login(ctx context.Context, username, password string) (*Caller, error) {
	user, err := s.store.GetUser(ctx, username)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unauthorized("No authentication info provided")
	}
	if err != nil {
		return nil, fmt.Errorf("read user %q: %w", username, err)
	}
	refused := unauthorized("Authentication failed for <User username=`%s`>. Wrong credentials or locked account", username)
	if !user.Active || s.IsLocked(user) {
		return nil, refused
	}
	if s.verified.has(username, password, user.PasswordHash, s.now()) {
		return s.caller(ctx, user, ByPassword)
	}
	ok, err := s.hasher.verify(ctx, password, user.PasswordHash)
	if err != nil && !errors.Is(err, errBadHash) {
		return nil, err
	}
	if err := s.recordLogin(ctx, username, ok); err != nil {
		return nil, err
	}
	if !ok {
		return nil, refused
	}
	s.verified.add(username, password, user.PasswordHash, s.now())
	return s.caller(ctx, user, ByPassword)
}

// IsLocked tells whether failed logins keep the user out now.
func (s *Service) IsLocked(u store.User) bool {
	return s.lockAfter >= 0 && u.FailedLogins > s.lockAfter && s.now().Before(u.LastFailedLoginAt.Add(s.lockFor))
}

// recordLogin counts a failure, or notes a success and ends the count.
func (s *Service) recordLogin(ctx context.Context, username string, ok bool) error {
	err := s.store.Write(ctx, func(tx store.Tx) error {
		u, err := tx.GetUser(ctx, username)
		if err != nil {
			return err
		}
		now := s.now()
		if ok {
			u.FailedLogins = 0
			u.LastFailedLoginAt = time.Time{}
			u.LastLoginAt = now
			if u.FirstLoginAt.IsZero() {
				u.FirstLoginAt = now
			}
		} else {
			if u.FailedLogins > s.lockAfter { // an old lock has run out: count anew
				u.FailedLogins = 0
			}
			u.FailedLogins++
			u.LastFailedLoginAt = now
		}
		return tx.UpdateUser(ctx, u)
	})
	if err != nil {
		return fmt.Errorf("record the login of %q: %w", username, err)
	}
	return nil
}

// caller reads the user's memberships.
func (s *Service) caller(ctx context.Context, u store.User, how Method) (*Caller, error) {
	members, err := s.store.ListMembers(ctx, "", u.Username)
	if err != nil {
		return nil, fmt.Errorf("read the tenants of %q: %w", u.Username, err)
	}
	grants, err := s.grants(ctx)
	if err != nil {
		return nil, err
	}
	c := &Caller{User: u, Method: how, tenantRoles: make(map[string]string, len(members)), grants: grants}
	for _, m := range members {
		c.tenantRoles[m.Tenant] = m.Role
	}
	return c, nil
}
