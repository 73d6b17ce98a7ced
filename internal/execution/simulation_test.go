package execution

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
	"windlass/internal/workflow"
)

// TestSimulation runs the service and its engine on a fake clock, with a store
// that fails, is slow, forgets to answer and dies, and operations that fail,
// hang, ignore kills, and end late. Somebody pauses, cancels and kills at odd
// times, the manager crashes, and the power fails: then of what was not
// acknowledged any part may be missing or garbled. Whatever happens:
//
//   - every execution ends, a cancelled one within bounds;
//   - what was acknowledged as stored stays;
//   - what was stored as done is not done again, nor twice at once;
//   - nothing starts before what it depends on has succeeded;
//   - counters agree with the tasks, and no slot stays taken.
//
// SIMULATION_SEED=n runs one seed, SOAK_SECONDS=n as many as fit. A seed gives
// the same graph, operations and faults; the order of goroutines is not its.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("SIMULATION_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SIMULATION_SEED: %v", err)
		}
		runSeed(t, seed)
		return
	}
	seeds := uint64(60)
	if testing.Short() || sparse {
		seeds = 12
	}
	end := time.Time{}
	if text := os.Getenv("SOAK_SECONDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("SOAK_SECONDS: %v", err)
		}
		end, seeds = time.Now().Add(time.Duration(n)*time.Second), 1<<62
	}
	first, sum := uint64(1), tallied{statuses: map[store.Status]int{}}
	if !end.IsZero() {
		first = uint64(time.Now().UnixNano())
	}
	for k := uint64(0); k < seeds && (end.IsZero() || time.Now().Before(end)); k++ {
		sum.add(runSeed(t, first+k))
		if t.Failed() {
			t.Fatalf("run it again with SIMULATION_SEED=%d", first+k)
		}
	}
	t.Logf("simulation: %d seeds, %d executions (%v), %d operations performed, %d crashes (%d with the power), %d faults of the store: nothing lost, doubled or stuck",
		sum.seeds, sum.executions, sum.statuses, sum.performed, sum.crashes, sum.cuts, sum.faults)
	t.Logf("totals: seeds=%d simulated_executions=%d crashes=%d power_cuts=%d store_faults=%d", // summed up by scripts/soak.sh
		sum.seeds, sum.executions, sum.crashes, sum.cuts, sum.faults)
}

// tallied is what simulations went through.
type tallied struct {
	seeds, executions, performed, crashes, cuts, faults int
	statuses                                            map[store.Status]int
}

func (s *tallied) add(one tallied) {
	s.seeds++
	s.executions += one.executions
	s.performed += one.performed
	s.crashes += one.crashes
	s.cuts += one.cuts
	s.faults += one.faults
	for status, n := range one.statuses {
		s.statuses[status] += n
	}
}

func runSeed(t *testing.T, seed uint64) (sum tallied) {
	t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
		file := storetest.SQLiteFile(t, filepath.Join(inMemory(t), "sim.db"))
		synctest.Test(t, func(t *testing.T) { sum = newWorld(t, seed, file).live() })
	})
	return sum
}

// inMemory is a directory whose files are never synced to a disk, where there is
// one: the simulation's crashes are its own.
func inMemory(t *testing.T) string {
	t.Helper()
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shared, "simulation")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// world is one simulation.
type world struct {
	t      *testing.T
	seed   uint64
	file   string       // of the database
	store  store.Store  // it
	synced atomic.Int64 // how much of its log the acknowledged writes take
	sum    tallied

	mu    sync.Mutex
	kept  map[string]string    // acknowledged end states of tasks
	done  map[string]bool      // "execution name": it succeeded
	tries map[string]int       // attempts, by the same
	busy  map[string]int       // lives in which a task is being performed
	needs map[string][]string  // dependencies by "execution name"
	life  int                  // of the manager
	odd   []string             // what must not happen
	cut   map[string]time.Time // when a cancel was asked for, by execution
}

func newWorld(t *testing.T, seed uint64, file string) *world {
	w := &world{
		t: t, seed: seed, sum: tallied{statuses: map[store.Status]int{}}, kept: map[string]string{}, done: map[string]bool{},
		tries: map[string]int{}, busy: map[string]int{}, needs: map[string][]string{}, cut: map[string]time.Time{},
	}
	w.open(file)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) open(file string) {
	w.t.Helper()
	st, err := sqlite.Open(w.t.Context(), file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.file, w.store = file, st
	w.noteSynced()
}

// noteSynced is called when all that was written so far is acknowledged. The log
// only grows: what a simulation writes is too little to be taken over from it.
func (w *world) noteSynced() {
	info, err := os.Stat(w.file + "-wal")
	if err != nil {
		w.wrong("the database's log: %v", err)
		return
	}
	for {
		known := w.synced.Load()
		if info.Size() <= known || w.synced.CompareAndSwap(known, info.Size()) {
			return
		}
	}
}

// powerCut leaves the database as it may be after the power failed: of what the
// log has beyond the last acknowledged write any part is missing or garbled. No
// manager may run.
func (w *world) powerCut(dice *rand.Rand) {
	w.t.Helper()
	data, err := os.ReadFile(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	log, err := os.ReadFile(w.file + "-wal")
	if err != nil {
		w.t.Fatal(err)
	}
	synced := min(int(w.synced.Load()), len(log))
	if tail := len(log) - synced; tail > 0 {
		log = log[:synced+dice.IntN(tail+1)]
		for tail = len(log) - synced; tail > 0 && dice.IntN(3) > 0; {
			log[synced+dice.IntN(tail)] ^= byte(1 + dice.IntN(255))
		}
	}
	file := fmt.Sprintf("%s.%d", w.file, w.life)
	if err := errors.Join(os.WriteFile(file, data, 0o600), os.WriteFile(file+"-wal", log, 0o600), w.store.Close()); err != nil {
		w.t.Fatal(err)
	}
	w.synced.Store(0)
	w.open(file)
	w.sum.cuts++
}

// front is what people talk to; it lives as long as the database's file.
func (w *world) front() *Service {
	f := &faultyStore{Store: w.store, w: w, dice: w.dice("front")}
	f.calm.Store(true)
	return newService(w.t, Config{Store: f, Workflows: w.find, Timing: Timing{Poll: time.Minute}})
}

// dice are random numbers that depend on nothing but the seed and the subject.
func (w *world) dice(subject string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(subject)) //nolint:errcheck // a hash never fails
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

func (w *world) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.odd = append(w.odd, fmt.Sprintf(format, args...))
}

// manager is one life of the manager.
type manager struct {
	service *Service
	faults  *faultyStore
	stop    context.CancelFunc
	ended   chan struct{}
}

func (w *world) start() *manager {
	w.mu.Lock()
	w.life++
	life := w.life
	w.mu.Unlock()
	f := &faultyStore{Store: w.store, w: w, dice: w.dice(fmt.Sprint("store ", life))}
	s := newService(w.t, Config{
		Store: f, Alone: true, Runners: map[string]operation.Runner{"": w}, Workflows: w.find, Limits: Limits{Operations: 4},
		Timing: Timing{Lease: 15 * time.Second, KillGrace: 10 * time.Second, Poll: 20 * time.Second},
	})
	ctx, cancel := context.WithCancel(context.Background())
	m := &manager{service: s, faults: f, stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil { // a start that fails for the store's sake is tried again
			if err := s.Run(ctx); err != nil {
				time.Sleep(time.Second)
			}
		}
	}()
	return m
}

// crash ends the manager: what it writes in its last moment nobody hears of, and
// then it stores nothing any more.
func (m *manager) crash(last time.Duration) {
	m.faults.dying.Store(true)
	time.Sleep(last)
	m.faults.dead.Store(true)
	m.end()
}

func (m *manager) end() {
	for _, r := range m.service.runs() {
		if m.faults.dead.Load() {
			r.stop(errLost)
		}
	}
	m.stop()
	<-m.ended
}

func (w *world) live() tallied {
	const executions = 2
	dice := w.dice("life")
	var ids []string
	for k := range executions {
		addDeployment(w.t, w.store, fmt.Sprintf("d%d", k), nil)
	}
	w.noteSynced()
	front := w.front()
	m := w.start()
	for k := range executions {
		ids = append(ids, install(w.t, front, fmt.Sprintf("d%d", k), nil).ID)
	}
	for range dice.IntN(6) {
		time.Sleep(time.Duration(dice.IntN(40_000)) * time.Millisecond)
		id := ids[dice.IntN(len(ids))]
		switch dice.IntN(8) {
		case 0, 1, 2:
			m.crash(time.Duration(dice.IntN(3000)) * time.Millisecond)
			w.sum.crashes++
			if dice.IntN(2) == 0 {
				w.powerCut(dice)
				front = w.front()
			}
			time.Sleep(time.Duration(dice.IntN(20_000)) * time.Millisecond)
			m = w.start()
		case 3:
			w.ask(front.Pause(w.t.Context(), "", id))
		case 4:
			w.cancel(front, id, Cancel)
		case 5:
			w.cancel(front, id, []Action{ForceCancel, Kill}[dice.IntN(2)])
		default:
			w.ask(front.Continue(w.t.Context(), "", id))
		}
	}
	for _, id := range ids {
		w.ask(front.Continue(w.t.Context(), "", id))
	}
	m.faults.calm.Store(true)
	for _, id := range ids {
		ctx, cancel := context.WithTimeout(w.t.Context(), 6*time.Hour)
		e, err := front.Wait(ctx, id)
		cancel()
		if err != nil {
			why, _ := m.service.Why(w.t.Context(), "", id)
			w.wrong("execution %s is still %s: %v; %+v", id, e.Status, err, why)
			continue
		}
		w.judge(e)
	}
	time.Sleep(5 * time.Minute) // until the last operation has come back
	if n := m.service.slots.inUse(); n != 0 {
		w.wrong("%d slots are taken at the end", n)
	}
	if n := len(m.service.runs()); n != 0 {
		w.wrong("%d runs are left at the end", n)
	}
	m.end()
	slices.Sort(w.odd)
	for _, text := range slices.Compact(w.odd) {
		w.t.Error(text)
	}
	return w.sum
}

// ask takes refusals: the execution may have ended.
func (w *world) ask(_ store.Execution, err error) {
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		w.t.Error(err)
	}
}

func (w *world) cancel(front *Service, id string, how Action) {
	_, err := front.Cancel(w.t.Context(), "", id, how)
	w.ask(store.Execution{}, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, before := w.cut[id]; err == nil && !before {
		w.cut[id] = time.Now()
	}
}

// cancelBound is how long a cancel may take in all: the grace of what runs and
// of what ignores a kill, up to six crashes with breaks, and a slow store.
const cancelBound = 6 * time.Minute

// judge looks at an execution that has ended.
func (w *world) judge(e store.Execution) {
	w.sum.executions++
	w.sum.statuses[e.Status]++
	w.mu.Lock()
	asked, cut := w.cut[e.ID]
	w.mu.Unlock()
	if took := e.EndedAt.Sub(asked); cut && took > cancelBound {
		w.wrong("execution %s ended %s after its cancel", e.ID, took)
	}
	if e.Status == store.Failed && (e.Error == nil || !strings.Contains(*e.Error, "it broke") && !strings.Contains(*e.Error, "not yet")) {
		w.wrong("execution %s failed without a reason of its own: %v", e.ID, *e.Error)
	}
	ops, err := w.store.ListOperations(w.t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{e.ID}}}})
	if err != nil {
		w.t.Error(err)
		return
	}
	total, finished := 0, 0
	for _, op := range ops.Items {
		if op.Type == string(graph.NOP) {
			continue
		}
		total++
		if graph.State(op.State).Ended() {
			finished++
		} else if e.Status == store.Terminated {
			w.wrong("execution %s is completed, but %s is %s", e.ID, op.Name, op.State)
		}
		w.mu.Lock()
		kept := w.kept[op.ID]
		w.mu.Unlock()
		if kept != "" && kept != op.State {
			w.wrong("%s of execution %s was stored as %s and is %s", op.Name, e.ID, kept, op.State)
		}
	}
	if e.TotalOperations != total || e.FinishedOperations != finished {
		w.wrong("execution %s counts %d of %d operations, its tasks %d of %d", e.ID, e.FinishedOperations, e.TotalOperations, finished, total)
	}
}

// find gives the workflow of a seed: a graph of operations with subgraphs, a
// decision, and a second graph.
func (w *world) find(string, string) (workflow.Func, bool) {
	return func(ctx context.Context, h workflow.Host, _ map[string]any) error {
		d, err := h.Deployment(ctx)
		if err != nil {
			return err
		}
		build := func(name string) func(graph.IDs) (*graph.Graph, error) {
			return func(ids graph.IDs) (*graph.Graph, error) { return w.build(ids, d, name) }
		}
		if err := h.Execute(ctx, "first", nil, build("first")); err != nil {
			return err
		}
		chosen, err := h.Once(ctx, "choice", func() (any, error) { return time.Now().UnixNano(), nil })
		if err != nil {
			return err
		}
		again, err := h.Once(ctx, "choice", func() (any, error) { return "another", nil })
		if err != nil {
			return err
		}
		if chosen != again {
			w.wrong("a decision changed from %v to %v", chosen, again)
		}
		return h.Execute(ctx, "second", nil, build("second"))
	}, true
}

func (w *world) build(ids graph.IDs, d *workflow.Deployment, name string) (*graph.Graph, error) {
	dice := w.dice(d.ID + name)
	g := graph.New(ids)
	var tasks, subgraphs []*graph.Task
	for k := range 3 + dice.IntN(8) {
		var in *graph.Task
		if len(subgraphs) > 0 && dice.IntN(2) == 0 {
			in = subgraphs[dice.IntN(len(subgraphs))]
		} else if dice.IntN(3) == 0 {
			in = g.AddSubgraph(nil, fmt.Sprintf("%s-s%d", name, k), 0)
			subgraphs = append(subgraphs, in)
		}
		t := g.AddTo(in, &graph.Task{
			Kind: graph.Operation, Name: fmt.Sprintf("%s-%d", name, k), SendEvents: true, TotalRetries: 6, RetryInterval: 2 * time.Second,
			Payload: &workflow.OperationPayload{
				Operation: "cloudify.interfaces.lifecycle.create", Plugin: "script", Implementation: fmt.Sprintf("%s-%d", name, k),
				InstanceID: d.Instances[0].ID, NodeID: d.Instances[0].NodeID,
			},
		})
		key := d.ExecutionID + " " + t.Name
		var needs []string
		for _, before := range tasks {
			if dice.IntN(4) != 0 {
				continue
			}
			if err := g.Depend(t, before); err != nil {
				return nil, err
			}
			needs = append(needs, d.ExecutionID+" "+before.Name)
		}
		w.mu.Lock()
		w.needs[key] = needs
		w.mu.Unlock()
		tasks = append(tasks, t)
	}
	return g, nil
}

// Run performs an operation: it does what the dice say.
func (w *world) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	key := req.ExecutionID + " " + req.Implementation
	w.mu.Lock()
	life := w.life
	w.sum.performed++
	w.tries[key]++
	try := w.tries[key]
	if state := w.kept[req.TaskID]; state != "" {
		w.odd = append(w.odd, fmt.Sprintf("%s is performed though it is stored as %s", key, state))
	}
	if w.busy[req.TaskID] == life {
		w.odd = append(w.odd, key+" is performed twice at once")
	}
	w.busy[req.TaskID] = life
	for _, before := range w.needs[key] {
		if !w.done[before] {
			w.odd = append(w.odd, key+" began before "+before+" had succeeded")
		}
	}
	w.mu.Unlock()
	result, err := w.perform(ctx, w.dice(fmt.Sprint(key[37:], " ", req.DeploymentID, " ", try)), host)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[req.TaskID] == life {
		delete(w.busy, req.TaskID)
	}
	if err == nil {
		w.done[key] = true
	}
	return result, err
}

func (w *world) perform(ctx context.Context, dice *rand.Rand, host operation.Host) (any, error) {
	if dice.IntN(10) > 0 {
		for range 1 + dice.IntN(2) { // now and then it tells twice that it has begun
			if err := host.Started(ctx); err != nil {
				return nil, err
			}
		}
	}
	host.Log("info", "working")
	pause := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	short, long := time.Duration(dice.IntN(3000))*time.Millisecond, time.Duration(dice.IntN(120))*time.Second
	switch dice.IntN(24) {
	case 0, 1, 2: // fails, and will be tried again
		pause(short)
		return nil, errors.New("it broke")
	case 3:
		return nil, &operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: "not yet", RetryAfter: &short}
	case 4: // takes its time
		if !pause(long) {
			return nil, ctx.Err()
		}
	case 5: // hears nothing
		time.Sleep(long)
	case 6: // ends well, but late
		pause(long)
		time.Sleep(short)
	case 7:
		if dice.IntN(4) == 0 {
			return nil, &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "it broke"}
		}
	case 8, 9, 10: // takes no time at all
	default:
		if !pause(short) {
			return nil, ctx.Err()
		}
	}
	return "done", nil
}

// faultyStore is a store with accidents.
type faultyStore struct {
	store.Store
	w     *world
	dying atomic.Bool // what is written is not acknowledged any more
	dead  atomic.Bool // the process is gone: nothing is written and nobody hears of it
	calm  atomic.Bool // no accidents any more

	mu   sync.Mutex
	dice *rand.Rand // guarded by mu
}

var (
	errDead  = errors.New("the process is gone")
	errDisk  = errors.New("the disk is in trouble")
	errNoAck = errors.New("the connection broke after the commit")
)

func (f *faultyStore) WriteLocked(ctx context.Context, _ string, fn func(store.Tx) error) error {
	return f.Write(ctx, fn)
}

// reachable tells, of a read, whether the database can be reached.
func (f *faultyStore) reachable() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calm.Load() || f.dice.IntN(40) > 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, errDisk)
}

func (f *faultyStore) GetGraph(ctx context.Context, execution, name string) (store.Graph, error) {
	if err := f.reachable(); err != nil {
		return store.Graph{}, err
	}
	return f.Store.GetGraph(ctx, execution, name)
}

func (f *faultyStore) GetDeployment(ctx context.Context, tenant, id string) (store.Deployment, error) {
	if err := f.reachable(); err != nil {
		return store.Deployment{}, err
	}
	return f.Store.GetDeployment(ctx, tenant, id)
}

func (f *faultyStore) ListOperations(ctx context.Context, q store.Query) (store.Page[store.Operation], error) {
	if err := f.reachable(); err != nil {
		return store.Page[store.Operation]{}, err
	}
	return f.Store.ListOperations(ctx, q)
}

func (f *faultyStore) GetNode(ctx context.Context, tenant, deployment, id string) (store.Node, error) {
	if err := f.reachable(); err != nil {
		return store.Node{}, err
	}
	return f.Store.GetNode(ctx, tenant, deployment, id)
}

func (f *faultyStore) Write(ctx context.Context, fn func(store.Tx) error) error {
	f.mu.Lock()
	fate, delay := f.dice.IntN(40), time.Duration(f.dice.IntN(2000))*time.Millisecond
	f.mu.Unlock()
	if f.calm.Load() {
		fate = 39
	}
	if fate < 3 {
		f.w.mu.Lock()
		f.w.sum.faults++
		f.w.mu.Unlock()
	}
	switch {
	case f.dead.Load():
		return errDead
	case fate == 0:
		return errDisk
	case fate == 2:
		time.Sleep(delay)
	}
	if f.dead.Load() { // it died while the write waited: the write is lost
		return errDead
	}
	var ended map[string]string
	err := f.Store.Write(ctx, func(tx store.Tx) error {
		ended = map[string]string{}
		return fn(&notingTx{tx, ended})
	})
	switch {
	case f.dead.Load(), f.dying.Load():
		return errDead // kept or not, nobody was told
	case err == nil && fate == 1:
		return errNoAck
	case err == nil:
		f.w.noteSynced()
		f.w.mu.Lock()
		for id, state := range ended {
			f.w.kept[id] = state
		}
		f.w.mu.Unlock()
	}
	return err
}

// notingTx notes which tasks a transaction ends.
type notingTx struct {
	store.Tx
	ended map[string]string
}

func (n *notingTx) Journal(ctx context.Context, fence store.Fence, b store.JournalBatch) error {
	for _, c := range b.Changed {
		if graph.State(c.State).Ended() {
			n.ended[c.ID] = c.State
		}
	}
	return n.Tx.Journal(ctx, fence, b)
}
