package execution

import (
	ring "container/list"
	"context"
	"fmt"
	"sync"
)

// slots bounds how many operations run at once on the manager, for one
// deployment and for one execution. Executions that wait take turns, so that
// one with thousands of ready operations doesn't hold up the others.
type slots struct {
	mu           sync.Mutex
	limits       Limits                   // guarded by mu, as all below
	total        int                      // taken
	byDeployment map[string]int           // taken
	byExecution  map[string]int           // taken
	turns        *ring.List               // of *turn: executions with waiters, next one first
	waiting      map[string]*ring.Element // into turns, by execution
}

// turn is an execution's place in the round.
type turn struct {
	execution, deployment string
	waiters               *ring.List // of chan struct{}, closed when granted
}

func newSlots(l Limits) *slots {
	return &slots{
		limits: l, byDeployment: map[string]int{}, byExecution: map[string]int{},
		turns: ring.New(), waiting: map[string]*ring.Element{},
	}
}

// set changes the limits. What runs beyond smaller ones goes on.
func (s *slots) set(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l != s.limits {
		s.limits = l
		s.grant()
	}
}

func (s *slots) current() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits
}

// limit tells which limit keeps an operation from running; "" if none does.
func (s *slots) limit(execution, deployment string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := s.limits; {
	case s.total >= l.Operations:
		return fmt.Sprintf("this manager performs at most %d at once (%s)", l.Operations, OperationsSetting)
	case l.OperationsPerDeployment > 0 && s.byDeployment[deployment] >= l.OperationsPerDeployment:
		return fmt.Sprintf("at most %d for one deployment are performed at once (%s)", l.OperationsPerDeployment, DeploymentOperationsSetting)
	case l.OperationsPerExecution > 0 && s.byExecution[execution] >= l.OperationsPerExecution:
		return fmt.Sprintf("at most %d of one execution are performed at once (%s)", l.OperationsPerExecution, ExecutionOperationsSetting)
	}
	return ""
}

// acquire waits for a slot and returns the function that gives it back, which
// must be called once. It returns ctx's error if ctx ends first.
func (s *slots) acquire(ctx context.Context, execution, deployment string) (release func(), err error) {
	granted := make(chan struct{})
	s.mu.Lock()
	e, ok := s.waiting[execution]
	if !ok {
		e = s.turns.PushBack(&turn{execution: execution, deployment: deployment, waiters: ring.New()})
		s.waiting[execution] = e
	}
	t := e.Value.(*turn)
	me := t.waiters.PushBack(granted)
	s.grant()
	s.mu.Unlock()

	release = func() { s.release(execution, deployment) }
	select {
	case <-granted:
		return release, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	select {
	case <-granted: // at the same moment: give it to somebody else
		s.free(execution, deployment)
		s.grant()
	default:
		t.waiters.Remove(me)
		if t.waiters.Len() == 0 {
			s.turns.Remove(e)
			delete(s.waiting, execution)
		}
	}
	s.mu.Unlock()
	return nil, ctx.Err()
}

// take gives a slot if one is free and nobody waits.
func (s *slots) take(execution, deployment string) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns.Len() > 0 || s.total >= s.limits.Operations || !s.hasRoom(&turn{execution: execution, deployment: deployment}) {
		return nil, false
	}
	s.total++
	s.byDeployment[deployment]++
	s.byExecution[execution]++
	return func() { s.release(execution, deployment) }, true
}

func (s *slots) release(execution, deployment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(execution, deployment)
	s.grant()
}

// free needs mu.
func (s *slots) free(execution, deployment string) {
	s.total--
	if s.byDeployment[deployment]--; s.byDeployment[deployment] == 0 {
		delete(s.byDeployment, deployment)
	}
	if s.byExecution[execution]--; s.byExecution[execution] == 0 {
		delete(s.byExecution, execution)
	}
}

// grant gives free slots to waiters, one execution after the other. It needs mu.
func (s *slots) grant() {
	for e := s.turns.Front(); e != nil && s.total < s.limits.Operations; {
		t := e.Value.(*turn)
		if !s.hasRoom(t) {
			e = e.Next()
			continue
		}
		s.total++
		s.byDeployment[t.deployment]++
		s.byExecution[t.execution]++
		close(t.waiters.Remove(t.waiters.Front()).(chan struct{}))
		if t.waiters.Len() == 0 {
			s.turns.Remove(e)
			delete(s.waiting, t.execution)
		} else {
			s.turns.MoveToBack(e)
		}
		e = s.turns.Front()
	}
}

func (s *slots) hasRoom(t *turn) bool {
	return (s.limits.OperationsPerDeployment == 0 || s.byDeployment[t.deployment] < s.limits.OperationsPerDeployment) &&
		(s.limits.OperationsPerExecution == 0 || s.byExecution[t.execution] < s.limits.OperationsPerExecution)
}

// inUse returns how many slots are taken.
func (s *slots) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}
