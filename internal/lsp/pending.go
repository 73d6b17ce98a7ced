package lsp

import (
	"context"
	"encoding/json"
	"sync"
)

// pending holds the requests that have come in and are not answered, so that
// they can be cancelled.
type pending struct {
	mu    sync.Mutex
	stops map[string]context.CancelFunc // guarded by mu
}

func pendingRequests() *pending { return &pending{stops: map[string]context.CancelFunc{}} }

func (p *pending) begin(ctx context.Context, id json.RawMessage) context.Context {
	ctx, stop := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if before := p.stops[string(id)]; before != nil {
		before()
	}
	p.stops[string(id)] = stop
	return ctx
}

func (p *pending) end(id json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stop := p.stops[string(id)]; stop != nil {
		stop()
		delete(p.stops, string(id))
	}
}

// cancel cancels the request that the parameters name; one that was answered
// is none.
func (p *pending) cancel(params json.RawMessage) {
	var c cancelParams
	if json.Unmarshal(params, &c) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stop := p.stops[string(c.ID)]; stop != nil {
		stop()
	}
}
