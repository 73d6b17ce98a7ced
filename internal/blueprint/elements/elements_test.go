package elements

import (
	"strings"
	"testing"

	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// Every element of the table is complete: documented, with a form, and with
// each key once.
func TestTable(t *testing.T) {
	t.Parallel()
	var walk func(e *Element, path *Path)
	walk = func(e *Element, path *Path) {
		switch {
		case e.Doc == "" || !strings.HasSuffix(e.Doc, "."):
			t.Errorf("%s: documentation %q is no sentence", path, e.Doc)
		case len(e.Leaf) == 0 && len(e.Keys) == 0 && e.Of == nil && e.Items == nil:
			t.Errorf("%s has no form", path)
		case len(e.Keys) > 0 && e.Of != nil:
			t.Errorf("%s has fixed and free keys", path)
		}
		seen := map[string]bool{}
		for _, k := range e.Keys {
			if seen[k.Name] {
				t.Errorf("%s: %s is there twice", path, k.Name)
			}
			seen[k.Name] = true
			walk(k.Element, path.Down(k.Name))
		}
		if e.Of != nil {
			walk(e.Of, path.Down("*"))
		}
		if e.Items != nil {
			walk(e.Items, path.Down("[]"))
		}
	}
	root := Blueprint()
	walk(root, nil)
	walk(Head(), nil)
	if len(root.Keys) != 24 {
		t.Errorf("%d sections, want 24", len(root.Keys))
	}
}

// An element is refused by versions before its own, and only by those.
func TestGates(t *testing.T) {
	t.Parallel()
	n, _ := yaml.Load(&yaml.File{Name: "f", Text: []byte("resource_tags: {}\npolicies: null\nplugins: {p: {executor: x, install_arguments: y}}\n")})
	for minor, want := range []int{2, 1, 1, 0, 0, 0} {
		found := 0
		check := Check{
			Version: Version{1, minor}, Gates: true, Strict: true, Bad: map[*yaml.Node]bool{},
			Report: func(p *problem.Problem, _ *yaml.Node, _ *Path) {
				if *p.Code != 102 {
					t.Errorf("1_%d: %v", minor, p)
				}
				found++
			},
		}
		check.Element(n, nil, Blueprint(), nil)
		if found != want {
			t.Errorf("1_%d: %d refused, want %d", minor, found, want)
		}
	}
}

// Booleans pass as numbers, as they always have.
func TestAccepts(t *testing.T) {
	t.Parallel()
	nodes := map[string]*yaml.Node{}
	n, _ := yaml.Load(&yaml.File{Text: []byte("{text: a, int: 1, float: 1.5, bool: yes, list: [], dict: {}, time: 2001-01-01}")})
	for _, p := range n.Pairs {
		name, _ := p.Name()
		nodes[name] = p.Value
	}
	for accepted, want := range map[Type]string{
		String: "text", Int: "int bool", Number: "int float bool", Bool: "bool", List: "list", Dict: "dict",
	} {
		e := &Element{Leaf: []Type{accepted}}
		for name, node := range nodes {
			if got := e.Accepts(node); got != strings.Contains(" "+want+" ", " "+name+" ") {
				t.Errorf("%s accepts %s: %v", accepted, name, got)
			}
		}
	}
}
