package compile

import (
	"maps"
	"slices"
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// typeInterface is an interface of a type. Order counts: it is the order in
// which plugins are listed.
type typeInterface struct {
	name       string
	operations []typeOperation
}

// typeOperation is an operation of a type, with the place of its implementation.
type typeOperation struct {
	name string
	plan.TypeInterface
	inputOrder []string
	at         *yaml.Node
	path       *elements.Path

	ready *readyOperation // what instances get that do not mention it; nil until one asks
}

func (o typeOperation) isNoOp() bool {
	return o.Implementation == "" && len(o.Inputs) == 0 && o.Executor == nil && o.MaxRetries == nil &&
		o.RetryInterval == nil && o.Timeout == nil && o.TimeoutRecoverable == nil
}

// instanceInterface is an interface as a template, or a relationship in one,
// has it written.
type instanceInterface struct {
	name       string
	operations []instanceOperation
}

// readyInterface is an interface of a node or of one of its relationships.
type readyInterface struct {
	name       string
	operations []*readyOperation
	asDeclared bool // all of it comes from the type
	adds       bool // it has operations that the type does not declare
}

// readyOperation is an operation of a node, resolved. It is shared by all nodes
// of a type that do not change it.
type readyOperation struct {
	instanceOperation
	full     string // interface.operation
	resolved plan.Operation
	declared bool // as the type has it
}

type instanceOperation struct {
	name string
	plan.Interface
	at   *yaml.Node
	path *elements.Path
}

func (o instanceOperation) isNoOp() bool {
	return o.Implementation == "" && len(o.Inputs) == 0 && o.Executor == nil && o.MaxRetries == nil &&
		o.RetryInterval == nil && o.Timeout == nil && o.TimeoutRecoverable == nil
}

// settings are what operations of types and of templates have in common.
type settings struct {
	implementation     string
	executor           *string
	maxRetries         *int64
	retryInterval      *value.Any
	timeout            *value.Any
	timeoutRecoverable *bool
	at                 *yaml.Node // of the implementation, or of the name without one
}

func (c *compiler) settings(e entry, interfaceName string) settings {
	s := settings{at: e.key}
	if text, ok := e.node.Text(); ok {
		s.implementation, s.at = text, e.node
		return s
	}
	if e.node.Kind != yaml.Mapping {
		return s
	}
	if n := c.get(e.node, "implementation"); n != nil {
		s.implementation, _ = n.Text()
		s.at = n
	}
	s.executor = c.operationExecutor(e, interfaceName)
	s.maxRetries = c.maxRetries(e)
	s.retryInterval = c.seconds(e, "retry_interval")
	s.timeout = c.seconds(e, "timeout")
	s.timeoutRecoverable = c.flagPointer(e.node, "timeout_recoverable")
	return s
}

func (c *compiler) operationExecutor(e entry, interfaceName string) *string {
	executor := c.textPointer(e.node, "executor")
	if executor == nil || *executor == plan.Central || *executor == plan.HostAgent {
		return executor
	}
	p := problem.Coded(problem.Logic, 28, "Operation '%s.%s' has an illegal executor value '%s'. valid values are [%s,%s]",
		interfaceName, e.name, *executor, plan.Central, plan.HostAgent)
	c.report(hint(p, *executor, []string{plan.Central, plan.HostAgent}), e.node.Get("executor"), e.path.Down("executor"))
	return nil
}

func (c *compiler) maxRetries(e entry) *int64 {
	n := c.get(e.node, "max_retries")
	if n == nil {
		return nil
	}
	var retries int64
	switch t := n.Value.(type) {
	case int64:
		retries = t
	case bool:
		if t {
			retries = 1
		}
	default:
		retries = 1<<62 - 1 // beyond counting
	}
	if retries < -1 {
		c.report(problem.New(problem.BadValue, "'max_retries' value must be either -1 to specify "+
			"unlimited retries or a non negative number but got %d.", retries), n, e.path.Down("max_retries"))
		return nil
	}
	return &retries
}

func (c *compiler) seconds(e entry, key string) *value.Any {
	n := c.get(e.node, key)
	if n == nil {
		return nil
	}
	negative := false
	switch t := n.Value.(type) {
	case int64:
		negative = t < 0
	case float64:
		negative = t < 0
	}
	if negative {
		c.report(problem.New(problem.BadValue, "'%s' value must be a non-negative number but got %s.",
			key, value.Text(n.Value)), n, e.path.Down(key))
		return nil
	}
	return &value.Any{V: n.Plain()}
}

func (c *compiler) typeInterfaces(n *yaml.Node, path *elements.Path) []typeInterface {
	var list []typeInterface
	for i := range c.within(n, path) {
		t := typeInterface{name: i.name}
		for o := range c.within(i.node, i.path) {
			s := c.settings(o, i.name)
			operation := typeOperation{name: o.name, at: s.at, path: o.path, TypeInterface: plan.TypeInterface{
				Implementation: s.implementation, Executor: s.executor, MaxRetries: s.maxRetries,
				RetryInterval: s.retryInterval, Timeout: s.timeout, TimeoutRecoverable: s.timeoutRecoverable,
			}}
			inputs := c.get(o.node, "inputs")
			operation.Inputs = c.schemas(inputs, inputSchema, o.path.Down("inputs"))
			for e := range c.within(inputs, nil) {
				operation.inputOrder = append(operation.inputOrder, e.name)
			}
			t.operations = append(t.operations, operation)
		}
		list = append(list, t)
	}
	return list
}

// inheritInterfaces lays the interfaces of a type over those of its parent. An
// operation that the child mentions replaces the parent's as a whole.
func inheritInterfaces(parent, own []typeInterface) []typeInterface {
	if len(own) == 0 {
		return parent
	}
	merged := slices.Clone(parent)
	for _, o := range own {
		i := slices.IndexFunc(merged, func(t typeInterface) bool { return t.name == o.name })
		if i < 0 {
			merged = append(merged, o)
			continue
		}
		operations := slices.Clone(merged[i].operations)
		for _, operation := range o.operations {
			j := slices.IndexFunc(operations, func(t typeOperation) bool { return t.name == operation.name })
			if j < 0 {
				operations = append(operations, operation)
				continue
			}
			operations[j] = operation
		}
		merged[i].operations = operations
	}
	return merged
}

func (c *compiler) instanceInterfaces(n *yaml.Node, path *elements.Path) []instanceInterface {
	var list []instanceInterface
	for i := range c.within(n, path) {
		t := instanceInterface{name: i.name}
		for o := range c.within(i.node, i.path) {
			s := c.settings(o, i.name)
			t.operations = append(t.operations, instanceOperation{name: o.name, at: s.at, path: o.path,
				Interface: plan.Interface{
					Implementation: s.implementation, Inputs: c.get(o.node, "inputs").PlainMap(), Executor: s.executor,
					MaxRetries: s.maxRetries, RetryInterval: s.retryInterval, Timeout: s.timeout,
					TimeoutRecoverable: s.timeoutRecoverable,
				}})
		}
		list = append(list, t)
	}
	return list
}

// instances says of which node or relationship operations are put together.
type instances struct {
	owner   entry  // where problems are that come from what the type asks for
	code    int    // of an implementation that leads nowhere
	context string // for messages
}

// instantiate lays the interfaces of a template over those of its type.
func (c *compiler) instantiate(types []typeInterface, own []instanceInterface, of instances) []readyInterface {
	merged := make([]readyInterface, 0, len(types)+len(own))
	for i := range types {
		t := &types[i]
		var mine []instanceOperation
		if j := slices.IndexFunc(own, func(o instanceInterface) bool { return o.name == t.name }); j >= 0 {
			mine = own[j].operations
		}
		operations := c.instantiateOperations(t, mine, of)
		merged = append(merged, readyInterface{
			name: t.name, operations: operations, asDeclared: len(mine) == 0, adds: len(operations) > len(t.operations),
		})
	}
	for _, o := range own {
		if slices.ContainsFunc(types, func(t typeInterface) bool { return t.name == o.name }) {
			continue
		}
		added := readyInterface{name: o.name, operations: make([]*readyOperation, len(o.operations)), adds: true}
		for i, operation := range o.operations {
			added.operations[i] = c.ready(o.name, operation, of)
		}
		merged = append(merged, added)
	}
	return merged
}

func (c *compiler) instantiateOperations(t *typeInterface, mine []instanceOperation, of instances) []*readyOperation {
	operations := make([]*readyOperation, 0, len(t.operations)+len(mine))
	for i := range t.operations {
		declared := &t.operations[i]
		j := slices.IndexFunc(mine, func(o instanceOperation) bool { return o.name == declared.name })
		switch {
		case j >= 0:
			operations = append(operations, c.ready(t.name, c.override(*declared, mine[j]), of))
		default:
			if declared.ready == nil {
				declared.ready = c.ready(t.name, c.declaredOnly(*declared, of.owner), of)
				declared.ready.declared = true
			}
			operations = append(operations, declared.ready)
		}
	}
	for _, o := range mine {
		if !slices.ContainsFunc(t.operations, func(d typeOperation) bool { return d.name == o.name }) {
			operations = append(operations, c.ready(t.name, o, of))
		}
	}
	return operations
}

func (c *compiler) ready(interfaceName string, o instanceOperation, of instances) *readyOperation {
	return &readyOperation{
		instanceOperation: o, full: interfaceName + "." + o.name,
		resolved: c.operation(o, of.code, "In interface '"+interfaceName+"' "+of.context),
	}
}

func (c *compiler) declaredOnly(declared typeOperation, owner entry) instanceOperation {
	o := instanceOperation{name: declared.name, at: declared.at, path: declared.path, Interface: plan.Interface{
		Implementation: declared.Implementation, Executor: declared.Executor, MaxRetries: declared.MaxRetries,
		RetryInterval: declared.RetryInterval, Timeout: declared.Timeout, TimeoutRecoverable: declared.TimeoutRecoverable,
	}}
	var p *problem.Problem
	if o.Inputs, p = mergeInputs(declared, nil); p != nil {
		p.WithHint("the operation is declared in %s", declared.at.Place())
		c.report(p, owner.key, owner.path)
	}
	return o
}

// override lays an operation of a template over the one of its type.
func (c *compiler) override(declared typeOperation, mine instanceOperation) instanceOperation {
	if mine.isNoOp() || declared.isNoOp() {
		return mine
	}
	if mine.Implementation != "" && mine.Implementation != declared.Implementation {
		return mine
	}
	merged := mine
	if mine.Implementation == "" {
		merged.Implementation = declared.Implementation
	}
	var p *problem.Problem
	if merged.Inputs, p = mergeInputs(declared, mine.Inputs); p != nil {
		c.report(p, mine.at, mine.path)
	}
	merged.Executor = first(mine.Executor, declared.Executor)
	merged.MaxRetries = first(mine.MaxRetries, declared.MaxRetries)
	merged.RetryInterval = first(mine.RetryInterval, declared.RetryInterval)
	merged.Timeout = first(mine.Timeout, declared.Timeout)
	merged.TimeoutRecoverable = first(mine.TimeoutRecoverable, declared.TimeoutRecoverable)
	return merged
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// mergeInputs lays values over the defaults that a type declares. A value that
// is a dict gets its declared type as a key in it: functions are known with it.
func mergeInputs(declared typeOperation, given value.Map) (value.Map, *problem.Problem) {
	if len(declared.Inputs) == 0 {
		return given, nil
	}
	merged := make(value.Map, len(declared.Inputs)+len(given))
	for name, s := range declared.Inputs {
		if s.HasDefault() {
			merged[name] = value.Copy(s.Default.V)
		}
	}
	maps.Copy(merged, given)
	var missing []string
	for _, name := range declared.inputOrder {
		s := declared.Inputs[name]
		v, ok := merged[name]
		if !ok {
			missing = append(missing, "'"+name+"'")
		}
		if dict, isDict := v.(map[string]any); isDict && s.Type != nil {
			typed := maps.Clone(dict)
			typed["type"] = *s.Type
			merged[name] = typed
		}
	}
	switch len(missing) {
	case 0:
		return merged, nil
	case 1:
		return merged, problem.Coded(problem.Logic, 107, "Input %s is missing a value", missing[0])
	}
	return merged, problem.Coded(problem.Logic, 107, "Inputs %s are missing a value", strings.Join(missing, ", "))
}
