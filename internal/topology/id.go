package topology

import (
	"windlass/internal/blueprint/problem"
)

// IDSource gives the random end of an instance id: six of the characters a-z
// and 0-9. It may repeat itself; then it is asked again.
type IDSource func() string

// namesake is how many ids one node can have: 36 to the sixth.
const namesake = 36 * 36 * 36 * 36 * 36 * 36

// patience is how often in a row a source may give ids that are taken.
const patience = 10000

// idMaker gives ids that are not taken yet.
type idMaker struct {
	source IDSource
	taken  map[string]bool
	counts map[string]int // ids of each name
}

func newIDMaker(source IDSource, taken []string) *idMaker {
	m := &idMaker{source: source, taken: make(map[string]bool, len(taken)), counts: map[string]int{}}
	for _, id := range taken {
		m.taken[id] = true
	}
	return m
}

// reserve checks that so many more ids can be made for a name.
func (m *idMaker) reserve(name string, more int) error {
	m.counts[name] += more
	if m.counts[name] > namesake {
		return problem.New(problem.Runtime,
			"Failed generating node instance ids for node `%s` - total node instance number exceeds %d", name, namesake)
	}
	return nil
}

func (m *idMaker) next(name string) (string, error) {
	for range patience {
		if id := name + "_" + m.source(); !m.taken[id] {
			m.taken[id] = true
			return id, nil
		}
	}
	return "", problem.New(problem.Runtime, "Failed generating node instance ids for node `%s` - the last %d were all taken", name, patience)
}
