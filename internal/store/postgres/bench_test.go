package postgres_test

import (
	"context"
	"testing"

	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	address := database(b)
	storetest.Benchmark(b, func(ctx context.Context) (store.Store, error) { return postgres.Open(ctx, address) })
}
