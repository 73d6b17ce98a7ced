// Package plan holds the data a blueprint becomes: the plan. It is pure data,
// in the JSON shape of the original, with no behaviour beyond coding.
//
// A plan is made by parsing (Plan) and completed with inputs and node
// instances when a deployment is prepared (Deployment).
package plan

import (
	"bytes"
	"encoding/json"

	"windlass/internal/value"
)

// Central and the other names of executors, which say where an operation runs.
const (
	Central   = "central_deployment_agent"
	HostAgent = "host_agent"
	Auto      = "auto" // host agent if the instance has a host, else central
)

// Unbounded is max_instances without a limit.
const Unbounded = -1

// Version is a blueprint's tosca_definitions_version, taken apart.
type Version struct {
	Raw         string `json:"raw"`                 // cloudify_dsl_1_4
	Name        string `json:"definitions_name"`    // cloudify_dsl
	Definitions []int  `json:"definitions_version"` // [1, 4]
}

// Body is everything that a parsed plan and a deployment plan have in common.
type Body struct {
	Version       Version                     `json:"version"`
	Description   *string                     `json:"description"`
	Metadata      *value.Map                  `json:"metadata"` // nil when absent
	Outputs       map[string]Output           `json:"outputs"`
	Capabilities  map[string]Output           `json:"capabilities"`
	Nodes         []*Node                     `json:"nodes"`
	Relationships map[string]RelationshipType `json:"relationships"`
	Workflows     map[string]Workflow         `json:"workflows"`

	PolicyTypes    map[string]PolicyType    `json:"policy_types"`
	PolicyTriggers map[string]PolicyTrigger `json:"policy_triggers"`
	Policies       map[string]Policy        `json:"policies"`
	Groups         map[string]Group         `json:"groups"`
	ScalingGroups  map[string]ScalingGroup  `json:"scaling_groups"`

	// Each plugin once.
	DeploymentPlugins []Plugin `json:"deployment_plugins_to_install"`
	HostAgentPlugins  []Plugin `json:"host_agent_plugins_to_install"`
	WorkflowPlugins   []Plugin `json:"workflow_plugins_to_install"`

	DataTypes          map[string]DataType `json:"data_types"`
	Labels             map[string]Label    `json:"labels"`
	BlueprintLabels    map[string]Label    `json:"blueprint_labels"`
	ResourceTags       value.Map           `json:"resource_tags"`
	DeploymentSettings value.Map           `json:"deployment_settings"`
	ImportedBlueprints []string            `json:"imported_blueprints"`
	NamespacesMapping  map[string]string   `json:"namespaces_mapping"`
	Requirements       Requirements        `json:"requirements"`
}

// Plan is a parsed blueprint: inputs are definitions, functions are unevaluated.
type Plan struct {
	Body
	Inputs map[string]Schema `json:"inputs"`
}

// Deployment is a plan prepared with inputs: inputs are values, functions that
// need no runtime state are evaluated, instances exist.
type Deployment struct {
	Body
	Inputs                   value.Map                 `json:"inputs"`
	NodeInstances            []NodeInstance            `json:"node_instances"`
	InterDeploymentFunctions []InterDeploymentFunction `json:"inter_deployment_functions"`
}

// Schema declares one property, input or parameter. Only keys that were
// written are present, so an explicit `default: null` differs from none.
type Schema struct {
	Type         *string     `json:"type,omitempty"`
	ItemType     *string     `json:"item_type,omitempty"`
	Default      *value.Any  `json:"default,omitempty"`
	Description  *string     `json:"description,omitempty"`
	Constraints  []value.Map `json:"constraints,omitzero"`
	Required     *bool       `json:"required,omitempty"`
	Hidden       *bool       `json:"hidden,omitempty"`
	DisplayLabel *string     `json:"display_label,omitempty"`
	Display      *value.Map  `json:"display,omitempty"`
	Value        *value.Any  `json:"value,omitempty"` // plugin properties only
}

// HasDefault tells whether the schema has a default, which may be null.
func (s Schema) HasDefault() bool { return s.Default != nil }

// IsRequired tells whether a value must be given; the default is yes.
func (s Schema) IsRequired() bool { return s.Required == nil || *s.Required }

// TypeName is the declared type, "" when any value will do.
func (s Schema) TypeName() string {
	if s.Type == nil {
		return ""
	}
	return *s.Type
}

// UnmarshalJSON keeps an explicit `"default": null` apart from none.
func (s *Schema) UnmarshalJSON(data []byte) error {
	type plain Schema
	if err := json.Unmarshal(data, (*plain)(s)); err != nil {
		return err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	if d, ok := raw["default"]; ok && bytes.Equal(bytes.TrimSpace(d), []byte("null")) {
		s.Default = &value.Any{}
	}
	return nil
}

// Output is an output or a capability.
type Output struct {
	Description *string   `json:"description,omitempty"`
	Value       value.Any `json:"value"`
}

// Label is the list of values of one label.
type Label struct {
	Values []any `json:"values"`
}

// UnmarshalJSON keeps integers and floats apart in functions among the values.
func (l *Label) UnmarshalJSON(data []byte) error {
	var raw struct {
		Values []value.Any `json:"values"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	l.Values = plainList(raw.Values)
	return nil
}

// plainList takes values out of their wrapping for JSON; nil stays nil.
func plainList(wrapped []value.Any) []any {
	if wrapped == nil {
		return nil
	}
	list := make([]any, len(wrapped))
	for i, w := range wrapped {
		list[i] = w.V
	}
	return list
}

// Requirements lists what a plan needs from outside, as written.
type Requirements struct {
	ParentCapabilities [][]any `json:"parent_capabilities"`
	Secrets            []any   `json:"secrets"`
}

// UnmarshalJSON keeps integers and floats apart in the arguments.
func (r *Requirements) UnmarshalJSON(data []byte) error {
	var raw struct {
		ParentCapabilities [][]value.Any `json:"parent_capabilities"`
		Secrets            []value.Any   `json:"secrets"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	r.Secrets = plainList(raw.Secrets)
	r.ParentCapabilities = nil
	if raw.ParentCapabilities != nil {
		r.ParentCapabilities = make([][]any, len(raw.ParentCapabilities))
	}
	for i, p := range raw.ParentCapabilities {
		r.ParentCapabilities[i] = plainList(p)
	}
	return nil
}

// Node is one node template, resolved against its type.
type Node struct {
	Name          string                           `json:"name"`
	ID            string                           `json:"id"`
	Type          string                           `json:"type"`
	TypeHierarchy []string                         `json:"type_hierarchy"` // root first
	Properties    value.Map                        `json:"properties"`
	Capabilities  NodeCapabilities                 `json:"capabilities"`
	Instances     value.Map                        `json:"instances"` // the old {deploy: n}, or {}
	Interfaces    map[string]map[string]*Interface `json:"interfaces"`
	Operations    map[string]*Operation            `json:"operations"` // interface.op, and op where unambiguous
	Relationships []Relationship                   `json:"relationships"`
	HostID        string                           `json:"host_id,omitempty"`

	Plugins           []Plugin `json:"plugins"`
	PluginsToInstall  []Plugin `json:"plugins_to_install,omitzero"` // host nodes only
	DeploymentPlugins []Plugin `json:"deployment_plugins_to_install"`
}

// IsA tells whether the node's type is, or descends from, the named type.
func (n *Node) IsA(typeName string) bool {
	for _, t := range n.TypeHierarchy {
		if t == typeName {
			return true
		}
	}
	return false
}

// NodeCapabilities holds the scalable numbers of a node; they are always there.
type NodeCapabilities struct {
	Scalable struct {
		Properties Scalable `json:"properties"`
	} `json:"scalable"`
}

// Scalable holds the instance numbers of a node or scaling group. Values are
// int64 once prepared; before, they may be intrinsic functions.
type Scalable struct {
	Min     value.Any `json:"min_instances"`
	Max     value.Any `json:"max_instances"` // Unbounded for no limit
	Default value.Any `json:"default_instances"`
	Current value.Any `json:"current_instances"`
	Planned value.Any `json:"planned_instances"`
}

// Interface is one operation as written in an interface, merged with its type's.
type Interface struct {
	Implementation     string     `json:"implementation"`
	Inputs             value.Map  `json:"inputs"`
	Executor           *string    `json:"executor"`
	MaxRetries         *int64     `json:"max_retries"`
	RetryInterval      *value.Any `json:"retry_interval"` // seconds
	Timeout            *value.Any `json:"timeout"`        // seconds
	TimeoutRecoverable *bool      `json:"timeout_recoverable"`
}

// Operation is one operation with its implementation resolved to a plugin.
// Plugin and Operation are "" for an operation that does nothing.
type Operation struct {
	Plugin                string            `json:"plugin"`
	Operation             string            `json:"operation"`
	Executor              *string           `json:"executor"`
	Inputs                value.Map         `json:"inputs"`
	InputsTypes           map[string]string `json:"inputs_types,omitempty"`
	HasIntrinsicFunctions bool              `json:"has_intrinsic_functions"`
	MaxRetries            *int64            `json:"max_retries"`    // nil: the manager's default
	RetryInterval         *value.Any        `json:"retry_interval"` // seconds; nil: the manager's default
	Timeout               *value.Any        `json:"timeout"`        // seconds; nil: none
	TimeoutRecoverable    *bool             `json:"timeout_recoverable"`
}

// IsMapped tells whether the operation does anything; nil does nothing.
func (o *Operation) IsMapped() bool { return o != nil && o.Operation != "" }

// Relationship is one relationship of a node, resolved against its type.
type Relationship struct {
	Type             string                           `json:"type"`
	TypeHierarchy    []string                         `json:"type_hierarchy"`
	TargetID         string                           `json:"target_id"`
	Properties       value.Map                        `json:"properties"`
	SourceInterfaces map[string]map[string]*Interface `json:"source_interfaces"`
	TargetInterfaces map[string]map[string]*Interface `json:"target_interfaces"`
	SourceOperations map[string]*Operation            `json:"source_operations"`
	TargetOperations map[string]*Operation            `json:"target_operations"`
}

// IsA tells whether the relationship's type is, or descends from, the named one.
func (r Relationship) IsA(typeName string) bool {
	for _, t := range r.TypeHierarchy {
		if t == typeName {
			return true
		}
	}
	return false
}

// RelationshipType is a relationship type with its inheritance resolved.
type RelationshipType struct {
	Name             string                              `json:"name"`
	DerivedFrom      *string                             `json:"derived_from,omitempty"`
	TypeHierarchy    []string                            `json:"type_hierarchy"`
	Properties       map[string]Schema                   `json:"properties"`
	SourceInterfaces map[string]map[string]TypeInterface `json:"source_interfaces"`
	TargetInterfaces map[string]map[string]TypeInterface `json:"target_interfaces"`
}

// TypeInterface is an operation as a type declares it: its inputs are schemas.
type TypeInterface struct {
	Implementation     string            `json:"implementation"`
	Inputs             map[string]Schema `json:"inputs"`
	Executor           *string           `json:"executor"`
	MaxRetries         *int64            `json:"max_retries"`
	RetryInterval      *value.Any        `json:"retry_interval"`
	Timeout            *value.Any        `json:"timeout"`
	TimeoutRecoverable *bool             `json:"timeout_recoverable"`
}

// Workflow is a workflow's mapping and declaration.
type Workflow struct {
	Plugin            string            `json:"plugin"`
	Operation         string            `json:"operation"`
	Parameters        map[string]Schema `json:"parameters"`
	IsCascading       bool              `json:"is_cascading"`
	AvailabilityRules *Availability     `json:"availability_rules"`
}

// Availability says when a workflow may be started.
type Availability struct {
	Available           *bool    `json:"available,omitempty"`
	NodeInstancesActive []string `json:"node_instances_active,omitzero"` // all, partial, none
	NodeTypesRequired   []string `json:"node_types_required,omitzero"`
}

// Plugin is a plugin as a node, a host or a workflow uses it.
type Plugin struct {
	Name                  string            `json:"name"`
	Executor              string            `json:"executor"`
	Install               bool              `json:"install"`
	Source                *string           `json:"source"`
	InstallArguments      *string           `json:"install_arguments"`
	PackageName           *string           `json:"package_name"`
	PackageVersion        *string           `json:"package_version"`
	SupportedPlatform     *string           `json:"supported_platform"`
	Distribution          *string           `json:"distribution"`
	DistributionVersion   *string           `json:"distribution_version"`
	DistributionRelease   *string           `json:"distribution_release"`
	PropertiesDescription *string           `json:"properties_description"`
	Properties            map[string]Schema `json:"properties"`
}

// DataType is a data type with its inheritance resolved.
type DataType struct {
	Properties  map[string]Schema `json:"properties"`
	Description *string           `json:"description"`
	DerivedFrom *string           `json:"derived_from"`
	Version     *string           `json:"version"`
}

// PolicyType is a declared policy type.
type PolicyType struct {
	Source     string            `json:"source"`
	Properties map[string]Schema `json:"properties"`
}

// PolicyTrigger is a declared policy trigger.
type PolicyTrigger struct {
	Source     string            `json:"source"`
	Parameters map[string]Schema `json:"parameters"`
}

// Policy applies scaling numbers to groups.
type Policy struct {
	Type       string   `json:"type"`
	Properties Scalable `json:"properties"`
	Targets    []string `json:"targets"`
}

// Group is a named set of nodes and groups with policies of the old form.
type Group struct {
	Members  []string               `json:"members"`
	Policies map[string]GroupPolicy `json:"policies"`
}

// GroupPolicy is a policy inside a group.
type GroupPolicy struct {
	Type       string                  `json:"type"`
	Properties value.Map               `json:"properties"`
	Triggers   map[string]GroupTrigger `json:"triggers"`
}

// GroupTrigger is a trigger inside a group's policy.
type GroupTrigger struct {
	Type       string    `json:"type"`
	Parameters value.Map `json:"parameters"`
}

// ScalingGroup is a group that a scaling policy targets.
type ScalingGroup struct {
	Members    []string `json:"members"`
	Properties Scalable `json:"properties"`
}

// NodeInstance is one instance of a node.
type NodeInstance struct {
	Name          string                 `json:"name"`
	NodeID        string                 `json:"node_id"`
	ID            string                 `json:"id"`
	HostID        string                 `json:"host_id,omitempty"`
	Relationships []InstanceRelationship `json:"relationships"`
	ScalingGroups []GroupInstance        `json:"scaling_groups,omitempty"`
	Modification  string                 `json:"modification,omitempty"` // added, removed, extended, reduced
}

// InstanceRelationship connects a node instance with another.
type InstanceRelationship struct {
	Type       string `json:"type"`
	TargetName string `json:"target_name"`
	TargetID   string `json:"target_id"`
}

// GroupInstance is the instance of a scaling group that a node instance is in.
type GroupInstance struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// InterDeploymentFunction is a get_capability found in a deployment plan.
type InterDeploymentFunction struct {
	FunctionIdentifier string            `json:"function_identifier"`
	TargetDeployment   []any             `json:"target_deployment"` // [id or nil, as written]
	Context            map[string]string `json:"context"`
}
