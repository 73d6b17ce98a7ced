package script

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
	"windlass/internal/operation/warden"
)

// keeper is what a runner knows of scripts that outlive their manager.
type keeper struct {
	command []string

	mu     sync.Mutex // guards what follows
	warden *warden.Client
	start  uint64 // the warden's start time
	// left are the scripts of dead managers that may be taken up, by task.
	left map[string]*leftover
	// taken are the run directories of those that were.
	taken map[string]bool
	// unsettled are the run directories whose outcome may not be stored yet.
	unsettled map[string]*runDir
}

// leftover is a script that a dead manager left.
type leftover struct {
	dir    *runDir
	record pidRecord
}

func newKeeper(command []string) *keeper {
	return &keeper{command: command, left: map[string]*leftover{}, taken: map[string]bool{}, unsettled: map[string]*runDir{}}
}

// client is the warden, started when it is needed first or was lost.
func (k *keeper) client() (*warden.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.warden != nil {
		select {
		case <-k.warden.Done():
		default:
			return k.warden, nil
		}
		_ = k.warden.Close() // it is gone already
	}
	c, err := warden.Start(k.command)
	if err != nil {
		return nil, err
	}
	p, _ := child.Stat(c.PID())
	k.warden, k.start = c, p.Start
	return c, nil
}

// ready starts the warden if there is none.
func (k *keeper) ready() error {
	if k == nil {
		return nil
	}
	_, err := k.client()
	return err
}

// identity names the warden such that a later manager can tell whether it lives.
func (k *keeper) identity() (pid int, start uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.warden == nil {
		return 0, 0
	}
	return k.warden.PID(), k.start
}

// closeKeeper lets the warden go. What is not settled by now has no manager that could
// take it up: the one that closes ran it, and ends in order.
func (r *Runner) closeKeeper() error {
	k := r.keeper
	k.mu.Lock()
	held := k.unsettled
	k.unsettled = map[string]*runDir{}
	k.mu.Unlock()
	for _, d := range held {
		r.discard(d)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.warden == nil {
		return nil
	}
	return k.warden.Close()
}

// take gives the script that was left of a task, if there is one, to whoever
// runs the task now.
func (k *keeper) take(taskID string) *leftover {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.left[taskID]
	if l != nil {
		delete(k.left, taskID)
		k.taken[l.dir.path] = true
	}
	return l
}

// isTaken tells whether a run directory of a dead manager has a new owner.
func (k *keeper) isTaken(path string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.taken[path]
}

// hold keeps the run directory of an attempt and returns that of an earlier one
// under the same name, whose outcome nobody can ask for any more.
func (k *keeper) hold(taskID string, d *runDir) (before *runDir) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before = k.unsettled[taskID]
	k.unsettled[taskID] = d
	return before
}

// Settled implements operation.Settler: the run directory goes.
func (r *Runner) Settled(taskID string) {
	if r.keeper == nil {
		return
	}
	r.keeper.mu.Lock()
	d := r.keeper.unsettled[taskID]
	delete(r.keeper.unsettled, taskID)
	r.keeper.mu.Unlock()
	if d != nil {
		r.discard(d)
	}
}

// Leave has scripts go on whose context ends from now on: the manager stops, and
// the next one takes them up. Without a warden it does nothing.
func (r *Runner) Leave() {
	if r.keeper != nil {
		r.leaving.Store(true)
	}
}

// leave is called when an attempt has ended: what it left is kept until its
// outcome is stored. The outcome of one that was stopped from outside is of no
// interest.
func (r *Runner) leave(ctx context.Context, taskID string, d *runDir) {
	if r.keeper == nil || ctx.Err() != nil {
		r.discard(d)
		return
	}
	if before := r.keeper.hold(taskID, d); before != nil {
		r.discard(before)
	}
}

func (r *Runner) discard(d *runDir) {
	if d.settle != nil {
		d.settle()
	}
	if !r.spare(d) {
		d.remove(r.cfg.Logger)
	}
	if r.keeper != nil {
		r.keeper.mu.Lock()
		delete(r.keeper.taken, d.path)
		r.keeper.mu.Unlock()
	}
}

// startKept starts a process that outlives the manager.
func (r *Runner) startKept(cmd command, dir *runDir, out *output) (*running, error) {
	c := exec.Command(cmd.argv[0], cmd.argv[1:]...) // it is not started: it resolves the path and the environment
	if c.Err != nil {
		return nil, startFailed(cmd, c.Err)
	}
	c.Env, c.Dir = cmd.env, cmd.dir
	order := warden.Process{
		Path: c.Path, Argv: c.Args, Env: c.Environ(), Dir: cmd.dir,
		Stdout: out.stdout.file.Name(), Stderr: out.stderr.file.Name(), Run: dir.path, Held: dir.held,
	}
	const tries = 2 // the warden may have been killed since it was looked at
	var p *warden.Running
	err := warden.ErrGone
	for i := 0; i < tries && errors.Is(err, warden.ErrGone); i++ {
		client, noWarden := r.keeper.client()
		if noWarden != nil {
			return r.startOwn(cmd, dir, out)
		}
		p, err = client.Launch(order)
	}
	if err != nil {
		return nil, startFailed(cmd, err)
	}
	dir.settle = p.Settle
	return &running{pid: p.PID, run: dir.path, done: p.Done, ending: func() (int, bool) {
		status, known := p.Status()
		return exitCode(status), known
	}}, nil
}

// errEndUnknown tells that nobody saw how a script ended that was taken up.
var errEndUnknown = errors.New("how the script ended is not known")

// goOn takes up a script that another manager has started: it waits for its end
// or learns how it has ended meanwhile. It gives errEndUnknown if neither can
// be, or if the script's hold has lapsed; then nothing of the script is left.
func (r *Runner) goOn(ctx context.Context, req *operation.Request, host operation.Host, in *inputs, l *leftover) (any, error) {
	h, held := l.hold(req.Lease)
	if !held || !r.find(ctx, l) {
		r.end(l)
		return nil, errEndUnknown
	}
	rec := l.record
	session := r.session(req, host, in, l.dir, rec.Directory)
	if err := l.dir.restoreSession(ctx, session); err != nil {
		r.end(l)
		return nil, err
	}
	_, end := r.proxy.OpenAs(context.WithoutCancel(ctx), rec.Token, session)
	defer end()
	out, err := r.output(l.dir, in.process, host)
	if err != nil {
		r.end(l)
		return nil, err
	}
	defer out.close()
	out.goOnFrom(l.dir.path)

	p := r.adopt(l)
	p.hold = h
	if hasEnded(p) {
		host.Log("info", fmt.Sprintf("Process %d has ended while the manager was away", rec.PID))
	} else {
		host.Log("info", fmt.Sprintf("Process %d still runs: the manager is back and waits for it", rec.PID))
	}
	limited := *req
	if req.Timeout > 0 {
		limited.Timeout = max(time.Millisecond, req.Timeout-time.Since(rec.Began))
	}
	cmd := command{text: rec.Command, dir: rec.Directory}
	ending, err := r.watch(ctx, &limited, host, cmd, p, out)
	if errors.Is(err, operation.ErrLeft) {
		return nil, err
	}
	if errors.Is(err, errEndUnknown) || errors.Is(err, operation.ErrLapsed) {
		end()
		r.end(l)
		return nil, err
	}
	if ending.timeout != "" {
		ending.timeout = timeoutText(req.Timeout)
	}
	end()
	var result any
	if err == nil {
		result, err = r.finish(ctx, host, session, ending, rec.Python, cmd, out)
	}
	r.leave(ctx, req.TaskID, l.dir)
	return result, err
}

// adopt waits for the end of a process that is a child of another's warden.
func (r *Runner) adopt(l *leftover) *running {
	done := make(chan struct{})
	var code int
	var known bool
	p := &running{pid: l.record.PID, run: l.dir.path, done: done, ending: func() (int, bool) { return code, known }}
	look := func() bool {
		// Whether the warden lives is asked first: it writes before it leaves.
		alive := isProcess(l.record.WardenPID, l.record.WardenStart)
		status, written := warden.Ending(l.dir.path)
		code, known = exitCode(status), written
		return written || !alive
	}
	if look() {
		close(done)
		return p
	}
	go func() { // owned by whoever waits for done; ends with the process or its warden
		defer close(done)
		const shortest, longest = 2 * time.Millisecond, 100 * time.Millisecond
		pause := shortest
		timer := time.NewTimer(pause)
		defer timer.Stop()
		for !look() {
			timer.Reset(pause)
			<-timer.C
			pause = min(2*pause, longest)
		}
	}()
	return p
}

// findWithin is how long a script may take to show up that its manager was just
// about to start when it died.
const findWithin = 2 * time.Second

// find makes sure that a script was started: that its process is known by its
// number, or that it has ended.
func (r *Runner) find(ctx context.Context, l *leftover) bool {
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.record.PID == 0 {
		if _, ended := warden.Ending(l.dir.path); ended {
			return true
		}
		for _, p := range child.Find(child.WantRun(l.dir.path)) {
			if p.Group == p.PID {
				l.record.PID, l.record.Start = p.PID, p.Start
				return true
			}
		}
		if time.Since(began) > findWithin {
			return false
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// isProcess tells whether the process that was given the number at that time lives.
func isProcess(pid int, start uint64) bool {
	p, ok := child.Stat(pid)
	return ok && p.Is(start) && !p.Dead
}

// end ends a script that was left and that nobody takes up.
func (r *Runner) end(l *leftover) {
	w := child.WantRun(l.dir.path)
	if r.stillRuns(l.record) {
		w.Groups[l.record.PID] = l.dir.path
	}
	if _, left, err := child.KillAll(context.Background(), w, r.cfg.Grace); err != nil || left[l.dir.path] > 0 {
		r.cfg.Logger.Error("processes of a script did not end by force", "pid", l.record.PID)
	}
	r.proxy.Forget(l.record.Token)
	r.discard(l.dir)
}

// mayBeTakenUp tells whether a later manager can learn how a script ends.
func (r *Runner) mayBeTakenUp(d *runDir, rec pidRecord) bool {
	if r.keeper == nil || rec.TaskID == "" || rec.Token == "" || rec.Boot != r.boot || rec.Held && !warden.IsHeld(d.path) {
		return false
	}
	alive := isProcess(rec.WardenPID, rec.WardenStart)
	_, written := warden.Ending(d.path)
	return written || alive
}

// addressFile keeps where contexts are served, for the scripts that know it.
func (r *Runner) addressFile() string { return filepath.Join(r.cfg.Root, "proxy.address") }

// listen serves contexts where the manager before did, if it can, and has the
// scripts that it left wait until they are taken up.
func (r *Runner) listen() (*ctxproxy.Server, error) {
	if r.keeper == nil {
		return ctxproxy.Listen(r.cfg.Logger)
	}
	var tokens []string
	entries, err := os.ReadDir(r.runsDir())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		d := &runDir{path: filepath.Join(r.runsDir(), e.Name())}
		if rec := d.record(); r.mayBeTakenUp(d, rec) {
			tokens = append(tokens, rec.Token)
		}
	}
	address, _ := os.ReadFile(r.addressFile()) // without one any will do
	server, err := ctxproxy.ListenAgain(string(address), tokens, r.cfg.Logger)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(r.addressFile(), []byte(server.Address()), 0o600); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return server, nil
}

// writeSession stores what the script said through its context, as a whole or
// not at all.
func (d *runDir) writeSession(state []byte) error {
	fresh := filepath.Join(d.path, sessionFile+".new")
	if err := os.WriteFile(fresh, state, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(d.path, sessionFile))
}

func (d *runDir) restoreSession(ctx context.Context, s *ctxproxy.Session) error {
	state, err := os.ReadFile(filepath.Join(d.path, sessionFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil // it said nothing
	}
	if err != nil {
		return fmt.Errorf("take up a script again: %w", err)
	}
	return s.Restore(ctx, state)
}

// noteOffsets stores how far the output was read before this time: what was read
// last may not be stored yet, and is better logged twice than not at all.
func (o *output) noteOffsets() {
	if o.offsets == "" {
		return
	}
	o.stdout.noted, o.stderr.noted = o.stdout.read, o.stderr.read
	var data [16]byte
	binary.LittleEndian.PutUint64(data[:8], uint64(o.stdout.read))
	binary.LittleEndian.PutUint64(data[8:], uint64(o.stderr.read))
	_ = os.WriteFile(o.offsets, data[:], 0o600) // without it lines come twice
}

// output follows what a process in a run directory writes.
func (r *Runner) output(d *runDir, p process, host operation.Host) (*output, error) {
	out, err := newOutput(d.path, p, r.cfg.Output, r.buffers, host)
	if err == nil && r.keeper != nil {
		out.offsets = filepath.Join(d.path, offsetFile)
	}
	return out, err
}

// goOnFrom goes on where a manager before stopped reading.
func (o *output) goOnFrom(dir string) {
	data, err := os.ReadFile(filepath.Join(dir, offsetFile))
	if err != nil || len(data) != 16 {
		return
	}
	o.stdout.read = int64(binary.LittleEndian.Uint64(data[:8]))
	o.stderr.read = int64(binary.LittleEndian.Uint64(data[8:])) // the same if they are merged
	o.stdout.noted, o.stderr.noted = o.stdout.read, o.stderr.read
}
