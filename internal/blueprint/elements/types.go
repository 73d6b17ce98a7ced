package elements

// Property is an entry of the schemas of node types, relationships, data
// types, policy types and triggers.
func Property() *Element {
	return &Element{Doc: "A property.", Keys: []Key{
		{"required", from(since(2), flag("Whether a value must be given; default true."))},
		{"default", verbatim(anything("Value where none is given."))},
		{"description", word("What it is for.")},
		{"type", means(DataType, text("A built-in type or a data type; none for anything."))},
	}}
}

// Input is an entry of the inputs of blueprints and of operations in types.
func Input() *Element {
	e := Parameter()
	e.Doc = "An input."
	e.Keys = append(e.Keys,
		Key{"display_label", from(since(3), word("Name shown to people."))},
		Key{"hidden", from(since(3), flag("Whether forms leave it out."))},
		Key{"display", &Element{Doc: "How a form shows it.", Keys: []Key{{"rows", integer("Lines of a textarea.")}}}},
	)
	return e
}

// Parameter is an entry of the parameters of a workflow.
func Parameter() *Element {
	e := Property()
	e.Doc = "A parameter."
	e.Keys = append(e.Keys,
		Key{"item_type", from(since(4), means(PrimitiveType, text("Type of the items of a list.")))},
		Key{"constraints", list("Conditions that a value must meet.", means(Constraint, verbatim(required(freeDict("An operator with its argument.")))))},
	)
	return e
}

// PluginProperty is an entry of the properties of a plugin.
func PluginProperty() *Element {
	return &Element{Doc: "A property.", Keys: []Key{
		{"description", word("What it is for.")},
		{"type", means(DataType, text("A built-in type or a data type."))},
		{"display_label", from(since(3), word("Name shown to people."))},
		{"value", given(anything("Its value; usually given with the import."))},
	}}
}

func inputs(doc string) *Element { return entries(doc, Input()) }

func dataTypes() *Element {
	return from(since(2), entries("Structures that properties and inputs can have as type.", &Element{
		Doc: "A data type.", Required: true, Keys: []Key{
			{"properties", verbatim(entries("Its properties.", Property()))},
			{"description", text("What it is.")},
			{"derived_from", means(DataType, text("Data type that it extends."))},
			{"version", text("Version of the definition.")},
		},
	}))
}

func nodeTypes() *Element {
	return entries("Kinds of nodes.", &Element{Doc: "A node type.", Required: true, Keys: []Key{
		{"derived_from", means(NodeType, text("Node type that it extends."))},
		{"interfaces", typeInterfaces("Its operations.")},
		{"properties", verbatim(entries("Properties of its nodes.", Property()))},
		{"runtime_properties", verbatim(entries("Properties that instances have at run time.", Property()))},
	}})
}

func relationshipTypes() *Element {
	return entries("Kinds of relationships.", &Element{Doc: "A relationship type.", Required: true, Keys: []Key{
		{"derived_from", means(RelationshipType, text("Relationship type that it extends."))},
		{"properties", verbatim(entries("Its properties.", Property()))},
		{"source_interfaces", typeInterfaces("Operations on the source.")},
		{"target_interfaces", typeInterfaces("Operations on the target.")},
	}})
}

func typeInterfaces(doc string) *Element {
	return interfaces(doc, verbatim(inputs("Inputs of the operation.")))
}

func templateInterfaces(doc string) *Element {
	return interfaces(doc, means(OperationInputs, verbatim(freeDict("Values for the inputs of the operation."))))
}

func interfaces(doc string, inputs *Element) *Element {
	operation := &Element{
		Doc: "An operation: its implementation, or more about it.", Leaf: []Type{String}, Means: Implementation, Keys: []Key{
			{"implementation", means(Implementation, text("Plugin and function, or a script; empty for nothing."))},
			{"inputs", inputs},
			{"executor", oneOf(executors(), word("Where it runs: central_deployment_agent or host_agent."))},
			{"max_retries", from(since(1), integer("Retries after a failure; -1 for no end."))},
			{"retry_interval", from(since(1), number("Seconds between retries."))},
			{"timeout", number("Seconds that it may take.")},
			{"timeout_recoverable", flag("Whether running out of time may be retried; default true.")},
		},
	}
	return verbatim(entries(doc, verbatim(entries("An interface.", operation))))
}

func nodeTemplates() *Element {
	return entries("The nodes.", &Element{Doc: "A node template.", Required: true, Partial: []string{"relationships"}, Keys: []Key{
		{"type", means(NodeType, required(text("Its node type.")))},
		{"instances", &Element{Doc: "Old form of capabilities.", Keys: []Key{
			{"deploy", required(integer("Number of instances."))},
		}}},
		{"capabilities", from(since(3), &Element{Doc: "What the node can do.", Keys: []Key{
			{"scalable", &Element{Doc: "It can be scaled.", Keys: []Key{{"properties", Scalable()}}}},
		}})},
		{"interfaces", templateInterfaces("Operations, in addition to those of the type or instead of them.")},
		{"relationships", list("Relationships to other nodes, in order.", &Element{
			Doc: "A relationship.", Required: true, Keys: []Key{
				{"type", means(RelationshipType, required(text("Its relationship type.")))},
				{"target", means(NodeTemplate, required(text("The other node.")))},
				{"properties", means(RelationshipProperties, freeDict("Values for the properties of the relationship type."))},
				{"source_interfaces", templateInterfaces("Operations on this node.")},
				{"target_interfaces", templateInterfaces("Operations on the other node.")},
			},
		})},
		{"properties", means(NodeProperties, freeDict("Values for the properties of the type."))},
	}})
}
