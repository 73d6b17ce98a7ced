//go:build !race

package execution

const sparse = false
