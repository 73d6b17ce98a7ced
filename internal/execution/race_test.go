//go:build race

package execution

// sparse tells that tests which go through many cases do with a part of them: with
// the race detector each takes many times as long. `make soak` goes through all.
const sparse = true
