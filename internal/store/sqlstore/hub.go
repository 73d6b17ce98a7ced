package sqlstore

import "sync"

// Hub wakes the subscribers of topics in this process. The zero Hub is ready.
type Hub struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]struct{} // guarded by mu
}

// Subscribe returns a channel that has a value some time after Publish with
// the topic. stop ends the subscription; calling it again does nothing.
func (h *Hub) Subscribe(topic string) (wake <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics == nil {
		h.topics = map[string]map[chan struct{}]struct{}{}
	}
	if h.topics[topic] == nil {
		h.topics[topic] = map[chan struct{}]struct{}{}
	}
	h.topics[topic][c] = struct{}{}
	return c, func() { h.drop(topic, c) }
}

func (h *Hub) drop(topic string, c chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.topics[topic], c)
	if len(h.topics[topic]) == 0 {
		delete(h.topics, topic)
	}
}

// Publish wakes the subscribers of a topic.
func (h *Hub) Publish(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.topics[topic] {
		wake(c)
	}
}

// PublishAll wakes everybody, for when notifications may have been missed.
func (h *Hub) PublishAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, subscribers := range h.topics {
		for c := range subscribers {
			wake(c)
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has yet to look at the last one
	}
}
