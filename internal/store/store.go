// Package store is the persistence of a manager: the records, and the
// interfaces through which services read and write them. Implementations are
// sqlite (one machine, embedded) and postgres (several managers on one
// database); storetest is the suite that both must pass.
//
// The database is the truth and messages are hints: every state change is a
// transaction, and a notification only wakes somebody up to look.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store is an open database. All methods are safe for concurrent use.
type Store interface {
	Reader
	Exporter

	// Write runs fn in a transaction and returns once it is durable (synced).
	// Concurrent writes share commits. fn may run more than once and must
	// have no effects but on tx and on variables it assigns anew each time.
	// If fn returns an error nothing of it is kept and the error is returned.
	// A context that ends before the commit starts cancels the write.
	Write(ctx context.Context, fn func(tx Tx) error) error

	// WriteLocked is Write with fn holding the named lock from its beginning.
	// Those of one manager that wait for the same lock may share a transaction,
	// so that many get on with few commits; each fails by itself all the same.
	WriteLocked(ctx context.Context, lock string, fn func(tx Tx) error) error

	// Subscribe returns a channel that receives a value some time after a
	// write that notified the topic was committed, by this or another manager.
	// Wake-ups are coalesced and may be spurious or, rarely, lost: look again
	// at least every few seconds. Call stop when done; it closes nothing.
	Subscribe(topic string) (wake <-chan struct{}, stop func())

	// Dialect names the engine: "sqlite" or "postgres".
	Dialect() string

	// Size returns the bytes the database takes on disk.
	Size(ctx context.Context) (int64, error)

	// Close stops accepting writes, finishes those under way and closes.
	Close() error
}

// Reader reads records. Outside a transaction each call sees the newest
// committed state. Get methods return ErrNotFound (wrapped, with kind and id)
// for what is not there.
type Reader interface {
	// Now is the present by the database's clock, which is one for all who use
	// the database.
	Now(ctx context.Context) (time.Time, error)
	TenantReader
	UserReader
	SecretReader
	SettingReader
	BlueprintReader
	DeploymentReader
	NodeReader
	ModificationReader
	DeploymentUpdateReader
	PluginsUpdateReader
	HookReader
	ScheduleReader
	GroupReader
	PluginReader
	ApprovalReader
	ExecutionReader
	QueueReader
	OperationReader
	EventReader
	BlobReader
	SnapshotReader
	FilterReader
	SiteReader
	DependencyReader
}

// Tx is a transaction that may write.
type Tx interface {
	Reader
	TenantWriter
	UserWriter
	SecretWriter
	SettingWriter
	BlueprintWriter
	DeploymentWriter
	NodeWriter
	ModificationWriter
	DeploymentUpdateWriter
	PluginsUpdateWriter
	HookWriter
	ScheduleWriter
	GroupWriter
	PluginWriter
	ApprovalWriter
	ExecutionWriter
	OperationWriter
	EventWriter
	BlobWriter
	SnapshotWriter
	FilterWriter
	SiteWriter
	DependencyWriter
	Importer

	// Lock holds the named lock until the transaction ends, so that of several
	// managers one at a time decides. Where writers are serial anyway it is free.
	Lock(name string) error

	// Notify wakes the subscribers of topic after the commit.
	Notify(topic string)
}

// TopicExecutions is notified when an execution is created, changes its
// status or is freed by its owner.
const TopicExecutions = "executions"

// TopicEvents is notified when events or logs of the execution are stored.
func TopicEvents(executionID string) string { return "events:" + executionID }

// Breaker is a Store that may break such that only opening it anew helps.
type Breaker interface {
	// Broken is closed then; writes fail from there on and say why.
	Broken() <-chan struct{}
}

// Reporter is a Store that remembers whether the database takes what is written.
type Reporter interface {
	// Trouble is the last write that was refused because of the database itself,
	// and not of what was to be written; its Err is nil if there was none.
	Trouble() Trouble
}

// Trouble is a write that the database could not take: the disk is full or
// broken, or it was not to be reached.
type Trouble struct {
	Err    error
	At     time.Time
	IsOver bool // it has taken others since
}

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	// ErrVersion: the record was changed by somebody else since it was read.
	ErrVersion = errors.New("version conflict")
	// ErrFenced: the writer's claim on the execution is no longer the newest.
	ErrFenced = errors.New("execution was claimed by another manager")
	// ErrBadQuery: a filter or sort names a field that there is not.
	ErrBadQuery = errors.New("bad query")
	// ErrFull: there is no room for what was to be written. Nothing of it was, and
	// the next write succeeds if there is room by then.
	ErrFull = errors.New("the disk of the database is full: make room on it")
	// ErrUnavailable: the database can't be reached now. Whoever waits may find that
	// it can be again; a write may have been kept.
	ErrUnavailable = errors.New("the database can't be reached")
)

// RecordError tells which record an error is about.
type RecordError struct {
	Kind string // the original's model name: Blueprint, Deployment, Node, NodeInstance, Execution, Secret, User, Tenant ...
	ID   string
	Err  error
}

func (e *RecordError) Error() string { return fmt.Sprintf("%s %q: %v", e.Kind, e.ID, e.Err) }

func (e *RecordError) Unwrap() error { return e.Err }

// Visibility says which tenants see a record.
type Visibility string

// The visibilities, narrowest first.
const (
	Private Visibility = "private"
	Tenants Visibility = "tenant"
	Global  Visibility = "global"
)

// Owned is what every record of a tenant carries.
type Owned struct {
	Tenant     string
	Visibility Visibility
	CreatedBy  string // user name
	CreatedAt  time.Time
}

// Query selects, orders and pages a list.
type Query struct {
	// Tenants to look in; records with global visibility of other tenants are
	// seen too. Empty means all tenants.
	Tenants []string
	// Viewer, if set, hides private records created by other users.
	Viewer string
	// Filters all hold.
	Filters []Filter
	// Search is a case-insensitive substring of the record's search field (its id).
	Search string
	Sort   []SortKey // default: created_at, then insertion
	Limit  int       // 0 means no limit
	Offset int
	// After, if set, is the Next of an earlier page of the same order: the list
	// goes on behind it. Other texts give ErrBadQuery.
	After string
	// Full loads the large fields that lists leave out (a blueprint's plan).
	Full bool
}

// Filter is one condition on a field; fields are named as in the REST API.
// Unknown ones give ErrBadQuery with the allowed names.
type Filter struct {
	Field  string
	Op     Op
	Values []string // compared as text, except booleans ("true", "false") and times (RFC 3339)
}

// Op is a comparison.
type Op string

// The comparisons. Several values are or-ed, but and-ed for the negated ones.
const (
	In          Op = ""             // equal to one of the values
	NotIn       Op = "not_in"       // equal to none
	Contains    Op = "contains"     // has one as a substring
	NotContains Op = "not_contains" // has none as a substring
	StartsWith  Op = "starts_with"  // ignoring case
	EndsWith    Op = "ends_with"    // ignoring case
	IsNull      Op = "is_null"      // is null or empty
	IsNotNull   Op = "is_not_null"  // is not
	AtLeast     Op = "at_least"     // >= the first value
	Below       Op = "below"        // < the first value
	Like        Op = "like"         // SQL pattern with % and _, ignoring case
)

// SortKey orders by a field.
type SortKey struct {
	Field      string
	Descending bool
}

// Page is a part of a list. Total counts all matches. Next is where the next page
// begins, "" if there is none.
type Page[T any] struct {
	Items []T
	Total int
	Next  string
}

// Label is a key and a value on a blueprint or deployment.
type Label struct {
	Key       string    `json:"key"`
	Value     string    `json:"value"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}
