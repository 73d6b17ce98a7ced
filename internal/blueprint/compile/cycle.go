package compile

import (
	"strings"

	"windlass/internal/blueprint/problem"
)

// circle looks for a circle among names. next gives what a name depends on.
// It returns the circle as a path that ends where it starts, nil without one.
func circle(names []string, next func(name string) []string) []string {
	const (
		unseen = iota
		open
		done
	)
	state := make(map[string]int, len(names))
	type frame struct {
		name string
		rest []string
	}
	for _, start := range names {
		if state[start] != unseen {
			continue
		}
		stack := []frame{{start, next(start)}}
		state[start] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.rest) == 0 {
				state[top.name] = done
				stack = stack[:len(stack)-1]
				continue
			}
			n := top.rest[0]
			top.rest = top.rest[1:]
			switch state[n] {
			case open:
				var path []string
				for i := len(stack) - 1; ; i-- {
					path = append(path, stack[i].name)
					if stack[i].name == n {
						break
					}
				}
				// path runs backwards from the end of the circle to its start
				forward := make([]string, 0, len(path)+1)
				for i := len(path) - 1; i >= 0; i-- {
					forward = append(forward, path[i])
				}
				return append(forward, n)
			case unseen:
				state[n] = open
				stack = append(stack, frame{n, next(n)})
			}
		}
	}
	return nil
}

func circularProblem(names []string) *problem.Problem {
	details := make([]any, len(names))
	for i, n := range names {
		details[i] = n
	}
	return problem.Coded(problem.Logic, 100, "Parsing failed. Circular dependency detected: %s",
		strings.Join(names, " --> ")).With("circular_dependency", details)
}
