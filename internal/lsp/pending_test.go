package lsp

import (
	"encoding/json"
	"testing"
)

func TestPending(t *testing.T) {
	t.Parallel()
	p := pendingRequests()
	first, second := json.RawMessage("1"), json.RawMessage(`"a"`)
	one, two := p.begin(t.Context(), first), p.begin(t.Context(), second)
	p.cancel(json.RawMessage(`{"id": "a"}`))
	p.cancel(json.RawMessage(`{"id": 99}`))
	p.cancel(json.RawMessage(`[]`))
	if one.Err() != nil || two.Err() == nil {
		t.Error("the wrong request was cancelled")
	}
	p.end(first)
	p.end(second)
	p.cancel(json.RawMessage(`{"id": 1}`))
	if len(p.stops) != 0 {
		t.Errorf("%d requests are kept", len(p.stops))
	}
}
