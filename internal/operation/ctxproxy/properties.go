package ctxproxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// instanceState is an instance as the operation sees it: loaded when first
// looked at, changed locally, stored on demand. It is safe for concurrent use.
//
// What was changed is found by comparing with what was loaded, so changes of
// nested data are never missed. When somebody else has stored other top-level
// properties meanwhile, both sets of changes are kept; a property that both
// changed is a conflict, unless both set it to the same text or flag, or removed it.
type instanceState struct {
	host operation.Host
	id   string

	mu       sync.Mutex // guards what follows; held while the host is asked
	loaded   bool
	instance operation.Instance // RuntimeProperties are the local ones
	stored   map[string]string  // the loaded properties, each as JSON
}

// with calls f with the instance, which stays as it is until f returns.
func (s *instanceState) with(ctx context.Context, f func(i *operation.Instance) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	return f(&s.instance)
}

func (s *instanceState) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	i, err := s.host.Instance(ctx, s.id)
	if err != nil {
		return fmt.Errorf("read node instance %s: %w", s.id, err)
	}
	s.take(i)
	return nil
}

func (s *instanceState) take(i operation.Instance) {
	i.RuntimeProperties = value.CopyMap(i.RuntimeProperties)
	if i.RuntimeProperties == nil {
		i.RuntimeProperties = map[string]any{}
	}
	s.instance, s.stored, s.loaded = i, fingerprint(i.RuntimeProperties), true
}

func fingerprint(m map[string]any) map[string]string {
	f := make(map[string]string, len(m))
	for k, v := range m {
		f[k] = string(value.Encode(v))
	}
	return f
}

// change is what became of one property.
type change struct {
	removed bool
	json    string
}

// builds tells whether what the property became may have come of what it was: a
// count, or something that has parts. Of two such changes one is lost even if they
// look alike.
func (c change) builds() bool {
	return c.json != "" && strings.ContainsRune("-0123456789[{", rune(c.json[0]))
}

// changes tells what became of each property on the way from one state to another.
func changes(from, to map[string]string) map[string]change {
	c := map[string]change{}
	for k, v := range to {
		if old, ok := from[k]; !ok || old != v {
			c[k] = change{json: v}
		}
	}
	for k := range from {
		if _, ok := to[k]; !ok {
			c[k] = change{removed: true}
		}
	}
	return c
}

func (s *instanceState) dirty() bool {
	return s.loaded && len(changes(s.stored, fingerprint(s.instance.RuntimeProperties))) > 0
}

// refresh loads the instance again; local changes must be stored before, or are
// dropped by force.
func (s *instanceState) refresh(ctx context.Context, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !force && s.dirty() {
		return failf(nonRecoverable, "runtime_properties are dirty: refreshing now would destroy local changes")
	}
	s.loaded = false
	return s.load(ctx)
}

// save stores what was changed, if anything, and forgets what was loaded, so
// that the next look sees the newest state with functions evaluated.
func (s *instanceState) save(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty() {
		s.loaded = false
		return nil
	}
	// Each round that fails means that somebody else got through, so this ends
	// early in any real crowd; the bound is for a host that always refuses.
	const rounds = 100
	for range rounds {
		_, err := s.host.UpdateInstance(ctx, s.id, s.instance.Version, s.instance.RuntimeProperties)
		if err == nil {
			s.loaded = false
			return nil
		}
		if !errors.Is(err, operation.ErrConflict) {
			return fmt.Errorf("store runtime properties of %s: %w", s.id, err)
		}
		latest, err := s.host.Instance(ctx, s.id)
		if err != nil {
			return fmt.Errorf("read node instance %s again after a conflict: %w", s.id, err)
		}
		if err := s.rebase(latest); err != nil {
			return err
		}
	}
	return fmt.Errorf("store runtime properties of %s: %w", s.id, operation.ErrConflict)
}

// rebase puts the local changes on top of the latest stored state.
func (s *instanceState) rebase(latest operation.Instance) error {
	local := s.instance.RuntimeProperties
	mine := changes(s.stored, fingerprint(local))
	theirs := changes(s.stored, fingerprint(latest.RuntimeProperties))
	var both []string
	for _, k := range value.SortedKeys(mine) {
		if other, ok := theirs[k]; ok && (other != mine[k] || mine[k].builds()) {
			both = append(both, k)
		}
	}
	if len(both) > 0 {
		return failf(recoverable,
			"runtime properties of %s were changed by somebody else meanwhile: both changed %s", s.id, strings.Join(both, ", "))
	}
	s.take(latest)
	for k, c := range mine {
		if c.removed {
			delete(s.instance.RuntimeProperties, k)
		} else {
			s.instance.RuntimeProperties[k] = local[k]
		}
	}
	return nil
}

// runtimeProperties is the dictionary of them.
func (s *instanceState) runtimeProperties(modifiable bool) *dict {
	view := func(ctx context.Context, f func(map[string]any) error) error {
		return s.with(ctx, func(i *operation.Instance) error { return f(i.RuntimeProperties) })
	}
	if modifiable {
		return &dict{view: view, edit: view}
	}
	return &dict{view: view, edit: func(context.Context, func(map[string]any) error) error { return notModifiable() }}
}

func notModifiable() error {
	return failf(nonRecoverable, "Cannot modify runtime properties of relationship node instances")
}
