package functions

import (
	"strconv"
	"strings"
)

// The names that stand for instances and nodes in arguments.
const (
	self   = "SELF"
	source = "SOURCE"
	target = "TARGET"
)

// The parts of a plan in which functions stand. They decide which of SELF,
// SOURCE and TARGET mean something.
const (
	inNode         = "node_template"
	inRelationship = "node_template_relationship"
	inOutputs      = "outputs"
	inPolicies     = "policies"
	inGroups       = "scaling_groups"
	inCapabilities = "capabilities"
	inLabels       = "labels"
	inSettings     = "deployment_settings"
)

// place is where a value stands.
type place struct {
	scope string // one of the above, "" if none
	path  *step
	depth int // values that enclose this one while it is evaluated

	// The nodes that SELF, SOURCE and TARGET mean, "" where they mean nothing
	// or, at run time, where the instances tell.
	node, source, target string
	relationship         string // type of the relationship

	run Scope // at run time: the instances
}

// step is one key or index of a path, linked to the steps before it, so that
// the text is only made when somebody wants to see it.
type step struct {
	before *step
	key    string
	index  int // when key is ""
}

func path(keys ...string) *step {
	var p *step
	for _, k := range keys {
		p = &step{before: p, key: k}
	}
	return p
}

func (s *step) String() string {
	var steps []*step
	for ; s != nil; s = s.before {
		steps = append(steps, s)
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		switch {
		case steps[i].key == "":
			b.WriteString("[" + strconv.Itoa(steps[i].index) + "]")
		case b.Len() > 0:
			b.WriteString("." + steps[i].key)
		default:
			b.WriteString(steps[i].key)
		}
	}
	return b.String()
}

func (p place) key(k string) place {
	p.path = &step{before: p.path, key: k}
	return p
}

func (p place) item(i int) place {
	p.path = &step{before: p.path, index: i}
	return p
}
