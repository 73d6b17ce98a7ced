package sqlstore

import (
	"encoding/json"
	"reflect"
	"sync"
)

// Documents keeps what large documents say that were read of late, so that those
// which many records have alike, such as the workflows of deployments of one
// blueprint, are read once and held once. It is safe for concurrent use.
//
// What it gives belongs to all who read it: nobody may change it.
type Documents struct {
	mu       sync.Mutex
	now, old generation
}

// generation holds documents by their type and text.
type generation struct {
	of   map[reflect.Type]map[string]shared
	size int // bytes of their texts
}

// shared is a document that was read.
type shared struct {
	value any
	text  string // what it says, where that is checked
}

const (
	// leastShared is the size in bytes from which keeping a document pays.
	leastShared = 128
	// mostShared bounds a generation, of which there are two: what is not read again
	// while the one fills goes with the other.
	mostShared = 8 << 20
)

// get returns the document of that type and text, if it is held.
func (d *Documents) get(t reflect.Type, text []byte) (any, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.now.of[t][string(text)]
	if !ok {
		if s, ok = d.old.of[t][string(text)]; ok {
			d.put(t, text, s)
		}
	}
	if ok && checked && textOf(s.value) != s.text {
		panic("a shared document of type " + t.String() + " was changed by one who read it")
	}
	return s.value, ok
}

// add holds a document.
func (d *Documents) add(t reflect.Type, text []byte, value any) {
	s := shared{value: value}
	if checked {
		s.text = textOf(value)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(t, text, s)
}

// put needs mu.
func (d *Documents) put(t reflect.Type, text []byte, s shared) {
	if d.now.size+len(text) > mostShared {
		d.old, d.now = d.now, generation{}
	}
	if d.now.of == nil {
		d.now.of = map[reflect.Type]map[string]shared{}
	}
	if d.now.of[t] == nil {
		d.now.of[t] = map[string]shared{}
	}
	d.now.of[t][string(text)] = s
	d.now.size += len(text)
}

func textOf(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// sharedCell reads typed data into what target points to, which others may share.
type sharedCell[T any] struct {
	target    *T
	documents *Documents // nil: it is not shared
}

func jsonShared[T any](target *T) *sharedCell[T] { return &sharedCell[T]{target: target} }

func (c *sharedCell[T]) Scan(src any) error {
	*c.target = *new(T)
	data, err := document(src)
	if err != nil || data == nil {
		return err
	}
	if c.documents == nil || len(data) < leastShared || len(data) > mostShared {
		return json.Unmarshal(data, c.target)
	}
	t := reflect.TypeFor[T]()
	if held, ok := c.documents.get(t, data); ok {
		*c.target = held.(T)
		return nil
	}
	if err := json.Unmarshal(data, c.target); err != nil {
		return err
	}
	c.documents.add(t, data, *c.target)
	return nil
}

func (c *sharedCell[T]) shareBy(d *Documents) { c.documents = d }

// sharing lets the cells among the targets that can share what they read do so.
func sharing(c Conn, targets []any) []any {
	holder, ok := c.(cleaned)
	if !ok || holder.documents == nil {
		return targets
	}
	for _, t := range targets {
		if s, ok := t.(interface{ shareBy(*Documents) }); ok {
			s.shareBy(holder.documents)
		}
	}
	return targets
}
