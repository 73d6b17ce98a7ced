//go:build !race

package sqlstore

// checked: builds with the race detector check what is shared; see checked_race.go.
const checked = false
