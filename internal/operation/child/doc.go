// Package child is what runners need to run operations in processes: run
// directories that name the process, output that goes to a file and is logged
// line by line, and an end that reaches all that a process has started, also
// after the manager has died.
package child
