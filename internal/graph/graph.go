package graph

import (
	"fmt"
	"slices"
)

// IDs makes task ids.
type IDs interface{ Next() string }

// Graph holds tasks and what they wait for. It is built by one goroutine and
// then run once.
type Graph struct {
	ids   IDs
	nodes map[string]*node
	order []*node // by creation; removed ones are nil
	count int
	next  int // position of the next task
}

type node struct {
	task       *Task
	waits      map[*node]struct{} // open dependencies
	dependants map[*node]struct{}
	members    map[*node]struct{} // of a subgraph: those not ended yet
	blocked    bool               // something it depends on failed for good
	removed    bool
	queued     bool // a slot was asked for, or its time is awaited
	running    bool
	index      int
}

// New makes an empty graph.
func New(ids IDs) *Graph { return &Graph{ids: ids, nodes: map[string]*node{}} }

// Add inserts a task and gives it an id if it has none.
func (g *Graph) Add(t *Task) *Task {
	if t.ID == "" {
		t.ID = g.ids.Next()
	}
	if t.State == "" {
		t.State = Pending
	}
	t.Position = g.next
	g.next++
	n := &node{
		task: t, waits: map[*node]struct{}{}, dependants: map[*node]struct{}{}, index: len(g.order),
	}
	if t.Kind == Subgraph {
		n.members = map[*node]struct{}{}
	}
	g.nodes[t.ID] = n
	g.order = append(g.order, n)
	g.count++
	return t
}

// AddTo inserts a task into a subgraph: it waits for the subgraph to start, and
// the subgraph ends when all its members have ended. A nil subgraph is the
// graph itself.
func (g *Graph) AddTo(subgraph, t *Task) *Task {
	if subgraph == nil {
		return g.Add(t)
	}
	t.Container = subgraph.ID
	g.Add(t)
	s, n := g.nodes[subgraph.ID], g.nodes[t.ID]
	s.members[n] = struct{}{}
	link(n, s)
	return t
}

// AddSubgraph inserts an empty subgraph.
func (g *Graph) AddSubgraph(parent *Task, name string, retries int) *Task {
	return g.AddTo(parent, &Task{Kind: Subgraph, Name: name, Info: name, TotalRetries: retries, SendEvents: true})
}

// Depend makes source wait for target. A task never waits for itself.
func (g *Graph) Depend(source, target *Task) error {
	s, d := g.nodes[source.ID], g.nodes[target.ID]
	if s == nil {
		return fmt.Errorf("src not in graph: %s", source.ID)
	}
	if d == nil {
		return fmt.Errorf("dst not in graph: %s", target.ID)
	}
	if s != d {
		link(s, d)
	}
	return nil
}

func link(source, target *node) {
	source.waits[target] = struct{}{}
	target.dependants[source] = struct{}{}
}

func unlink(source, target *node) {
	delete(source.waits, target)
	delete(target.dependants, source)
}

// Get returns the task, or nil.
func (g *Graph) Get(id string) *Task {
	if n := g.nodes[id]; n != nil {
		return n.task
	}
	return nil
}

// Len is the number of tasks.
func (g *Graph) Len() int { return g.count }

// Tasks lists the tasks by creation.
func (g *Graph) Tasks() []*Task {
	list := make([]*Task, 0, g.count)
	for _, n := range g.order {
		if n != nil && !n.removed {
			list = append(list, n.task)
		}
	}
	return list
}

// Dependencies lists the ids that the task waits for, by creation.
func (g *Graph) Dependencies(id string) []string {
	n := g.nodes[id]
	if n == nil {
		return nil
	}
	return sortedIDs(n.waits)
}

func sortedNodes(set map[*node]struct{}) []*node {
	list := make([]*node, 0, len(set))
	for n := range set {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *node) int { return a.index - b.index })
	return list
}

func sortedIDs(set map[*node]struct{}) []string {
	list := sortedNodes(set)
	ids := make([]string, len(list))
	for i, n := range list {
		ids[i] = n.task.ID
	}
	return ids
}

// Remove takes a task out, with all members if it is a subgraph. What waited
// for it waits no more.
func (g *Graph) Remove(t *Task) {
	if n := g.nodes[t.ID]; n != nil {
		g.remove(n)
	}
}

func (g *Graph) remove(n *node) {
	for _, m := range sortedNodes(n.members) {
		g.remove(m)
	}
	for d := range n.dependants {
		unlink(d, n)
	}
	for w := range n.waits {
		unlink(n, w)
	}
	if c := g.nodes[n.task.Container]; c != nil {
		delete(c.members, n)
	}
	delete(g.nodes, n.task.ID)
	n.removed = true
	g.order[n.index] = nil
	g.count--
}

// Members lists the tasks of a subgraph that have not ended, by creation.
func (g *Graph) Members(subgraph *Task) []*Task {
	n := g.nodes[subgraph.ID]
	if n == nil {
		return nil
	}
	var list []*Task
	for _, m := range sortedNodes(n.members) {
		list = append(list, m.task)
	}
	return list
}

// Optimize drops tasks that do nothing: NOPs without handlers, and subgraphs
// that are empty or hold only such. Their dependants inherit what they waited for.
func (g *Graph) Optimize() {
	for i := len(g.order) - 1; i >= 0; i-- {
		n := g.order[i]
		if n == nil || !n.idle() {
			continue
		}
		container := g.nodes[n.task.Container]
		for d := range n.dependants {
			for w := range n.waits {
				if w != container || d.task.Container == n.task.Container {
					link(d, w)
				}
			}
		}
		g.remove(n)
	}
}

func (n *node) idle() bool {
	t := n.task
	if t.OnSuccess != nil || t.OnFailure != nil && t.Kind != Subgraph {
		return false
	}
	return t.Kind == NOP || t.Kind == Subgraph && len(n.members) == 0
}

// Sequence adds tasks one after the other: every task of an item waits for
// every task of the item before.
type Sequence struct {
	graph    *Graph
	subgraph *Task
	last     []*Task
}

// NewSequence starts a sequence in a subgraph, or in the graph itself if nil.
func (g *Graph) NewSequence(subgraph *Task) *Sequence { return &Sequence{graph: g, subgraph: subgraph} }

// Add appends one item of tasks that run side by side. An empty item is
// skipped. Tasks already in the graph are not added again.
func (s *Sequence) Add(item ...*Task) {
	if len(item) == 0 {
		return
	}
	for _, t := range item {
		if t.ID == "" || s.graph.nodes[t.ID] == nil {
			s.graph.AddTo(s.subgraph, t)
		}
		for _, before := range s.last {
			link(s.graph.nodes[t.ID], s.graph.nodes[before.ID])
		}
	}
	s.last = item
}
