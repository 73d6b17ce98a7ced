package store

import (
	"context"
	"time"
)

// Tenant separates the records of one team from those of others.
type Tenant struct {
	Name      string
	CreatedAt time.Time
}

// TenantMember is a user's role in a tenant.
type TenantMember struct {
	Tenant   string
	Username string
	Role     string
}

// TenantReader reads tenants and their members.
type TenantReader interface {
	GetTenant(ctx context.Context, name string) (Tenant, error)
	ListTenants(ctx context.Context, q Query) (Page[Tenant], error)
	// ListMembers lists memberships; an empty tenant or user name means any.
	ListMembers(ctx context.Context, tenant, username string) ([]TenantMember, error)
}

// TenantWriter changes tenants. AddTenant gives ErrExists for a name in use;
// DeleteTenant removes the memberships and gives ErrNotFound if there is none.
// SetMember adds or changes.
type TenantWriter interface {
	AddTenant(ctx context.Context, t Tenant) error
	DeleteTenant(ctx context.Context, name string) error
	SetMember(ctx context.Context, m TenantMember) error
	DeleteMember(ctx context.Context, tenant, username string) error
}

// User may log in.
type User struct {
	Username          string
	PasswordHash      string // argon2id with its parameters
	Role              string // system role: sys_admin or default
	Active            bool
	Bootstrap         bool // the first admin: passes every check
	CreatedAt         time.Time
	FirstLoginAt      time.Time // zero: never
	LastLoginAt       time.Time
	FailedLogins      int
	LastFailedLoginAt time.Time
	GettingStarted    bool
}

// Token is a long-lived credential of a user. Only a hash of its secret is kept.
type Token struct {
	ID          string
	Username    string
	SecretHash  string // hex SHA-256
	Description string
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	LastUsed    time.Time
}

// UserReader reads users and tokens.
type UserReader interface {
	GetUser(ctx context.Context, username string) (User, error)
	ListUsers(ctx context.Context, q Query) (Page[User], error)
	GetToken(ctx context.Context, id string) (Token, error)
	// ListTokens lists tokens; an empty user name means everybody's.
	ListTokens(ctx context.Context, username string, q Query) (Page[Token], error)
}

// UserWriter changes users and tokens.
type UserWriter interface {
	AddUser(ctx context.Context, u User) error
	UpdateUser(ctx context.Context, u User) error
	DeleteUser(ctx context.Context, username string) error // with memberships and tokens
	AddToken(ctx context.Context, t Token) error
	UpdateToken(ctx context.Context, t Token) error
	DeleteToken(ctx context.Context, id string) error
}

// Secret is a named value, encrypted before it gets here.
type Secret struct {
	Owned
	Key             string
	Sealed          []byte // ciphertext with its header; never the plain value
	IsHidden        bool
	UpdatedAt       time.Time
	Schema          map[string]any // nil: none
	ProviderName    string
	ProviderOptions map[string]any
}

// SecretReader reads secrets. A global secret of another tenant is found too.
type SecretReader interface {
	GetSecret(ctx context.Context, tenant, key string) (Secret, error)
	ListSecrets(ctx context.Context, q Query) (Page[Secret], error)
}

// SecretWriter changes secrets.
type SecretWriter interface {
	AddSecret(ctx context.Context, s Secret) error
	UpdateSecret(ctx context.Context, s Secret) error
	DeleteSecret(ctx context.Context, tenant, key string) error
}

// Setting is one item of the manager's configuration.
type Setting struct {
	Scope     string
	Name      string
	Value     any
	UpdatedAt time.Time
	UpdatedBy string
}

// SettingReader reads settings; only changed ones are stored.
type SettingReader interface {
	ListSettings(ctx context.Context) ([]Setting, error)
}

// SettingWriter changes settings.
type SettingWriter interface {
	PutSetting(ctx context.Context, s Setting) error
}
