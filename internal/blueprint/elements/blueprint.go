package elements

// since abbreviates versions of the first generation.
func since(minor int) Version { return Version{1, minor} }

func text(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{String}} }

// word is a text that no namespace changes.
func word(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{String}, Verbatim: true} }

func flag(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{Bool}, Verbatim: true} }

func integer(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{Int}, Verbatim: true} }

func number(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{Number}, Verbatim: true} }

// anything is a value of the user's, perhaps with functions in it.
func anything(doc string) *Element {
	return &Element{Doc: doc, Leaf: []Type{List, Bool, Number, String, Dict}, Free: true, Means: Value}
}

func freeDict(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{Dict}, Free: true} }

func freeList(doc string) *Element { return &Element{Doc: doc, Leaf: []Type{List}, Free: true} }

func list(doc string, of *Element) *Element { return &Element{Doc: doc, Items: of} }

func entries(doc string, of *Element) *Element { return &Element{Doc: doc, Of: of} }

func required(e *Element) *Element { e.Required = true; return e }

func verbatim(e *Element) *Element { e.Verbatim = true; return e }

func given(e *Element) *Element { e.Given = true; return e }

func from(v Version, e *Element) *Element { e.Since = v; return e }

// Blueprint is the whole document after its imports were merged in.
func Blueprint() *Element {
	return &Element{Doc: "A blueprint.", Keys: []Key{
		{"tosca_definitions_version", oneOf(Versions(), word("Version of the language, such as cloudify_dsl_1_5."))},
		{"description", from(since(2), text("What the blueprint is for."))},
		{"imports", list("Imports; merged in before.", means(Import, text("An import.")))},
		{"dsl_definitions", from(since(2), &Element{
			Doc: "A place for YAML anchors; its content means nothing.", Leaf: []Type{Dict, List}, Free: true,
		})},
		{"metadata", freeDict("Free content about the blueprint.")},
		{"inputs", inputs("Values that a deployment is given.")},
		{"plugins", plugins()},
		{"node_types", nodeTypes()},
		{"relationships", relationshipTypes()},
		{"node_templates", nodeTemplates()},
		{"policy_types", policyTypes("properties")},
		{"policy_triggers", policyTypes("parameters")},
		{"groups", groups()},
		{"policies", policies()},
		{"workflows", workflows()},
		{"outputs", exposed("Values that a deployment shows.")},
		{"data_types", dataTypes()},
		{"capabilities", exposed("Values that a deployment gives to other deployments.")},
		{"imported_blueprints", list("Ids of imported blueprints; written by importing.", text("An id."))},
		{"namespaces_mapping", entries("Namespaces of imported blueprints; written by importing.", word("An id."))},
		{"labels", labels("Labels of the deployment.")},
		{"blueprint_labels", labels("Labels of the blueprint.")},
		{"deployment_settings", deploymentSettings()},
		{"resource_tags", from(since(3), entries("Tags for resources made by plugins.", means(Plain, anything("Value of a tag."))))},
	}}
}

// Head is what is looked at before imports are merged in: further keys are
// ignored at that point.
func Head() *Element {
	all := Blueprint()
	return &Element{Doc: all.Doc, Keys: []Key{
		{"tosca_definitions_version", all.Key("tosca_definitions_version")},
		{"dsl_definitions", all.Key("dsl_definitions")},
		{"imports", list("Further documents that this one builds on.", &Element{
			Doc: "An import, with properties for the plugins in it if it is a mapping.", Leaf: []Type{String, Dict}, Means: Import,
		})},
	}}
}

func exposed(doc string) *Element {
	return entries(doc, &Element{Doc: "A value by name.", Keys: []Key{
		{"description", word("What the value is.")},
		{"value", required(anything("The value, usually a function."))},
	}})
}

func labels(doc string) *Element {
	return entries(doc, &Element{Doc: "A label.", Required: true, Keys: []Key{
		{"values", required(means(Value, freeList("Its values.")))},
	}})
}

func plugins() *Element {
	return entries("Plugins that carry out operations and workflows.", &Element{
		Doc: "A plugin.", Required: true, Keys: []Key{
			{"source", word("Where its code is.")},
			{"executor", required(oneOf(executors(), word("Where its operations run: central_deployment_agent or host_agent.")))},
			{"install", flag("Whether it has to be installed; default true.")},
			{"install_arguments", from(since(1), word("Further arguments of its installation."))},
			{"package_name", from(since(2), word("Name of its package."))},
			{"package_version", from(since(2), word("Version of its package."))},
			{"supported_platform", from(since(2), word("Platform that its package is for."))},
			{"distribution", from(since(2), word("Linux distribution that its package is for."))},
			{"distribution_version", from(since(2), word("Version of that distribution."))},
			{"distribution_release", from(since(2), word("Release of that distribution."))},
			{"properties_description", from(since(5), word("What its properties are for."))},
			{"properties", from(since(5), entries("Properties of the plugin.", PluginProperty()))},
		},
	})
}

func groups() *Element {
	return entries("Named sets of nodes.", &Element{Doc: "A group.", Keys: []Key{
		{"members", required(list("Names of nodes and groups.", means(Member, text("A name."))))},
		{"policies", entries("Policies of the group.", &Element{Doc: "A policy.", Keys: []Key{
			{"type", required(means(PolicyType, text("Policy type.")))},
			{"properties", means(PolicyProperties, freeDict("Values for the properties of the policy type."))},
			{"triggers", entries("What happens when the policy applies.", &Element{Doc: "A trigger.", Keys: []Key{
				{"type", required(means(PolicyTrigger, text("Policy trigger.")))},
				{"parameters", means(TriggerParameters, freeDict("Values for the parameters of the trigger."))},
			}})},
		}})},
	}})
}

func policies() *Element {
	return from(since(3), entries("Policies for groups.", &Element{Doc: "A policy.", Required: true, Keys: []Key{
		{"type", required(oneOf([]string{"cloudify.policies.scaling"}, text("cloudify.policies.scaling.")))},
		{"properties", Scalable()},
		{"targets", required(list("Names of groups.", means(Group, text("A group."))))},
	}}))
}

// policyTypes are policy types and triggers, which differ in a key.
func policyTypes(schema string) *Element {
	return entries("Kinds of "+schema+" that policies take.", &Element{Doc: "A policy type or trigger.", Keys: []Key{
		{schema, verbatim(entries("Schema.", Property()))},
		{"source", required(word("File that carries it out."))},
	}})
}

// Scalable is the numbers of instances of a node or group.
func Scalable() *Element {
	count := func(doc string, more ...Type) *Element {
		return &Element{Doc: doc, Leaf: append([]Type{Int, Dict}, more...), Free: true, Means: Value}
	}
	return verbatim(&Element{Doc: "Numbers of instances.", Keys: []Key{
		{"min_instances", count("Smallest number; default 0.")},
		{"max_instances", count("Largest number or UNBOUNDED, which is the default.", String)},
		{"default_instances", count("Number to start with; default 1.")},
	}})
}

func workflows() *Element {
	return entries("Workflows.", &Element{
		Doc: "A workflow: where it is, or more about it.", Required: true, Leaf: []Type{String}, Means: Implementation,
		Partial: []string{"parameters", "is_cascading", "availability_rules"}, Keys: []Key{
			{"mapping", required(means(Implementation, text("Plugin and function, or a script.")))},
			{"parameters", verbatim(entries("Parameters.", Parameter()))},
			{"is_cascading", flag("Whether it also runs in contained services.")},
			{"availability_rules", from(since(4), &Element{Doc: "When it may be started.", Verbatim: true, Keys: []Key{
				{"available", flag("false: never.")},
				{"node_instances_active", oneOf([]string{"all", "partial", "none"}, verbatim(freeList("all, partial, none: how many node instances must be started.")))},
				{"node_types_required", verbatim(list("Node types of which there must be one.", means(NodeType, word("A node type."))))},
			}})},
		},
	})
}

func deploymentSettings() *Element {
	return &Element{Doc: "Defaults for deployments of the blueprint.", Keys: []Key{
		{"default_schedules", entries("Schedules that a deployment gets.", &Element{Doc: "A schedule.", Required: true, Keys: []Key{
			{"workflow", required(means(Workflow, text("Workflow to run.")))},
			{"execution_arguments", &Element{Doc: "How to run it.", Keys: []Key{
				{"force", flag("Run beside other executions.")},
				{"is_dry_run", flag("Only show what would be done.")},
				{"wait_after_fail", integer("Seconds to wait after a failure.")},
				{"allow_custom_parameters", flag("Take parameters that are not declared.")},
			}}},
			{"workflow_parameters", means(WorkflowParameters, freeDict("Values for its parameters."))},
			{"since", required(text("First time: YYYY-MM-DD HH:MM, HH:MM or +N unit."))},
			{"until", text("Last time, in the same forms.")},
			{"recurrence", text("How often: N unit.")},
			{"timezone", text("Time zone of the times.")},
			{"weekdays", list("Days on which it runs.", required(text("A day.")))},
			{"count", integer("How often at most.")},
			{"default_enabled", flag("false: not until it is enabled.")},
			{"stop_after_fail", flag("Whether a failure ends the schedule.")},
			{"slip", integer("Minutes that it may be late.")},
		}})},
		{"default_groups", freeList("Deployment groups that it joins.")},
		{"id_template", text("Template for ids of deployments.")},
		{"display_name", &Element{Doc: "Display name of deployments.", Leaf: []Type{String, Dict}, Free: true, Means: Value}},
	}}
}
