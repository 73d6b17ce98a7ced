package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"windlass/internal/store"
)

const (
	tokenPrefix   = "ctok"
	tokenIDLen    = 10
	tokenSecret   = 40
	usedPrecision = time.Minute // how exact last_used is: a write per request would be too dear
	scheduledEdge = time.Minute // how long after its time a scheduled execution's token is good
)

// HashToken is the form in which tokens are stored.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Token checks an API token, ctok-<id>-<secret>.
func (s *Service) Token(ctx context.Context, text string) (*Caller, error) {
	parts := strings.SplitN(text, "-", 3)
	if len(parts) < 3 {
		return nil, unauthorized("Invalid token structure")
	}
	refused := unauthorized("Unauthorized")
	if parts[0] != tokenPrefix {
		return nil, refused
	}
	t, err := s.store.GetToken(ctx, parts[1])
	if errors.Is(err, store.ErrNotFound) {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("read token %q: %w", parts[1], err)
	}
	if subtle.ConstantTimeCompare([]byte(HashToken(parts[2])), []byte(t.SecretHash)) != 1 {
		return nil, refused
	}
	now := s.now()
	if !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return nil, unauthorized("Token is expired")
	}
	user, err := s.store.GetUser(ctx, t.Username)
	if errors.Is(err, store.ErrNotFound) || err == nil && !user.Active {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("read user %q: %w", t.Username, err)
	}
	if now.Sub(t.LastUsed) >= usedPrecision {
		t.LastUsed = now
		err := s.store.Write(ctx, func(tx store.Tx) error { return tx.UpdateToken(ctx, t) })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("note the use of token %q: %w", t.ID, err)
		}
	}
	return s.caller(ctx, user, ByToken)
}

// ExecutionToken checks the token of a running execution, or of a hook that is called
// because of one. The caller acts as
// the user who started it. With explicit false an unknown token gives nil and
// no error, so that it can be tried as something else.
func (s *Service) ExecutionToken(ctx context.Context, token string, explicit bool) (*Caller, error) {
	refused := unauthorized("Authentication failed, invalid Execution Token")
	e, err := s.store.FindExecutionByToken(ctx, HashToken(token))
	called := false
	if errors.Is(err, store.ErrNotFound) {
		var c store.HookCall
		if c, err = s.store.FindHookCallByToken(ctx, HashToken(token)); err == nil {
			e, err = s.store.GetExecution(ctx, c.ExecutionID)
			called = true // the token is gone when the call has ended
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		if !explicit {
			return nil, nil
		}
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("look for an execution by its token: %w", err)
	}
	if !called && !tokenHolds(e, s.now()) {
		return nil, refused
	}
	user, err := s.store.GetUser(ctx, e.CreatedBy)
	if errors.Is(err, store.ErrNotFound) {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("read user %q: %w", e.CreatedBy, err)
	}
	c, err := s.caller(ctx, user, ByExecution)
	if err != nil {
		return nil, err
	}
	c.Execution = &e
	return c, nil
}

func tokenHolds(e store.Execution, now time.Time) bool {
	switch {
	case e.Status.IsActive():
		return true
	case e.Status == store.Scheduled:
		return now.Sub(e.ScheduledFor).Abs() <= scheduledEdge
	case e.Status == store.Cancelled: // operations under way may still report
		return e.FinishedOperations < e.TotalOperations
	}
	return false
}

// NewToken makes an API token for the user and returns it with its full text,
// which is not kept.
func (s *Service) NewToken(ctx context.Context, username, description, expiration string) (store.Token, string, error) {
	var t store.Token
	expires, err := ParseExpiry(expiration, s.now())
	if err != nil {
		return t, "", err
	}
	id, err := s.randomText(tokenIDLen)
	if err != nil {
		return t, "", err
	}
	secret, err := s.randomText(tokenSecret)
	if err != nil {
		return t, "", err
	}
	t = store.Token{
		ID: id, Username: username, SecretHash: HashToken(secret), Description: description,
		CreatedAt: s.now(), ExpiresAt: expires,
	}
	if err := s.store.Write(ctx, func(tx store.Tx) error { return tx.AddToken(ctx, t) }); err != nil {
		return t, "", fmt.Errorf("store the token: %w", err)
	}
	return t, tokenPrefix + "-" + id + "-" + secret, nil
}

// MaskedToken is how a stored token is shown.
func MaskedToken(id string) string { return tokenPrefix + "-" + id + "-********" }

// GetToken reads a token that the caller may see: an own one, or any with the
// permission to manage tokens.
func (s *Service) GetToken(ctx context.Context, c *Caller, id string) (store.Token, error) {
	t, err := s.store.GetToken(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Username != c.Username && !c.Can("", "manage_others_tokens") {
		return t, refuse(NotFound, "Could not find token %s", id)
	}
	if err != nil {
		return t, fmt.Errorf("read token %q: %w", id, err)
	}
	return t, nil
}

// DeleteToken removes a token that the caller may see.
func (s *Service) DeleteToken(ctx context.Context, c *Caller, id string) error {
	if _, err := s.GetToken(ctx, c, id); err != nil {
		return err
	}
	if err := s.store.Write(ctx, func(tx store.Tx) error { return tx.DeleteToken(ctx, id) }); err != nil {
		return fmt.Errorf("delete token %q: %w", id, err)
	}
	return nil
}

// ListTokens lists the caller's tokens, or everybody's with the permission to
// manage tokens.
func (s *Service) ListTokens(ctx context.Context, c *Caller, q store.Query) (store.Page[store.Token], error) {
	whose := c.Username
	if c.Can("", "manage_others_tokens") {
		whose = ""
	}
	return s.store.ListTokens(ctx, whose, q)
}
