package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"windlass/internal/store"
)

// chunkSize is how much of a blob is one row.
const chunkSize = 1 << 20

// OpenBlob returns a reader that fetches the content piece by piece.
func (r Reader) OpenBlob(ctx context.Context, hash string) (io.ReadCloser, error) {
	var size int64
	found, err := row(ctx, r.conn, "SELECT size FROM blobs WHERE hash = ?", []any{hash}, &size)
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", hash, err)
	}
	if !found {
		return nil, recordError("Blob", hash, store.ErrNotFound)
	}
	return &blob{ctx: ctx, conn: r.conn, hash: hash, left: size}, nil
}

// blob reads a stored file. The context belongs to the call that opened it,
// which lasts until Close.
type blob struct {
	ctx   context.Context
	conn  Conn
	hash  string
	next  int64 // position of the next chunk
	left  int64 // bytes after chunk
	chunk []byte
}

func (b *blob) Read(p []byte) (int, error) {
	if len(b.chunk) == 0 {
		if b.left == 0 {
			return 0, io.EOF
		}
		if err := b.fetch(); err != nil {
			return 0, fmt.Errorf("read blob %s: %w", b.hash, err)
		}
	}
	n := copy(p, b.chunk)
	b.chunk = b.chunk[n:]
	return n, nil
}

func (b *blob) fetch() error {
	var content []byte
	found, err := row(b.ctx, b.conn, "SELECT content FROM blob_chunks WHERE hash = ? AND position = ?", []any{b.hash, b.next}, &content)
	switch {
	case err != nil:
		return err
	case !found || len(content) == 0 || int64(len(content)) > b.left:
		return io.ErrUnexpectedEOF // removed while being read
	}
	b.next++
	b.left -= int64(len(content))
	b.chunk = content
	return nil
}

// Close lets go of the content.
func (b *blob) Close() error {
	b.chunk, b.left = nil, 0
	return nil
}

// PutBlob stores content. It refuses content that has another hash.
func (t *Tx) PutBlob(ctx context.Context, hash string, r io.ReadSeeker) error {
	var size int64
	if found, err := row(ctx, t.conn, "SELECT size FROM blobs WHERE hash = ?", []any{hash}, &size); found || err != nil {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("store blob %s: %w", hash, err)
	}
	n, err := t.conn.Exec(ctx, "INSERT INTO blobs (hash, size) VALUES (?, 0) ON CONFLICT DO NOTHING", hash)
	if err != nil || n == 0 { // stored meanwhile by another manager
		return err
	}
	if size, err = t.putChunks(ctx, hash, r); err != nil {
		return fmt.Errorf("store blob %s: %w", hash, err)
	}
	_, err = t.conn.Exec(ctx, "UPDATE blobs SET size = ? WHERE hash = ?", size, hash)
	return err
}

func (t *Tx) putChunks(ctx context.Context, hash string, r io.Reader) (size int64, err error) {
	sum := sha256.New()
	for position := int64(0); ; position++ {
		chunk := make([]byte, chunkSize)
		n, err := io.ReadFull(r, chunk)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return 0, err
		}
		if n > 0 {
			sum.Write(chunk[:n])
			size += int64(n)
			if _, err := t.conn.Exec(ctx, "INSERT INTO blob_chunks (hash, position, content) VALUES (?, ?, ?)", hash, position, chunk[:n]); err != nil {
				return 0, err
			}
		}
		if last {
			break
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != hash {
		return 0, fmt.Errorf("the content has the hash %s", got)
	}
	return size, nil
}

// DeleteBlob removes a blob; one that is not there is no error.
func (t *Tx) DeleteBlob(ctx context.Context, hash string) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM blob_chunks WHERE hash = ?", hash); err != nil {
		return err
	}
	_, err := t.conn.Exec(ctx, "DELETE FROM blobs WHERE hash = ?", hash)
	return err
}
