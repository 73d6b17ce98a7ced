package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing/iotest"

	"windlass/internal/store"
)

func content(n int) (data []byte, hash string) {
	data = make([]byte, n)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:])
}

func readBlob(s *subject, r store.Reader, hash string) []byte {
	s.Helper()
	f, err := r.OpenBlob(s.ctx(), hash)
	s.must(err)
	data, err := io.ReadAll(f)
	s.must(err)
	s.must(f.Close())
	return data
}

// brokenSeeker fails after its first bytes.
type brokenSeeker struct {
	io.Reader
	err error
}

func (b *brokenSeeker) Seek(int64, int) (int64, error) {
	b.Reader = io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), iotest.ErrReader(b.err))
	return 0, nil
}

var blobTests = []test{
	{"sizes around the chunks", func(s *subject) {
		for _, n := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5<<20 + 7} {
			data, hash := content(n)
			r := bytes.NewReader(data)
			_, err := r.Seek(0, io.SeekEnd) // it is read from its start
			s.must(err)
			s.write(func(tx store.Tx) error {
				s.must(tx.PutBlob(s.ctx(), hash, r))
				if !bytes.Equal(readBlob(s, tx, hash), data) {
					s.Errorf("%d bytes read back differently in the transaction", n)
				}
				return nil
			})
			s.write(func(tx store.Tx) error { return tx.PutBlob(s.ctx(), hash, r) }) // again is no error
			if !bytes.Equal(readBlob(s, s, hash), data) {
				s.Errorf("%d bytes read back differently", n)
			}
		}
	}},
	{"absent and deleted", func(s *subject) {
		data, hash := content(10)
		_, err := s.OpenBlob(s.ctx(), hash)
		s.missing(err, "Blob", hash)
		s.write(func(tx store.Tx) error { return tx.PutBlob(s.ctx(), hash, bytes.NewReader(data)) })
		s.write(func(tx store.Tx) error { return tx.DeleteBlob(s.ctx(), hash) })
		s.write(func(tx store.Tx) error { return tx.DeleteBlob(s.ctx(), hash) })
		_, err = s.OpenBlob(s.ctx(), hash)
		s.missing(err, "Blob", hash)
	}},
	{"deleted while being read", func(s *subject) {
		data, hash := content(3 << 20)
		s.write(func(tx store.Tx) error { return tx.PutBlob(s.ctx(), hash, bytes.NewReader(data)) })
		f, err := s.OpenBlob(s.ctx(), hash)
		s.must(err)
		_, err = io.ReadFull(f, make([]byte, 10))
		s.must(err)
		s.write(func(tx store.Tx) error { return tx.DeleteBlob(s.ctx(), hash) })
		if _, err := io.Copy(io.Discard, f); !errors.Is(err, io.ErrUnexpectedEOF) {
			s.Errorf("got error %v, want that the end came too soon", err)
		}
	}},
	{"wrong hash and broken source leave nothing", func(s *subject) {
		data, _ := content(10)
		_, other := content(11)
		if err := s.Write(s.ctx(), func(tx store.Tx) error { return tx.PutBlob(s.ctx(), other, bytes.NewReader(data)) }); err == nil {
			s.Error("content with another hash was stored")
		}
		broken := errors.New("the disk is on fire")
		s.refused(broken, func(tx store.Tx) error { return tx.PutBlob(s.ctx(), other, &brokenSeeker{err: broken}) })
		_, err := s.OpenBlob(s.ctx(), other)
		s.missing(err, "Blob", other)
	}},
	{"the end of the context ends reading", func(s *subject) {
		data, hash := content(3 << 20)
		s.write(func(tx store.Tx) error { return tx.PutBlob(s.ctx(), hash, bytes.NewReader(data)) })
		ctx, cancel := context.WithCancel(s.ctx())
		f, err := s.OpenBlob(ctx, hash)
		s.must(err)
		cancel()
		if _, err := io.Copy(io.Discard, f); !errors.Is(err, context.Canceled) {
			s.Errorf("got error %v, want %v", err, context.Canceled)
		}
	}},
}
