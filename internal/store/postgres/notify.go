package postgres

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"windlass/internal/store/sqlstore"
)

// channel carries the wake-ups between managers: the sender's name, then the
// topics, a line each.
const channel = "windlass"

// A transaction that notifies takes a lock on the whole database to commit. So
// topics are gathered and sent apart from the transactions that they tell of.
const (
	notifyEvery   = 10 * time.Millisecond
	longestNotice = 7900 // bytes; the database takes less than 8000
	longestFlush  = 5 * time.Second
)

// Pauses between attempts to connect the listener again.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// notifier tells other managers of topics, and listens to them.
type notifier struct {
	db     *sql.DB
	config *pgx.ConnConfig
	hub    *sqlstore.Hub
	name   string // tells own messages from those of others

	mu     sync.Mutex
	topics map[string]struct{} // guarded by mu: to be sent
	some   chan struct{}       // has a value if there are topics

	cancel context.CancelFunc
	both   sync.WaitGroup // sender and listener
}

func startNotifier(ctx context.Context, config *pgx.ConnConfig, db *sql.DB, hub *sqlstore.Hub) (*notifier, error) {
	n := &notifier{
		db: db, config: config, hub: hub, name: uuid.NewString(), topics: map[string]struct{}{}, some: make(chan struct{}, 1),
	}
	listening, err := n.listen(ctx)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.both.Go(func() { n.receive(running, listening) })
	n.both.Go(func() { n.sendAll(running) })
	return n, nil
}

// stop ends both goroutines, after the last topics are sent.
func (n *notifier) stop() error {
	n.cancel()
	n.both.Wait()
	return nil
}

// send lets topics be sent soon.
func (n *notifier) send(topics map[string]struct{}) {
	n.mu.Lock()
	for t := range topics {
		n.topics[t] = struct{}{}
	}
	n.mu.Unlock()
	select {
	case n.some <- struct{}{}:
	default:
	}
}

func (n *notifier) sendAll(ctx context.Context) {
	pause := time.NewTicker(notifyEvery)
	defer pause.Stop()
	for ctx.Err() == nil {
		select {
		case <-n.some:
			n.flush(ctx)
		case <-ctx.Done():
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	n.flush(ctx)
}

// flush sends the topics that have gathered, also while stopping. If that fails
// they are lost: subscribers look again by themselves before long.
func (n *notifier) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestFlush)
	defer cancel()
	n.mu.Lock()
	topics := n.topics
	n.topics = map[string]struct{}{}
	n.mu.Unlock()
	for _, notice := range notices(n.name, topics) {
		if _, err := n.db.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, notice); err != nil {
			return
		}
	}
}

// notices packs topics into as few messages as will do.
func notices(name string, topics map[string]struct{}) []string {
	var out []string
	var b strings.Builder
	for t := range topics {
		if len(name)+1+len(t) > longestNotice {
			continue // subscribers find out by themselves
		}
		if b.Len() > 0 && b.Len()+1+len(t) > longestNotice {
			out = append(out, b.String())
			b.Reset()
		}
		if b.Len() == 0 {
			b.WriteString(name)
		}
		b.WriteString("\n" + t)
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}

func (n *notifier) listen(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, n.config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		_ = c.Close(ctx) // the first error tells more
		return nil, err
	}
	return c, nil
}

// receive wakes subscribers until ctx ends, connecting again when it must.
func (n *notifier) receive(ctx context.Context, c *pgx.Conn) {
	pause := firstPause
	for ctx.Err() == nil {
		if c != nil {
			pause = firstPause
			n.hear(ctx, c)
			// The connection is broken, or the end has come.
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = c.Close(closing)
			cancel()
			c = nil
			continue
		}
		var err error
		if c, err = n.listen(ctx); err == nil {
			n.hub.PublishAll() // whatever was sent meanwhile was missed
			continue
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, longestPause)
	}
	if c != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(closing)
	}
}

// hear passes on what arrives until the connection fails.
func (n *notifier) hear(ctx context.Context, c *pgx.Conn) {
	for {
		message, err := c.WaitForNotification(ctx)
		if err != nil {
			return
		}
		sender, topics, _ := strings.Cut(message.Payload, "\n")
		if sender == n.name {
			continue // woken already
		}
		for topic := range strings.SplitSeq(topics, "\n") {
			n.hub.Publish(topic)
		}
	}
}
