// Package operationtest has an operation.Host in memory for the tests of
// runners.
package operationtest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// Host is an operation.Host that keeps everything in memory. Its fields may be
// set before use; afterwards only its methods may be used.
type Host struct {
	Nodes     map[string]operation.Node // by node id
	Resources map[string]string         // by path
	// BeforeUpdate, if set, is called before each UpdateInstance, without a
	// lock held.
	BeforeUpdate func(instanceID string)

	mu        sync.Mutex // guards what follows
	instances map[string]operation.Instance
	lines     []Line
	events    []string
	started   int
	updates   int
}

// Line is one log line.
type Line struct{ Level, Message string }

// NewHost returns a host with the instances.
func NewHost(instances ...operation.Instance) *Host {
	h := &Host{
		Nodes: map[string]operation.Node{}, Resources: map[string]string{}, instances: map[string]operation.Instance{},
	}
	for _, i := range instances {
		h.instances[i.ID] = i
		if _, ok := h.Nodes[i.NodeID]; !ok {
			h.Nodes[i.NodeID] = operation.Node{
				ID: i.NodeID, Type: "test.Node", TypeHierarchy: []string{"cloudify.nodes.Root", "test.Node"},
				Properties: map[string]any{}, NumberOfInstances: 1,
			}
		}
	}
	return h
}

// Started implements operation.Host.
func (h *Host) Started(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started++
	return ctx.Err()
}

// Node implements operation.Host.
func (h *Host) Node(ctx context.Context, s operation.Subject) (operation.Node, error) {
	n, ok := h.Nodes[s.NodeID]
	if !ok {
		return n, fmt.Errorf("no node %s", s.NodeID)
	}
	n.Properties = value.CopyMap(n.Properties)
	return n, ctx.Err()
}

// Instance implements operation.Host.
func (h *Host) Instance(ctx context.Context, id string) (operation.Instance, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, ok := h.instances[id]
	if !ok {
		return i, fmt.Errorf("no node instance %s", id)
	}
	i.RuntimeProperties = value.CopyMap(i.RuntimeProperties)
	return i, ctx.Err()
}

// UpdateInstance implements operation.Host.
func (h *Host) UpdateInstance(ctx context.Context, id string, version int, runtime map[string]any) (int, error) {
	if h.BeforeUpdate != nil {
		h.BeforeUpdate(id)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	i, ok := h.instances[id]
	if !ok {
		return 0, errors.New("no such instance")
	}
	if i.Version != version {
		return 0, operation.ErrConflict
	}
	h.updates++
	i.Version++
	i.RuntimeProperties = value.CopyMap(runtime)
	h.instances[id] = i
	return i.Version, nil
}

// Change stores runtime properties as another operation would.
func (h *Host) Change(id string, f func(runtime map[string]any)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.instances[id]
	i.RuntimeProperties = value.CopyMap(i.RuntimeProperties)
	if i.RuntimeProperties == nil {
		i.RuntimeProperties = map[string]any{}
	}
	f(i.RuntimeProperties)
	i.Version++
	h.instances[id] = i
}

// Resource implements operation.Host.
func (h *Host) Resource(ctx context.Context, name string) ([]byte, error) {
	data, ok := h.Resources[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, operation.ErrNoResource)
	}
	return []byte(data), ctx.Err()
}

// ResourceFiles lists what is below a directory.
func (h *Host) ResourceFiles(ctx context.Context, directory string) ([]string, error) {
	var files []string
	for _, name := range value.SortedKeys(h.Resources) {
		if rest, ok := strings.CutPrefix(path.Clean(name), path.Clean(directory)+"/"); ok {
			files = append(files, rest)
		}
	}
	if files == nil {
		return nil, operation.ErrNoResource
	}
	return files, ctx.Err()
}

// Log implements operation.Host.
func (h *Host) Log(level, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, Line{level, message})
}

// Event implements operation.Host.
func (h *Host) Event(message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, message)
}

// Runtime returns the stored runtime properties of an instance.
func (h *Host) Runtime(id string) map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return value.CopyMap(h.instances[id].RuntimeProperties)
}

// Lines returns the log so far.
func (h *Host) Lines() []Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Line(nil), h.lines...)
}

// Output returns the logged lines with the prefix, without it.
func (h *Host) Output(prefix string) []string {
	var out []string
	for _, l := range h.Lines() {
		if text, ok := strings.CutPrefix(l.Message, prefix); ok {
			out = append(out, text)
		}
	}
	return out
}

// Events returns the events so far.
func (h *Host) Events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.events...)
}

// Counts tells how often Started was called, and how many updates were stored.
func (h *Host) Counts() (started, updates int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.started, h.updates
}
