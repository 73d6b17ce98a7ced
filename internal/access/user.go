package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"windlass/internal/store"
)

// NewUser is what a user is made of.
type NewUser struct {
	Username     string
	Password     string
	Prehashed    bool // Password is a hash as this package stores it
	Role         string
	CreatedAt    time.Time // zero: now
	FirstLoginAt time.Time
	LastLoginAt  time.Time
}

// AddUser creates a user.
func (s *Service) AddUser(ctx context.Context, n NewUser) (store.User, error) {
	u := store.User{
		Username: n.Username, Role: n.Role, Active: true, CreatedAt: n.CreatedAt,
		FirstLoginAt: n.FirstLoginAt, LastLoginAt: n.LastLoginAt, GettingStarted: true,
	}
	if u.Role == "" {
		u.Role = SystemUser
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = s.now()
	}
	if err := CheckName("username", n.Username, true); err != nil {
		return u, err
	}
	if err := checkSystemRole(u.Role); err != nil {
		return u, err
	}
	if n.Prehashed {
		if _, err := decodeHash(n.Password); err != nil {
			return u, refuse(BadParameters, "The prehashed password of `%s` has a form that this manager does not know", n.Username)
		}
		u.PasswordHash = n.Password
	} else {
		if err := checkPassword(n.Password); err != nil {
			return u, err
		}
		hash, err := s.hasher.hash(ctx, n.Password)
		if err != nil {
			return u, err
		}
		u.PasswordHash = hash
	}
	err := s.store.Write(ctx, func(tx store.Tx) error { return tx.AddUser(ctx, u) })
	if errors.Is(err, store.ErrExists) {
		return u, refuse(Conflict, "<User username=`%s`> already exists", n.Username)
	}
	if err != nil {
		return u, fmt.Errorf("create user %q: %w", n.Username, err)
	}
	return u, nil
}

func checkSystemRole(role string) error {
	if valid := roleNames("system_role"); !slices.Contains(valid, role) {
		return refuse(BadParameters, "Invalid role: `%s`. Valid system_role roles are: ['%s']", role, strings.Join(valid, "', '"))
	}
	return nil
}

// SetPassword gives the user a new password. Logins with the old one end at once.
func (s *Service) SetPassword(ctx context.Context, username, password string) (store.User, error) {
	if err := checkPassword(password); err != nil {
		return store.User{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return store.User{}, err
	}
	return s.changeUser(ctx, username, func(u *store.User) error { u.PasswordHash = hash; return nil })
}

// SetRole gives the user another system role.
func (s *Service) SetRole(ctx context.Context, username, role string) (store.User, error) {
	if err := checkSystemRole(role); err != nil {
		return store.User{}, err
	}
	return s.changeUser(ctx, username, func(u *store.User) error {
		if u.Bootstrap && role != SysAdmin {
			return refuse(IllegalAction, "Can't change the role of the bootstrap admin user")
		}
		u.Role = role
		return nil
	})
}

// SetGettingStarted notes whether the user is to be shown the introduction.
func (s *Service) SetGettingStarted(ctx context.Context, username string, show bool) (store.User, error) {
	return s.changeUser(ctx, username, func(u *store.User) error { u.GettingStarted = show; return nil })
}

// SetActive lets the user in or keeps the user out.
func (s *Service) SetActive(ctx context.Context, username string, active bool) (store.User, error) {
	return s.changeUser(ctx, username, func(u *store.User) error {
		if u.Bootstrap && !active {
			return refuse(IllegalAction, "Can't deactivate the bootstrap admin user")
		}
		if u.Active == active {
			state := "inactive"
			if active {
				state = "active"
			}
			return refuse(Conflict, "User `%s` is already %s", username, state)
		}
		u.Active = active
		return nil
	})
}

// Unlock ends the lock that failed logins brought.
func (s *Service) Unlock(ctx context.Context, username string) (store.User, error) {
	return s.changeUser(ctx, username, func(u *store.User) error {
		u.FailedLogins, u.LastFailedLoginAt = 0, time.Time{}
		return nil
	})
}

func (s *Service) changeUser(ctx context.Context, username string, change func(*store.User) error) (u store.User, err error) {
	err = s.store.Write(ctx, func(tx store.Tx) error {
		if u, err = tx.GetUser(ctx, username); err != nil {
			return err
		}
		if err := change(&u); err != nil {
			return err
		}
		return tx.UpdateUser(ctx, u)
	})
	return u, userError(err, username, "change")
}

// DeleteUser removes a user with the memberships and tokens. It is refused for
// the bootstrap admin, for oneself, and while the user owns something.
func (s *Service) DeleteUser(ctx context.Context, c *Caller, username string) error {
	err := s.store.Write(ctx, func(tx store.Tx) error {
		u, err := tx.GetUser(ctx, username)
		if err != nil {
			return err
		}
		switch {
		case u.Bootstrap:
			return refuse(IllegalAction, "Can't delete the bootstrap admin user")
		case username == c.Username:
			return refuse(IllegalAction, "User `%s` can't delete itself", username)
		}
		own := store.Query{Filters: []store.Filter{{Field: "created_by", Values: []string{username}}}, Limit: 1}
		d, err := tx.ListDeployments(ctx, own)
		if err != nil {
			return err
		}
		b, err := tx.ListBlueprints(ctx, own)
		if err != nil {
			return err
		}
		if n := d.Total + b.Total; n > 0 {
			return refuse(Conflict, "User `%s` owns %d blueprints and deployments. "+
				"Delete them first, or deactivate the user", username, n)
		}
		return tx.DeleteUser(ctx, username)
	})
	return userError(err, username, "delete")
}

func userError(err error, username, verb string) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.Is(err, store.ErrNotFound):
		return refuse(NotFound, "Requested `User` with ID `%s` was not found", username)
	}
	return fmt.Errorf("%s user %q: %w", verb, username, err)
}
