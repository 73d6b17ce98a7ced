package child

import (
	"os/exec"
	"runtime"
	"sync"
)

// Spawner starts all processes of a runner from one thread that lives as long
// as that. The system ends a process when the thread that started it dies (see
// Attributes), and threads that serve goroutines may come and go.
type Spawner struct {
	asks chan spawn
	once sync.Once
	done chan struct{}
}

type spawn struct {
	command *exec.Cmd
	reply   chan error
}

// NewSpawner starts the thread.
func NewSpawner() *Spawner {
	s := &Spawner{asks: make(chan spawn), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *Spawner) run() {
	defer close(s.done)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for a := range s.asks {
		a.reply <- a.command.Start()
	}
}

// Start starts the command. The spawner must not be closed.
func (s *Spawner) Start(c *exec.Cmd) error {
	reply := make(chan error, 1)
	s.asks <- spawn{c, reply}
	return <-reply
}

// Close ends the thread, and with it what still runs. Nothing may be started any
// more. Closing again does nothing.
func (s *Spawner) Close() {
	s.once.Do(func() { close(s.asks) })
	<-s.done
}
