package python

import (
	"context"
	"sync"
	"time"

	"windlass/internal/operation/child"
)

// pool keeps the workers.
type pool struct {
	runner  *Runner
	spawner *child.Spawner
	stop    chan struct{}
	work    sync.WaitGroup // the janitor, and workers that are being stopped

	mu      sync.Mutex // guards what follows
	workers map[workerKey]*slot
	leaving map[*slot]struct{} // unwanted ones in use
}

// workerKey is whom a worker belongs to.
type workerKey struct{ tenant, deployment, environment string }

// slot is a worker's place in the pool.
type slot struct {
	key      workerKey
	starting chan struct{} // closed when worker or err is set
	worker   *worker
	err      error
	users    int
	idle     time.Time // since when there are no users
	unwanted bool      // it ends with its last user
}

func newPool(r *Runner) *pool {
	p := &pool{runner: r, spawner: child.NewSpawner(), stop: make(chan struct{}), workers: map[workerKey]*slot{}, leaving: map[*slot]struct{}{}}
	p.work.Go(p.reap)
	return p
}

// acquire returns a worker that lives, starting one if there is none. release
// says that the caller is done with it. The start goes on for others if ctx
// ends.
func (p *pool) acquire(ctx context.Context, key workerKey, env Environment) (w *worker, release func(), err error) {
	p.mu.Lock()
	s := p.workers[key]
	if s != nil && s.dead() {
		delete(p.workers, key)
		s = nil
	}
	if s == nil {
		s = &slot{key: key, starting: make(chan struct{})}
		p.workers[key] = s
		p.makeRoom(s)
		p.work.Go(func() { p.start(s, env) })
	}
	s.users++
	p.mu.Unlock()
	release = sync.OnceFunc(func() { p.release(s) })
	select {
	case <-s.starting:
	case <-ctx.Done():
		release()
		return nil, nil, context.Cause(ctx)
	}
	if s.err != nil {
		release()
		return nil, nil, s.err
	}
	return s.worker, release, nil
}

func (p *pool) start(s *slot, env Environment) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan struct{})
	defer close(stopped)
	p.work.Go(func() { // the start of a worker ends with the pool
		select {
		case <-p.stop:
			cancel()
		case <-stopped:
		}
	})
	w, err := p.runner.startWorker(ctx, env)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.worker, s.err = w, err
	if err != nil && p.workers[s.key] == s {
		delete(p.workers, s.key) // the next one tries again
	}
	s.idle = time.Now()
	if s.unwanted && s.users == 0 {
		p.retire(s)
	}
	close(s.starting)
}

// dead tells whether the slot's worker has ended. The caller holds mu.
func (s *slot) dead() bool {
	if s.worker == nil {
		return s.err != nil
	}
	select {
	case <-s.worker.gone:
		return true
	default:
		return false
	}
}

func (p *pool) release(s *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
	s.idle = time.Now()
	if s.unwanted && s.users == 0 {
		p.retire(s)
	}
}

// makeRoom ends idle workers while there are too many. The caller holds mu.
func (p *pool) makeRoom(but *slot) {
	for len(p.workers) > p.runner.cfg.Workers {
		var oldest *slot
		for _, s := range p.workers {
			if s != but && s.users == 0 && s.worker != nil && (oldest == nil || s.idle.Before(oldest.idle)) {
				oldest = s
			}
		}
		if oldest == nil {
			return
		}
		p.retire(oldest)
	}
}

// retire takes a worker out of the pool and ends it. The caller holds mu.
func (p *pool) retire(s *slot) {
	if p.workers[s.key] == s {
		delete(p.workers, s.key)
	}
	delete(p.leaving, s)
	if s.worker != nil {
		p.work.Go(func() { s.worker.stop(p.runner.cfg.Grace) })
	}
}

// reap ends workers that have been idle for long.
func (p *pool) reap() {
	tick := time.NewTicker(max(p.runner.cfg.Idle/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		for _, s := range p.workers {
			if s.users == 0 && s.worker != nil && time.Since(s.idle) >= p.runner.cfg.Idle {
				p.retire(s)
			}
		}
		p.mu.Unlock()
	}
}

// retireDeployment ends the workers of a deployment: those in use with their
// last user.
func (p *pool) retireDeployment(tenant, deployment string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.workers {
		if s.key.tenant != tenant || s.key.deployment != deployment {
			continue
		}
		if s.unwanted = true; s.users == 0 {
			p.retire(s)
			continue
		}
		delete(p.workers, s.key) // who comes now gets another one
		p.leaving[s] = struct{}{}
	}
}

// retireEnvironments ends the idle workers of environments, and tells whether
// none of theirs is in use.
func (p *pool) retireEnvironments(of func(environment string) bool) (free bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	free = true
	for _, s := range p.workers {
		if !of(s.key.environment) {
			continue
		}
		if s.users > 0 {
			free = false
		} else {
			p.retire(s)
		}
	}
	return free
}

// size is how many workers there are.
func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.workers) + len(p.leaving)
}

// close ends all workers and returns when they are gone.
func (p *pool) close() {
	select {
	case <-p.stop:
		return
	default:
	}
	close(p.stop)
	p.mu.Lock()
	slots := make([]*slot, 0, len(p.workers))
	for _, s := range p.workers {
		slots = append(slots, s)
	}
	for s := range p.leaving {
		slots = append(slots, s)
	}
	p.mu.Unlock()
	for _, s := range slots {
		<-s.starting
	}
	p.mu.Lock()
	for _, s := range slots {
		p.retire(s)
	}
	p.mu.Unlock()
	p.work.Wait()
	p.spawner.Close()
}
