package imports

import "windlass/internal/blueprint/yaml"

// builtinEntries is the section of a merged document that says which of its
// entries are the built-in ones: they take no namespace.
const builtinEntries = "builtin_entries"

// Standalone prepares a merged document for being written: what is known of its
// entries beyond their values goes into a section of its own.
func Standalone(root *yaml.Node) *yaml.Node {
	marks := map[string]any{}
	for _, section := range root.Pairs {
		name, _ := section.Name()
		var names []any
		for _, e := range section.Value.Pairs {
			if entry, ok := e.Name(); ok && e.Value.Builtin {
				names = append(names, entry)
			}
		}
		if len(names) > 0 {
			marks[name] = names
		}
	}
	if len(marks) == 0 {
		return root
	}
	changed := *root
	changed.Pairs = append(append([]yaml.Pair{}, root.Pairs...),
		yaml.Pair{Key: yaml.Of(builtinEntries, root), Value: yaml.Of(marks, root)})
	return &changed
}

// restoreMarks reads that section back and takes it out of the document.
func restoreMarks(root *yaml.Node) *yaml.Node {
	marks := root.Get(builtinEntries)
	if marks == nil {
		return root
	}
	changed := *root
	changed.Pairs = nil
	for _, p := range root.Pairs {
		name, _ := p.Name()
		if name == builtinEntries {
			continue
		}
		if list := marks.Get(name); list != nil {
			for _, item := range list.Items {
				if entry, ok := item.Text(); ok {
					if n := p.Value.Get(entry); n != nil {
						n.Builtin = true
					}
				}
			}
		}
		changed.Pairs = append(changed.Pairs, p)
	}
	return &changed
}
