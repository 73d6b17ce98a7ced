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
	if one.ctx.Err() != nil || two.ctx.Err() == nil {
		t.Error("the wrong request was cancelled")
	}
	again := p.begin(t.Context(), first)
	p.end(first, one)
	if again.ctx.Err() != nil {
		t.Error("the end of a request cancelled the next of that id")
	}
	p.end(first, again)
	p.end(second, two)
	p.cancel(json.RawMessage(`{"id": 1}`))
	if len(p.calls) != 0 {
		t.Errorf("%d requests are kept", len(p.calls))
	}
}
