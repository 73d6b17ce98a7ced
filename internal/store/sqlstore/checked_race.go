//go:build race

package sqlstore

// checked: each use of a shared document makes sure that nobody has changed it.
const checked = true
