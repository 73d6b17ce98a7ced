package elements

// Meaning says what a text names, or what free content is made of: what its
// type alone does not tell. Checks do without it; editors complete and follow
// names by it.
type Meaning uint8

// The meanings.
const (
	Plain                  Meaning = iota
	Value                          // free content in which functions count
	Constraint                     // an operator with its argument
	Import                         // a document
	DataType                       // a built-in type or a data type
	PrimitiveType                  // a built-in type
	NodeType                       // a node type
	RelationshipType               // a relationship type
	NodeTemplate                   // a node template
	Group                          // a group
	Member                         // a node template or a group
	PolicyType                     // a policy type
	PolicyTrigger                  // a policy trigger
	Workflow                       // a workflow
	Implementation                 // plugin.function or the path of a script
	NodeProperties                 // values for the properties of a node's type
	RelationshipProperties         // values for the properties of a relationship's type
	PolicyProperties               // values for the properties of a policy type
	TriggerParameters              // values for the parameters of a policy trigger
	WorkflowParameters             // values for the parameters of a workflow
	OperationInputs                // values for the inputs of an operation
)

// Versions lists the versions of the language, oldest first.
func Versions() []string {
	return []string{
		"cloudify_dsl_1_0", "cloudify_dsl_1_1", "cloudify_dsl_1_2", "cloudify_dsl_1_3", "cloudify_dsl_1_4", "cloudify_dsl_1_5",
	}
}

func executors() []string { return []string{"central_deployment_agent", "host_agent"} }

func means(m Meaning, e *Element) *Element { e.Means = m; return e }

func oneOf(choices []string, e *Element) *Element { e.Choices = choices; return e }
