package script

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"windlass/internal/operation/warden"

	"windlass/internal/operation/child"
)

// spares are run directories that were used and are used again, with the files
// that every run has. File systems that remember what was removed of late (ext4
// passes over each inode freed in the last seconds, one by one) make new files
// the more slowly the more were removed; thousands of short scripts would spend
// most of their time there.
type spares struct {
	mu   sync.Mutex
	dirs []spareDir
}

// spareDir is one of them.
type spareDir struct {
	path string
	file string // the script that is still in it
}

// mostSpares bounds how many are kept: about as many as run at once.
const mostSpares = 64

func (r *Runner) sparesDir() string { return filepath.Join(r.cfg.Root, "spare") }

// takeSpare makes a used directory the run directory at path, if there is one,
// and tells which script is in it; that of the name if one has it.
func (r *Runner) takeSpare(path, script string) (file string, ok bool) {
	s := &r.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.dirs) > 0 {
		at := len(s.dirs) - 1
		for k := at; k >= 0; k-- {
			if s.dirs[k].file == script {
				at = k
				break
			}
		}
		spare := s.dirs[at]
		s.dirs = slices.Delete(s.dirs, at, at+1)
		if os.Rename(spare.path, path) == nil {
			return spare.file, true
		}
	}
	return "", false
}

// spare keeps a run directory of this runner to be used again. It is false,
// and the directory is to be removed, if there are enough, or if it may not be
// told that nothing the script left behind has to do with it.
func (r *Runner) spare(d *runDir) bool {
	if d.lived || d.token == "" || r.closed.Load() || filepath.Dir(d.path) != r.runsDir() || !d.output.free || !d.empty() {
		return false
	}
	s := &r.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirs) >= mostSpares {
		return false
	}
	spare := filepath.Join(r.sparesDir(), r.prefix+rand.Text()[:16])
	if os.Rename(d.path, spare) != nil {
		return false
	}
	s.dirs = append(s.dirs, spareDir{spare, d.file})
	return true
}

// empty empties the files in a run directory that every run has, and removes
// the others but for the script. It is false if that can't be done.
func (d *runDir) empty() bool {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return false
	}
	for _, e := range entries {
		path := filepath.Join(d.path, e.Name())
		switch e.Name() {
		case stdoutFile, stderrFile:
			if d.output.written {
				err = os.Truncate(path, 0)
			}
		case pidFile, warden.HoldFile:
			// Not to nothing: what is cut to nothing and written again is brought to
			// disk at once by some file systems. This reads as no record, or no hold, too.
			err = os.Truncate(path, 1)
		case d.file:
		default:
			err = os.RemoveAll(path)
		}
		if err != nil {
			return false
		}
	}
	return true
}

// clearSpares removes what this runner keeps to be used again.
func (r *Runner) clearSpares() {
	r.closed.Store(true)
	s := &r.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dirs {
		_ = os.RemoveAll(d.path) // what is left, the next runner removes
	}
	s.dirs = nil
}

// removeLeftSpares removes those of runners that are dead.
func (r *Runner) removeLeftSpares() error {
	entries, err := os.ReadDir(r.sparesDir())
	if err != nil {
		return err
	}
	for _, e := range slices.DeleteFunc(entries, func(e os.DirEntry) bool { return child.OwnerAlive(e.Name()) }) {
		if err := os.RemoveAll(filepath.Join(r.sparesDir(), e.Name())); err != nil {
			return err
		}
	}
	return nil
}
