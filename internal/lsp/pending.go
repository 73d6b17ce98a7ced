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
	calls map[string]*call // by id; guarded by mu
}

// call is one request. An id may come again once it was answered.
type call struct {
	ctx  context.Context
	stop context.CancelFunc
}

func pendingRequests() *pending { return &pending{calls: map[string]*call{}} }

func (p *pending) begin(ctx context.Context, id json.RawMessage) *call {
	c := &call{}
	c.ctx, c.stop = context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[string(id)] = c
	return c
}

// end forgets a request; it has to be called before the answer is sent.
func (p *pending) end(id json.RawMessage, c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.stop()
	if p.calls[string(id)] == c {
		delete(p.calls, string(id))
	}
}

// cancel cancels the request that the parameters name; one that was answered
// is none.
func (p *pending) cancel(params json.RawMessage) {
	var named cancelParams
	if json.Unmarshal(params, &named) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.calls[string(named.ID)]; c != nil {
		c.stop()
	}
}
