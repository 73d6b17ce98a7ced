package script

// processInfo is what is known of a process.
type processInfo struct {
	pid, group int
	start      uint64 // in clock ticks after boot; 0 where that cannot be known
	dead       bool   // has ended, but nobody took notice
	run        string // the run directory it belongs to, where that was asked for
}

// wanted tells which processes to find: those of the groups, and those with a
// run directory in their environment, whatever their group.
type wanted struct {
	groups map[int]string // the run directory of each group
	runs   map[string]bool
}

// marker begins the environment variable by which the processes of a run are
// known; its value is the run directory.
const marker = "WINDLASS_RUN_DIR="
