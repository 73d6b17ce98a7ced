package compile

import (
	"maps"
	"slices"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// What the script plugin is called and takes.
const (
	scriptPlugin   = "script"
	scriptRun      = "script_runner.tasks.run"
	scriptWorkflow = "script_runner.tasks.execute_workflow"
	scriptPath     = "script_path"
	scriptSource   = "script_source"
)

// namespaceMark stands between a namespace and a name.
const namespaceMark = "--"

// pluginTable holds the plugins in the order in which they are defined.
type pluginTable struct {
	order  []string
	byName map[string]plan.Plugin
	script string // the first whose name ends with script
}

func (c *compiler) readPlugins() {
	c.plugins.byName = map[string]plan.Plugin{}
	for e := range c.entries("plugins") {
		p := plan.Plugin{
			Name: e.name, Install: true,
			Source:           c.textPointer(e.node, "source"),
			InstallArguments: c.textPointer(e.node, "install_arguments"),
			PackageName:      c.textPointer(e.node, "package_name"), PackageVersion: c.textPointer(e.node, "package_version"),
			SupportedPlatform: c.textPointer(e.node, "supported_platform"),
			Distribution:      c.textPointer(e.node, "distribution"), DistributionVersion: c.textPointer(e.node, "distribution_version"),
			DistributionRelease:   c.textPointer(e.node, "distribution_release"),
			PropertiesDescription: c.textPointer(e.node, "properties_description"),
			Properties:            c.schemas(c.get(e.node, "properties"), pluginSchema, e.path.Down("properties")),
		}
		if install := c.flagPointer(e.node, "install"); install != nil {
			p.Install = *install
		}
		p.Executor = c.pluginExecutor(e)
		if p.Install && isEmpty(p.Source) && isEmpty(p.PackageName) && len(c.badKeys(e, "install", "source", "package_name")) == 0 {
			c.report(problem.Coded(problem.Logic, 50,
				"Plugin '%s' needs to be installed, but does not declare a source or package_name property", e.name).
				WithHint("add package_name, or install: false if it is there already"), e.key, e.path)
		}
		c.plugins.byName[e.name] = p
	}
	for _, name := range c.names("plugins") {
		if _, ok := c.plugins.byName[name]; !ok { // wrong as a whole, but its name is known
			c.plugins.byName[name] = plan.Plugin{Name: name, Executor: plan.Central, Properties: map[string]plan.Schema{}}
		}
		c.plugins.order = append(c.plugins.order, name)
		if c.plugins.script == "" && strings.HasSuffix(name, scriptPlugin) {
			c.plugins.script = name
		}
	}
}

func isEmpty(s *string) bool { return s == nil || *s == "" }

// badKeys lists which of the keys are wrong.
func (c *compiler) badKeys(e entry, keys ...string) []string {
	var wrong []string
	for _, k := range keys {
		if n := e.node.Get(k); n != nil && c.bad[n] {
			wrong = append(wrong, k)
		}
	}
	return wrong
}

func (c *compiler) pluginExecutor(e entry) string {
	executor, ok := c.get(e.node, "executor").Text()
	if !ok || executor == plan.Central || executor == plan.HostAgent {
		return executor
	}
	p := problem.Coded(problem.Logic, 18, "Plugin '%s' has an illegal 'executor' value '%s'; value must be either '%s' or '%s'",
		e.name, executor, plan.Central, plan.HostAgent)
	c.report(hint(p, executor, []string{plan.Central, plan.HostAgent}), e.node.Get("executor"), e.path.Down("executor"))
	return ""
}

// mapping is what an implementation means.
type mapping struct {
	plugin    string
	operation string // within the plugin
	script    string // scriptPath or scriptSource if it is a script
	ambiguous []string
	none      bool // nothing fits
}

// lookUp finds out what an implementation means.
func (c *compiler) lookUp(implementation string) mapping {
	if m, ok := c.mappings[implementation]; ok {
		return m
	}
	m := c.look(implementation)
	c.mappings[implementation] = m
	return m
}

func (c *compiler) look(implementation string) mapping {
	var fits []string
	for i := range len(implementation) {
		if implementation[i] == '.' {
			if _, ok := c.plugins.byName[implementation[:i]]; ok {
				fits = append(fits, implementation[:i])
			}
		}
	}
	isURL := hasScheme(implementation)
	isFile := !isURL && c.isScript(implementation)
	switch {
	case isURL, isFile:
		return mapping{script: scriptPath}
	case strings.Contains(strings.TrimSpace(implementation), "\n"):
		return mapping{script: scriptSource}
	case len(fits) == 0 && c.isRemoteScript(implementation):
		return mapping{script: scriptPath}
	case len(fits) == 1:
		return mapping{plugin: fits[0], operation: implementation[len(fits[0])+1:]}
	case len(fits) > 1:
		return mapping{ambiguous: fits}
	}
	return mapping{none: true}
}

// isScript tells whether a script of that path is beside the blueprint. Its
// namespace is no part of the path.
func (c *compiler) isScript(implementation string) bool {
	if c.opts.ScriptExists == nil || implementation == "" {
		return false
	}
	if i := strings.LastIndex(implementation, namespaceMark); i >= 0 {
		implementation = implementation[i+len(namespaceMark):]
	}
	return c.opts.ScriptExists(c.ctx, implementation)
}

// isRemoteScript tells whether the script belongs to an imported blueprint, for
// which it was found when that was uploaded.
func (c *compiler) isRemoteScript(implementation string) bool {
	namespace, _, found := strings.Cut(implementation, namespaceMark)
	_, known := c.namespaces[namespace]
	return found && known
}

// hasScheme tells whether a text parses as a URL with a scheme; foo:bar does.
func hasScheme(text string) bool {
	text = strings.TrimLeft(text, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f"+
		"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	text = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(text)
	scheme, _, found := strings.Cut(text, ":")
	if !found || scheme == "" || !isLetter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		if b := scheme[i]; !isLetter(b) && (b < '0' || b > '9') && b != '+' && b != '-' && b != '.' {
			return false
		}
	}
	return true
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// resolve looks an implementation up and says what is wrong with it. code is
// that of an implementation that leads nowhere; taken tells that the operation
// has an input by which scripts are given.
func (c *compiler) resolve(implementation, operation string, code int, context string, taken bool) (mapping, *problem.Problem) {
	if implementation == "" {
		return mapping{}, nil
	}
	what := "operation"
	if code == 21 {
		what = "workflow"
	}
	m := c.lookUp(implementation)
	switch {
	case m.script != "" && taken:
		return m, problem.Coded(problem.Logic, 60, "Cannot define '%s' property in '%s' for %s '%s'",
			scriptPath, implementation, what, operation)
	case m.script != "" && c.plugins.script == "":
		run := scriptRun
		if code == 21 {
			run = scriptWorkflow
		}
		return m, problem.Coded(problem.Logic, 61,
			"Script plugin is not defined but it is required for mapping '%s' of %s '%s'", run, what, operation).
			WithHint("import cloudify/types/types.yaml, or define a plugin named script")
	case m.ambiguous != nil:
		return m, problem.Coded(problem.Logic, 91, "Ambiguous operation mapping. [operation=%s, plugins=['%s']]",
			operation, strings.Join(m.ambiguous, "', '"))
	case m.none:
		p := problem.Coded(problem.Logic, code,
			"Could not extract plugin or a script resource is not found from %s mapping/script-path '%s', "+
				"which is declared for %s '%s'.%s", what, implementation, what, operation, context)
		return m, c.hintImplementation(p, implementation)
	}
	return m, nil
}

func (c *compiler) hintImplementation(p *problem.Problem, implementation string) *problem.Problem {
	if strings.Contains(implementation, "/") {
		return p.WithHint("there is no such file beside the blueprint")
	}
	head, _, _ := strings.Cut(implementation, ".")
	return hint(p, head, c.plugins.order)
}

func (c *compiler) operation(o instanceOperation, code int, context string) plan.Operation {
	if o.Implementation == "" {
		return plan.Operation{}
	}
	_, path := o.Inputs[scriptPath]
	_, source := o.Inputs[scriptSource]
	m, p := c.resolve(o.Implementation, o.name, code, context, path || source)
	if p != nil {
		c.report(p, o.at, o.path)
		return plan.Operation{}
	}
	result := plan.Operation{
		Plugin: m.plugin, Operation: m.operation, Executor: o.Executor, Inputs: o.Inputs, InputsTypes: inputTypes(o.Inputs),
		MaxRetries: o.MaxRetries, RetryInterval: o.RetryInterval, Timeout: o.Timeout, TimeoutRecoverable: o.TimeoutRecoverable,
	}
	if m.script != "" {
		result.Plugin, result.Operation = c.plugins.script, scriptRun
		result.Inputs = make(value.Map, len(o.Inputs)+1)
		maps.Copy(result.Inputs, o.Inputs)
		result.Inputs[m.script] = o.Implementation
		if result.Executor == nil || *result.Executor == "" {
			auto := plan.Auto
			result.Executor = &auto
		}
		return result
	}
	if result.Executor == nil || *result.Executor == "" {
		executor := c.plugins.byName[m.plugin].Executor
		result.Executor = &executor
	}
	return result
}

// inputTypes collects the types that stand inside of input values.
func inputTypes(inputs value.Map) map[string]string {
	var types map[string]string
	for name, v := range inputs {
		if dict, ok := v.(map[string]any); ok {
			if t, ok := dict["type"].(string); ok {
				if types == nil {
					types = map[string]string{}
				}
				types[name] = t
			}
		}
	}
	return types
}

// pattern is what the operations of all instances of a type have in common.
type pattern struct {
	short      map[string]bool            // operations known without their interface
	operations map[string]*plan.Operation // under all their names; only such as have no inputs

	interfaces map[string]map[string]*plan.Interface // operations by interface
}

// patternOf gives the pattern for an instance. known is that of the type; it is
// made for the first instance, and kept.
func patternOf(list []readyInterface, known **pattern) *pattern {
	if slices.ContainsFunc(list, func(i readyInterface) bool { return i.adds }) {
		return newPattern(list) // other operations may lose their short names
	}
	if *known == nil || isDeclared(list) && !(*known).covers(list) {
		*known = newPattern(list)
	}
	return *known
}

// shortNames tells which operations are also known without their interface:
// those whose name is in one interface only.
func shortNames(list []readyInterface) map[string]bool {
	count := 0
	for _, i := range list {
		count += len(i.operations)
	}
	short := make(map[string]bool, count)
	for _, i := range list {
		for _, o := range i.operations {
			_, twice := short[o.name]
			short[o.name] = !twice
		}
	}
	return short
}

func newPattern(list []readyInterface) *pattern {
	p := &pattern{short: shortNames(list), interfaces: make(map[string]map[string]*plan.Interface, len(list))}
	p.operations = make(map[string]*plan.Operation, 2*len(p.short))
	for _, i := range list {
		declared := make(map[string]*plan.Interface, len(i.operations))
		for _, o := range i.operations {
			if o.declared && len(o.resolved.Inputs) == 0 {
				p.put(p.operations, o)
			}
			if o.declared {
				declared[o.name] = &o.Interface
			}
		}
		p.interfaces[i.name] = declared
	}
	return p
}

// put enters an operation under its names. Inputs are copied: the two names
// lead to two values, each evaluated by itself.
func (p *pattern) put(to map[string]*plan.Operation, o *readyOperation) {
	to[o.full] = ownInputs(o.resolved)
	if p.short[o.name] {
		to[o.name] = ownInputs(o.resolved)
	}
}

func ownInputs(o plan.Operation) *plan.Operation {
	o.Inputs = value.CopyMap(o.Inputs)
	return &o
}

// planOperations makes the operations of a plan. Instances that change nothing
// have the same map: operations are copied before they are evaluated.
func (p *pattern) planOperations(list []readyInterface) map[string]*plan.Operation {
	if p.covers(list) {
		return p.operations
	}
	result := maps.Clone(p.operations)
	for _, i := range list {
		for _, o := range i.operations {
			if _, there := result[o.full]; !there || !o.declared {
				p.put(result, o)
			}
		}
	}
	return result
}

// isDeclared tells whether an instance has just what its type declares.
func isDeclared(list []readyInterface) bool {
	return !slices.ContainsFunc(list, func(i readyInterface) bool { return !i.asDeclared })
}

// covers tells whether the pattern has all operations of an instance as they
// are.
func (p *pattern) covers(list []readyInterface) bool {
	for _, i := range list {
		for _, o := range i.operations {
			if _, there := p.operations[o.full]; !there || !o.declared {
				return false
			}
		}
	}
	return true
}

// planInterfaces makes the interfaces of a plan. Those that come from the type
// unchanged are the same maps in all nodes: nobody evaluates or changes them.
func (p *pattern) planInterfaces(list []readyInterface) map[string]map[string]*plan.Interface {
	if isDeclared(list) && !slices.ContainsFunc(list, func(i readyInterface) bool { return !p.hasAll(i) }) {
		return p.interfaces
	}
	result := make(map[string]map[string]*plan.Interface, len(list))
	for _, i := range list {
		declared := p.interfaces[i.name]
		if i.asDeclared && p.hasAll(i) {
			result[i.name] = declared
			continue
		}
		operations := maps.Clone(declared)
		for _, o := range i.operations {
			if _, there := declared[o.name]; !there || !o.declared {
				operations[o.name] = &o.Interface
			}
		}
		result[i.name] = operations
	}
	return result
}

// hasAll tells whether the pattern has every operation of an interface.
func (p *pattern) hasAll(i readyInterface) bool {
	return len(p.interfaces[i.name]) == len(i.operations)
}
