package yaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"unicode/utf8"

	goyaml "go.yaml.in/yaml/v4"

	"windlass/internal/blueprint/problem"
)

// Bounds of what a document may expand to.
const (
	MaxBytes = 64 << 20  // text of one document
	MaxNodes = 4_000_000 // with every alias counted as what it stands for
	MaxDepth = 400
)

// Load reads one document. An empty one is nil without a problem.
//
// The list holds warnings (keys that stand twice; the last one counts) and, if
// the document cannot be used, the problems: code -1 of the kind Format for
// text that is not YAML, code 108 of the kind InputType for each text that is
// not ASCII. The node is nil in that case.
func Load(file *File) (*Node, problem.List) {
	if len(file.Text) > MaxBytes {
		return nil, problem.List{broken(file, 0, 0, "the document is longer than %d bytes", MaxBytes)}
	}
	root, p := parse(file)
	if p != nil {
		return nil, problem.List{p}
	}
	if root == nil {
		return nil, nil
	}
	l := loader{file: file, done: map[*goyaml.Node]*Node{}, open: map[*goyaml.Node]bool{},
		anchors: map[string]*goyaml.Node{}, common: map[string]any{}}
	n := l.node(root, 0)
	if l.problems.Err() != nil {
		return nil, l.problems
	}
	if n.size > MaxNodes {
		return nil, problem.List{broken(file, n.Line, n.Column,
			"the document's aliases expand to more than %d values", MaxNodes)}
	}
	if n.height > MaxDepth {
		return nil, problem.List{broken(file, n.Line, n.Column,
			"the document's aliases expand to values nested more than %d deep", MaxDepth)}
	}
	return n, l.problems
}

func broken(file *File, line, column int, format string, args ...any) *problem.Problem {
	return problem.Coded(problem.Format, -1, "Illegal yaml; "+format, args...).
		At(problem.Place{File: file.Name, Line: line, Column: column})
}

// parse gives the tree of the YAML library, or nil for an empty document.
func parse(file *File) (root *goyaml.Node, p *problem.Problem) {
	defer func() {
		// The library is young; a slip in it must not take a manager down.
		if r := recover(); r != nil {
			root, p = nil, broken(file, 0, 0, "%v", r)
		}
	}()
	text := newParted(withoutVersion(file.Text))
	for {
		root, err := document(text.text)
		switch {
		case err == nil:
			if root != nil {
				text.restore(root)
			}
			return root, nil
		case errors.Is(err, errSeveral):
			return nil, broken(file, root.Line, root.Column, "%v", err)
		case !text.mend(err):
			return nil, loadProblem(file, text, err)
		}
	}
}

var errSeveral = errors.New("expected a single document, but found another one")

// document gives the only document of a text, or nil if it is empty. With
// errSeveral comes the second one.
func document(text []byte) (*goyaml.Node, error) {
	loader, err := goyaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	root, next := &goyaml.Node{}, &goyaml.Node{}
	switch err := loader.Load(root); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := loader.Load(next); {
	case err == nil:
		return next, errSeveral
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if root.Kind == goyaml.DocumentNode {
		if len(root.Content) == 0 {
			return nil, nil
		}
		root = root.Content[0]
	}
	return root, nil
}

// withoutVersion turns a leading %YAML 1.x into a comment: the rules are the
// same for every 1.x, and the library refuses some of them.
func withoutVersion(text []byte) []byte {
	for start := 0; start < len(text); {
		line, _, _ := bytes.Cut(text[start:], []byte("\n"))
		switch {
		case bytes.HasPrefix(line, []byte("%YAML 1.")):
			text = bytes.Clone(text)
			text[start] = '#'
			return text
		case len(bytes.TrimSpace(line)) > 0 && line[0] != '#' && line[0] != '%':
			return text
		}
		start += len(line) + 1
	}
	return text
}

func loadProblem(file *File, text *parted, err error) *problem.Problem {
	var several *goyaml.LoadErrors
	var one *goyaml.LoadError
	switch {
	case errors.As(err, &several) && len(several.Errors) > 0:
		one = several.Errors[0]
	case !errors.As(err, &one):
		return broken(file, 0, 0, "%v", err)
	}
	p := broken(file, one.Mark.Line, text.column(one.Mark.Line, one.Mark.Column), "%s", one.Message)
	if one.ContextMsg != "" {
		p.Message += " " + one.ContextMsg
		if one.ContextMark.Line > 0 {
			p.Message += fmt.Sprintf(" that starts at line %d, column %d", one.ContextMark.Line,
				text.column(one.ContextMark.Line, one.ContextMark.Column))
		}
	}
	return p
}

type loader struct {
	file     *File
	problems problem.List
	done     map[*goyaml.Node]*Node // anchored nodes that are complete
	open     map[*goyaml.Node]bool  // anchored nodes being read: an alias to one is a circle
	anchors  map[string]*goyaml.Node
	failed   bool
	spare    []Node         // nodes are made many at a time
	common   map[string]any // what short plain texts mean: most come again and again
}

// Bounds of what is kept of plain texts.
const (
	maxCommon  = 64 // bytes
	maxCommons = 10_000
)

// make gives a new node at the place of y.
func (l *loader) make(y *goyaml.Node) *Node {
	if len(l.spare) == 0 {
		l.spare = make([]Node, 128)
	}
	n := &l.spare[0]
	l.spare = l.spare[1:]
	n.File, n.Line, n.Column, n.size = l.file, y.Line, y.Column, 1
	return n
}

func (l *loader) fail(at *goyaml.Node, format string, args ...any) {
	l.failed = true
	l.problems = append(l.problems, broken(l.file, at.Line, at.Column, format, args...))
}

// node never returns nil.
func (l *loader) node(y *goyaml.Node, depth int) *Node {
	n := l.make(y)
	if l.failed {
		return n
	}
	if depth > MaxDepth {
		l.fail(y, "values are nested more than %d deep", MaxDepth)
		return n
	}
	if y.Kind == goyaml.AliasNode {
		return l.alias(y, n, depth)
	}
	if known, ok := l.done[y]; ok { // read before its turn, for a merge key
		return known
	}
	if y.Anchor != "" {
		if l.open[y] {
			l.fail(y, "the anchor %s refers to itself", y.Anchor)
			return n
		}
		if first, twice := l.anchors[y.Anchor]; twice && first != y {
			l.fail(y, "found duplicate anchor %s; first occurrence in line %d", y.Anchor, first.Line)
			return n
		}
		l.anchors[y.Anchor] = y
		l.open[y] = true
		defer delete(l.open, y)
	}
	switch y.Kind {
	case goyaml.MappingNode:
		l.mapping(y, n, depth)
	case goyaml.SequenceNode:
		l.sequence(y, n, depth)
	default:
		l.scalar(y, n)
	}
	if y.Anchor != "" {
		l.done[y] = n
	}
	return n
}

func (l *loader) alias(y *goyaml.Node, n *Node, depth int) *Node {
	if y.Alias == nil {
		l.fail(y, "found undefined alias %s", y.Value)
		return n
	}
	if l.open[y.Alias] {
		l.fail(y, "the anchor %s refers to itself", y.Value)
		return n
	}
	if known, ok := l.done[y.Alias]; ok {
		return known
	}
	return l.node(y.Alias, depth)
}

func (l *loader) sequence(y *goyaml.Node, n *Node, depth int) {
	n.Kind = Sequence
	if tagged(y) && y.Tag != "!!seq" {
		l.collection(y, n, depth)
		return
	}
	n.Items = make([]*Node, 0, len(y.Content))
	for _, c := range y.Content {
		item := l.node(c, depth+1)
		n.Items = append(n.Items, item)
		n.grow(item)
	}
}

// collection reads the sequences with a meaning of their own: ordered maps and
// lists of pairs become lists of two-item lists.
func (l *loader) collection(y *goyaml.Node, n *Node, depth int) {
	if y.Tag != "!!omap" && y.Tag != "!!pairs" {
		l.fail(y, "could not determine a constructor for the tag %s", y.Tag)
		return
	}
	for _, c := range y.Content {
		if c.Kind != goyaml.MappingNode || len(c.Content) != 2 {
			l.fail(c, "expected a mapping of one entry")
			return
		}
		pair := &Node{Kind: Sequence, File: l.file, Line: c.Line, Column: c.Column, size: 1}
		pair.Items = []*Node{l.node(c.Content[0], depth+2), l.node(c.Content[1], depth+2)}
		pair.grow(pair.Items[0])
		pair.grow(pair.Items[1])
		n.Items = append(n.Items, pair)
		n.grow(pair)
	}
}

func (n *Node) grow(child *Node) {
	if n.size <= MaxNodes {
		n.size += child.size
	}
	if n.height <= MaxDepth {
		n.height = max(n.height, child.height+1)
	}
}

func (l *loader) mapping(y *goyaml.Node, n *Node, depth int) {
	n.Kind = Mapping
	if tagged(y) && y.Tag != "!!map" && y.Tag != "!!set" {
		l.fail(y, "could not determine a constructor for the tag %s", y.Tag)
		return
	}
	m := pairs{list: make([]Pair, 0, len(y.Content)/2)}
	l.merge(y, &m, depth)
	inherited := len(m.list)
	for i := 0; i+1 < len(y.Content) && !l.failed; i += 2 {
		k := y.Content[i]
		if isMergeKey(k) {
			continue
		}
		key := l.key(k, y.Style&goyaml.FlowStyle != 0, depth+1)
		if key.Kind != Scalar {
			l.fail(k, "found a key that is a %s", key.TypeName())
			return
		}
		v := l.node(y.Content[i+1], depth+1)
		if first, twice := m.put(key, v); twice && first >= inherited {
			l.warnDuplicate(key, m.list[first].Key)
		}
	}
	n.Pairs = m.list
	for _, p := range n.Pairs {
		n.size++
		n.grow(p.Value)
	}
}

func (l *loader) key(k *goyaml.Node, inFlow bool, depth int) *Node {
	if k.Kind == goyaml.ScalarNode && !tagged(k) && k.Style&quoted == 0 {
		switch {
		case k.Value == "=":
			return &Node{File: l.file, Line: k.Line, Column: k.Column, Value: "=", size: 1}
		case k.Value == "" && k.Anchor == "" && !inFlow && l.file.at(k.Line, k.Column) == ':':
			l.fail(k, "expected a key, but found ':'")
		}
	}
	return l.node(k, depth)
}

func (l *loader) warnDuplicate(key, first *Node) {
	w := problem.New(problem.Format, "'%s' is defined twice in this mapping; this one counts, the one in line %d does not",
		keyText(key), first.Line).At(key.Place())
	w.Warning = true
	l.problems = append(l.problems, w)
}

// pairs collects the entries of a mapping. A key that comes again keeps its
// position and gets the later value.
type pairs struct {
	list  []Pair
	index map[any]int // nil while there are few entries
}

// fewPairs is how many keys are found faster by looking at each.
const fewPairs = 12

func (m *pairs) put(key, v *Node) (first int, twice bool) {
	id := identity(key)
	if i, ok := m.find(id); ok {
		m.list[i].Value = v
		return i, true
	}
	if m.index != nil {
		m.index[id] = len(m.list)
	}
	m.list = append(m.list, Pair{Key: key, Value: v})
	return 0, false
}

func (m *pairs) find(id any) (int, bool) {
	if m.index == nil {
		if len(m.list) <= fewPairs {
			for i := range m.list {
				if identity(m.list[i].Key) == id {
					return i, true
				}
			}
			return 0, false
		}
		m.index = make(map[any]int, 2*len(m.list))
		for i := range m.list {
			m.index[identity(m.list[i].Key)] = i
		}
	}
	i, ok := m.index[id]
	return i, ok
}

// identity makes equal what counts as one key: true, 1 and 1.0.
func identity(key *Node) any {
	switch t := key.Value.(type) {
	case bool:
		if t {
			return int64(1)
		}
		return int64(0)
	case float64:
		if t == float64(int64(t)) {
			return int64(t)
		}
	case *big.Int:
		return "\x00int " + t.String()
	case nil:
		return "\x00null"
	}
	return key.Value
}

const quoted = goyaml.DoubleQuotedStyle | goyaml.SingleQuotedStyle | goyaml.LiteralStyle | goyaml.FoldedStyle

func tagged(y *goyaml.Node) bool { return y.Style&goyaml.TaggedStyle != 0 }

func isMergeKey(k *goyaml.Node) bool {
	if k.Kind != goyaml.ScalarNode {
		return false
	}
	if tagged(k) {
		return k.Tag == "!!merge"
	}
	return k.Style&quoted == 0 && k.Value == "<<"
}

// merge puts in what the merge keys of a mapping refer to, before its own
// entries.
func (l *loader) merge(y *goyaml.Node, m *pairs, depth int) {
	for i := 0; i+1 < len(y.Content) && !l.failed; i += 2 {
		if !isMergeKey(y.Content[i]) {
			continue
		}
		from := l.node(y.Content[i+1], depth+1)
		switch from.Kind {
		case Mapping:
			m.putAll(from)
		case Sequence: // the first of the list wins, so it comes last
			for j := len(from.Items) - 1; j >= 0; j-- {
				if from.Items[j].Kind != Mapping {
					l.fail(y.Content[i+1], "expected a mapping for merging, but found %s", from.Items[j].TypeName())
					return
				}
				m.putAll(from.Items[j])
			}
		default:
			l.fail(y.Content[i+1], "expected a mapping or list of mappings for merging, but found %s", from.TypeName())
			return
		}
		if len(m.list) > MaxNodes {
			l.fail(y, "merge keys expand to more than %d values", MaxNodes)
			return
		}
	}
}

func (m *pairs) putAll(from *Node) {
	for _, p := range from.Pairs {
		m.put(p.Key, p.Value)
	}
}

func (l *loader) scalar(y *goyaml.Node, n *Node) {
	tag := ""
	if tagged(y) {
		tag = y.Tag
	}
	isCommon := tag == "" && y.Style&quoted == 0 && len(y.Value) <= maxCommon
	if v, ok := l.common[y.Value]; ok && isCommon {
		n.Value = v
		return
	}
	v, err := resolve(y.Value, y.Style&quoted != 0, tag)
	if err != nil {
		l.fail(y, "%v", err)
		return
	}
	n.Value = v
	if isCommon && len(l.common) < maxCommons && isASCII(y.Value) {
		l.common[y.Value] = v
	}
	if s, ok := v.(string); ok && !l.file.AnyText && !isASCII(s) {
		l.problems = append(l.problems, problem.Coded(problem.InputType, 108,
			"illegal characters in line: %d, column: %d. Only valid ascii chars are supported.", y.Line-1, y.Column-1).
			At(n.Place()).WithHint("%s", offending(s)))
	}
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func offending(s string) string {
	for _, r := range s {
		if r >= utf8.RuneSelf {
			return fmt.Sprintf("replace the character %q (%U)", r, r)
		}
	}
	return ""
}
