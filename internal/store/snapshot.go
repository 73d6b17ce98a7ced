package store

import (
	"context"
)

// Snapshot statuses.
const (
	SnapshotCreating = "creating"
	SnapshotCreated  = "created"
	SnapshotFailed   = "failed"
	SnapshotUploaded = "uploaded"
)

// Snapshot is a copy of everything, kept as an archive in the store. Snapshots
// are not part of snapshots.
type Snapshot struct {
	Owned
	ID          string // unique in the whole store
	Status      string
	Error       string
	ExecutionID string // that makes it; "" if it was uploaded
	RestoredBy  string // the execution that restored it last; "" if none did
	Size        int64  // bytes of the archive, 0 until it is there
	// SealedKeys are the master keys that open the archive's secrets, sealed
	// with those of this manager; nil if the archive brings none.
	SealedKeys []byte
}

// SnapshotReader reads snapshots. Filter fields: id, status, tenant_name,
// created_by, visibility, created_at. Search: id.
type SnapshotReader interface {
	GetSnapshot(ctx context.Context, id string) (Snapshot, error)
	ListSnapshots(ctx context.Context, q Query) (Page[Snapshot], error)
	// SnapshotChunk reads one piece of an archive, counted from 0; nil after
	// the last.
	SnapshotChunk(ctx context.Context, id string, position int64) ([]byte, error)
}

// SnapshotWriter changes snapshots. UpdateSnapshot replaces all but the key.
type SnapshotWriter interface {
	// AddSnapshot gives ErrExists if there is one of that id in any tenant.
	AddSnapshot(ctx context.Context, s Snapshot) error
	UpdateSnapshot(ctx context.Context, s Snapshot) error
	// PutSnapshotChunk stores a piece of the archive, in place of a former one.
	PutSnapshotChunk(ctx context.Context, id string, position int64, content []byte) error
	// ClearSnapshot removes the archive.
	ClearSnapshot(ctx context.Context, id string) error
	DeleteSnapshot(ctx context.Context, id string) error // with its archive
}

// CellKind says what a column holds.
type CellKind string

// The kinds of cells, with their Go types.
const (
	TextCell    CellKind = "text"    // string
	NumberCell  CellKind = "number"  // int64
	BooleanCell CellKind = "boolean" // bool
	BytesCell   CellKind = "bytes"   // []byte
)

// Column is a column of a Table.
type Column struct {
	Name string
	Kind CellKind
}

// Table is one kind of rows as an export holds them. Files are not among the
// tables: they are exported as blobs.
type Table struct {
	Name    string
	Columns []Column
}

// Column finds a column's place, -1 if there is none.
func (t Table) Column(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// View is everything in the store as it was at one moment.
type View interface {
	Reader
	// EachRow calls each for the rows of one of Tables, in the order in which
	// they were added. A cell is nil or of its kind's type. The row is only
	// valid during the call. An error of each ends it.
	EachRow(ctx context.Context, table string, each func(row []any) error) error
	// ListBlobs lists the hashes of all blobs, in text order.
	ListBlobs(ctx context.Context) ([]string, error)
}

// Exporter gives out everything at once.
type Exporter interface {
	// Tables are all kinds of rows there are, such that rows come after those
	// that they refer to.
	Tables() []Table
	// Freeze calls fn with a view of one moment. Writing goes on meanwhile, and
	// is not seen. The view ends with fn.
	Freeze(ctx context.Context, fn func(v View) error) error
}

// Importer replaces everything, as a part of a transaction.
type Importer interface {
	// Clear removes all that Tables hold and all blobs, but for the execution
	// keep with its events. Others can't change them until the transaction ends.
	Clear(ctx context.Context, keep string) error
	// LoadRows adds rows with the cells of the given columns, after Clear; what
	// is not given gets its default. It gives ErrExists if a key is taken.
	LoadRows(ctx context.Context, table string, columns []string, rows [][]any) error
	// EndLoad comes after the last row.
	EndLoad(ctx context.Context) error
}
