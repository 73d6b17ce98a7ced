package compile

import (
	"cmp"
	"slices"
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// maxFindings bounds what one run reports: nobody reads more, and a generated
// blueprint can repeat one mistake ten thousand times.
const maxFindings = 500

// finding is a problem that was reported, and the file it is in.
type finding struct {
	problem *problem.Problem
	file    *yaml.File
	path    []string // of what the problem was noticed in
	order   int
}

// spot names an entry of a section.
type spot struct{ section, name string }

// seen tells the same problem again: an alias brings a mistake to two places.
type seen struct {
	file         *yaml.File
	line, column int
	message      string
}

// report takes a problem with the node at fault.
func (c *compiler) report(p *problem.Problem, at *yaml.Node, path *elements.Path) {
	f := finding{problem: p, path: path.Names(), order: len(c.found)}
	if c.user != nil && f.path[0] != "node_templates" {
		f.path = c.user.Names()
	}
	if len(f.path) > 1 && !p.Warning && (p.Code == nil || *p.Code != 102) {
		c.wrong[spot{f.path[0], f.path[1]}] = true
	}
	p.Place = at.Place()
	p.Place.Path = path.String()
	if at != nil {
		f.file = at.File
		id := seen{file: at.File, line: at.Line, column: at.Column, message: p.Message}
		if c.reported[id] {
			return
		}
		c.reported[id] = true
	}
	if len(c.found) < maxFindings {
		c.found = append(c.found, f)
	}
}

// Locate fills in where a problem is: the place of the node, the import chain
// and an excerpt.
func Locate(p *problem.Problem, at *yaml.Node, path string) *problem.Problem {
	p.Place = at.Place()
	p.Place.Path = path
	if at != nil {
		illustrate(p, at.File)
	}
	return p
}

func illustrate(p *problem.Problem, file *yaml.File) {
	if file == nil {
		return
	}
	p.Imports = file.Imports
	p.Excerpt = file.Excerpt(p.Place.Line, p.Place.Column)
}

// hint says which name was probably meant.
func hint(p *problem.Problem, word string, candidates []string) *problem.Problem {
	if text := nearest.Hint(word, candidates); text != "" {
		p.Hint = text
	}
	return p
}

// sorted gives what was found in the order of the sources: the main file, then
// what it imports, line by line. Only the problem that the original would give
// comes before all others.
func (c *compiler) sorted(leading func(found []finding) int) problem.List {
	leader := leading(c.found)
	if leader >= 0 {
		leader = c.found[leader].order
	}
	slices.SortStableFunc(c.found, func(a, b finding) int {
		x, y := a.problem.Place, b.problem.Place
		return cmp.Or(
			cmp.Compare(len(a.chain()), len(b.chain())),
			strings.Compare(x.File, y.File),
			cmp.Compare(x.Line, y.Line),
			cmp.Compare(x.Column, y.Column),
			cmp.Compare(a.order, b.order),
		)
	})
	if i := slices.IndexFunc(c.found, func(f finding) bool { return f.order == leader }); i > 0 {
		f := c.found[i]
		c.found = slices.Insert(slices.Delete(c.found, i, i+1), 0, f)
	}
	list := make(problem.List, len(c.found))
	for i, f := range c.found {
		illustrate(f.problem, f.file)
		list[i] = f.problem
	}
	return list
}

// firstFound is the index of the problem that was reported first.
func firstFound(found []finding) int {
	return slices.IndexFunc(found, func(f finding) bool { return !f.problem.Warning })
}

func (f finding) chain() []string {
	if f.file == nil {
		return nil
	}
	return f.file.Imports
}

func circular(p *problem.Problem) int {
	if p.Code != nil && *p.Code == 100 {
		return 1
	}
	return 0
}
