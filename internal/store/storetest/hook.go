package storetest

import (
	"time"

	"windlass/internal/store"
)

func sampleHookCall(id string) store.HookCall {
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	return store.HookCall{
		ID: id, Tenant: "a", ExecutionID: "e", EventType: "workflow_started", CreatedAt: at, Implementation: "package.module.function",
		Inputs: map[string]any{"n": int64(1)}, Facts: map[string]any{"deployment_id": "d"}, ClaimedUntil: at.Add(time.Minute), TokenHash: "hash-" + id,
	}
}

var hookTests = []test{
	{"round trip", func(s *subject) {
		full := sampleHookCall("1")
		filled(s, full)
		s.write(func(tx store.Tx) error { return tx.AddHookCall(s.ctx(), full) })
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddHookCall(s.ctx(), full) })
		got, err := s.FindHookCallByToken(s.ctx(), "hash-1")
		s.must(err)
		same(s, got, full)
		for _, hash := range []string{"", "hash-2"} {
			_, err := s.FindHookCallByToken(s.ctx(), hash)
			s.missing(err, "HookCall", "with this token")
		}
	}},
	{"are due one after the other", func(s *subject) {
		at := time.UnixMicro(1_700_000_000_000_000).UTC()
		for _, c := range []store.HookCall{{ID: "1", ExecutionID: "e"}, {ID: "2", ExecutionID: "e"}, {ID: "3", ExecutionID: "f"}} {
			s.write(func(tx store.Tx) error { return tx.AddHookCall(s.ctx(), c) })
		}
		due := func(now time.Time, limit int, want ...string) {
			s.Helper()
			calls, err := s.DueHookCalls(s.ctx(), store.Holding{From: now}, limit)
			s.must(err)
			var got []string
			for _, c := range calls {
				got = append(got, c.ID)
			}
			same(s, got, want)
		}
		due(at, 5, "1", "3")
		due(at, 1, "1")
		claimed := store.HookCall{ID: "1", ClaimedUntil: at.Add(time.Second), TokenHash: "h"}
		s.write(func(tx store.Tx) error { return tx.UpdateHookCall(s.ctx(), claimed) })
		due(at, 5, "3") // not 2, which comes after 1
		due(at.Add(time.Second), 5, "1", "3")
		s.write(func(tx store.Tx) error { return tx.DeleteHookCall(s.ctx(), "1") })
		s.write(func(tx store.Tx) error { return tx.DeleteHookCall(s.ctx(), "1") })
		due(at, 5, "2", "3")
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateHookCall(s.ctx(), claimed) })
	}},
}
