package script

import (
	"os/exec"
	"runtime"
	"sync"
)

// spawner starts all processes from one thread that lives as long as the
// runner. The system ends a script when the thread that started it dies
// (see childAttributes), and threads that serve goroutines may come and go.
type spawner struct {
	asks chan spawn
	once sync.Once
	done chan struct{}
}

type spawn struct {
	command *exec.Cmd
	reply   chan error
}

func newSpawner() *spawner {
	s := &spawner{asks: make(chan spawn), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for a := range s.asks {
		a.reply <- a.command.Start()
	}
}

// start starts the command. The spawner must not be closed.
func (s *spawner) start(c *exec.Cmd) error {
	reply := make(chan error, 1)
	s.asks <- spawn{c, reply}
	return <-reply
}

// close ends the thread. Nothing may be started any more; whatever still runs
// is ended by the system.
func (s *spawner) close() {
	s.once.Do(func() { close(s.asks) })
	<-s.done
}
