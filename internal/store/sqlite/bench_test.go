package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	path := filepath.Join(b.TempDir(), "windlass.db")
	storetest.Benchmark(b, func(ctx context.Context) (store.Store, error) { return sqlite.Open(ctx, path) })
}
