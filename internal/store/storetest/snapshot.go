package storetest

import (
	"windlass/internal/store"
)

var snapshotTests = []test{
	{"round trip", func(s *subject) {
		full := store.Snapshot{
			Owned: owned("a", 1), ID: "s1", Status: store.SnapshotCreated, Error: "e", ExecutionID: "x", RestoredBy: "y", Size: 1 << 40,
			SealedKeys: []byte{1, 0, 2},
		}
		filled(s, full)
		bare := store.Snapshot{Owned: owned("b", 2), ID: "s2", Status: store.SnapshotCreating}
		for _, one := range []store.Snapshot{full, bare} {
			s.write(func(tx store.Tx) error { return tx.AddSnapshot(s.ctx(), one) })
			got, err := s.GetSnapshot(s.ctx(), one.ID)
			s.must(err)
			same(s, got, one)
		}
		elsewhere := bare
		elsewhere.ID, elsewhere.Tenant = "s1", "c"
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddSnapshot(s.ctx(), elsewhere) })
		page, err := s.ListSnapshots(s.ctx(), where(field("status", store.SnapshotCreated)))
		s.must(err)
		same(s, page, store.Page[store.Snapshot]{Items: []store.Snapshot{full}, Total: 1})
		full.Status, full.Error, full.SealedKeys = store.SnapshotFailed, "broken", nil
		s.write(func(tx store.Tx) error { return tx.UpdateSnapshot(s.ctx(), full) })
		got, err := s.GetSnapshot(s.ctx(), "s1")
		s.must(err)
		same(s, got, full)
		_, err = s.GetSnapshot(s.ctx(), "none")
		s.missing(err, "Snapshot", "none")
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateSnapshot(s.ctx(), store.Snapshot{ID: "none"}) })
	}},
	{"the archive", func(s *subject) {
		one := store.Snapshot{Owned: owned("a", 1), ID: "s1", Status: store.SnapshotCreating}
		s.write(func(tx store.Tx) error { return tx.AddSnapshot(s.ctx(), one) })
		chunk := func(n int64) string {
			content, err := s.SnapshotChunk(s.ctx(), "s1", n)
			s.must(err)
			return string(content)
		}
		put := func(n int64, content string) {
			s.write(func(tx store.Tx) error { return tx.PutSnapshotChunk(s.ctx(), "s1", n, []byte(content)) })
		}
		same(s, chunk(0), "")
		put(0, "a\x00b")
		put(1, "c")
		put(1, "d")
		same(s, chunk(0)+chunk(1)+chunk(2), "a\x00bd")
		s.write(func(tx store.Tx) error { return tx.ClearSnapshot(s.ctx(), "s1") })
		same(s, chunk(0), "")
		put(0, "x")
		s.write(func(tx store.Tx) error { return tx.DeleteSnapshot(s.ctx(), "s1") })
		same(s, chunk(0), "")
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteSnapshot(s.ctx(), "s1") })
	}},
	{"importing leaves snapshots alone", func(s *subject) {
		one := store.Snapshot{Owned: owned("a", 1), ID: "s1", Status: store.SnapshotCreated}
		s.write(func(tx store.Tx) error { return tx.AddSnapshot(s.ctx(), one) })
		s.write(func(tx store.Tx) error { return tx.PutSnapshotChunk(s.ctx(), "s1", 0, []byte("x")) })
		s.write(func(tx store.Tx) error { return tx.Clear(s.ctx(), "") })
		got, err := s.GetSnapshot(s.ctx(), "s1")
		s.must(err)
		same(s, got, one)
		content, err := s.SnapshotChunk(s.ctx(), "s1", 0)
		s.must(err)
		same(s, string(content), "x")
	}},
}
