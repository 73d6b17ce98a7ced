package store

import (
	"context"
	"io"
	"time"

	"windlass/internal/blueprint/plan"
)

// Blueprint states.
const (
	BlueprintPending          = "pending"
	BlueprintUploading        = "uploading"
	BlueprintExtracting       = "extracting"
	BlueprintParsing          = "parsing"
	BlueprintUploaded         = "uploaded"
	BlueprintValidating       = "validating"
	BlueprintFailedUploading  = "failed_uploading"
	BlueprintFailedExtracting = "failed_extracting"
	BlueprintFailedParsing    = "failed_parsing"
	BlueprintInvalid          = "invalid"
)

// Blueprint is an uploaded blueprint.
type Blueprint struct {
	Owned
	ID                string
	MainFileName      string
	Description       *string
	Plan              *plan.Plan // nil until parsed, and in lists without Query.Full
	Requirements      map[string]any
	UpdatedAt         time.Time
	IsHidden          bool
	State             string
	Error             string
	ErrorTraceback    string
	Labels            []Label
	UploadExecutionID string
	ArchiveHash       string // blob with the archive as uploaded; "" if none yet
	ArchiveSuffix     string // such as tar.gz
}

// BlueprintArchive is where a blueprint's files are: ArchiveHash, ArchiveSuffix and
// State of the Blueprint.
type BlueprintArchive struct{ Hash, Suffix, State string }

// BlueprintReader reads blueprints. Filter fields: id, state, created_by,
// tenant_name, visibility, main_file_name, is_hidden. Search: id.
type BlueprintReader interface {
	GetBlueprint(ctx context.Context, tenant, id string) (Blueprint, error)
	// GetBlueprintArchive reads no more than where the files are: operations ask often.
	GetBlueprintArchive(ctx context.Context, tenant, id string) (BlueprintArchive, error)
	ListBlueprints(ctx context.Context, q Query) (Page[Blueprint], error)
}

// BlueprintWriter changes blueprints. UpdateBlueprint replaces all but the key.
type BlueprintWriter interface {
	AddBlueprint(ctx context.Context, b Blueprint) error
	UpdateBlueprint(ctx context.Context, b Blueprint) error
	DeleteBlueprint(ctx context.Context, tenant, id string) error
}

// Deployment is one instance of a blueprint.
type Deployment struct {
	Owned
	ID                    string
	DisplayName           string
	Description           *string
	BlueprintID           string
	SiteName              string
	UpdatedAt             time.Time
	Inputs                map[string]any
	Outputs               map[string]plan.Output
	Capabilities          map[string]plan.Output
	Groups                map[string]plan.Group
	ScalingGroups         map[string]plan.ScalingGroup
	PolicyTypes           map[string]plan.PolicyType
	PolicyTriggers        map[string]plan.PolicyTrigger
	Workflows             map[string]plan.Workflow
	ResourceTags          map[string]any
	DeploymentSettings    map[string]any
	Labels                []Label
	RuntimeOnlyEvaluation bool
	InstallationStatus    string // active, inactive; "" until first computed
	DeploymentStatus      string // good, in_progress, requires_attention
	LatestExecutionID     string
	CreateExecutionID     string
	UnavailableInstances  int
	DriftedInstances      int

	// Filled on reading from the latest execution, "" and 0 without one.
	LatestExecutionStatus   string // the execution's own status
	LatestExecutionWorkflow string
	LatestExecutionTotal    int
	LatestExecutionFinished int
}

// DeploymentReader reads deployments. Filter fields: id, blueprint_id,
// created_by, tenant_name, visibility, site_name, display_name,
// installation_status, deployment_status, description. Search: id; a Filter on
// display_name with Contains serves the search by name.
type DeploymentReader interface {
	GetDeployment(ctx context.Context, tenant, id string) (Deployment, error)
	ListDeployments(ctx context.Context, q Query) (Page[Deployment], error)
}

// DeploymentWriter changes deployments. UpdateDeployment replaces all but the
// key; DeleteDeployment removes nodes, instances, executions, operations and
// events with it.
type DeploymentWriter interface {
	AddDeployment(ctx context.Context, d Deployment) error
	UpdateDeployment(ctx context.Context, d Deployment) error
	// RefreshDeploymentStatus recomputes installation_status, deployment_status
	// and the instance counters from the instances and the latest execution
	// (rest-api.md 5.6).
	RefreshDeploymentStatus(ctx context.Context, tenant, id string) error
	// SetLatestExecution names the deployment's latest execution and refreshes
	// the status with it.
	SetLatestExecution(ctx context.Context, tenant, id, executionID string) error
	DeleteDeployment(ctx context.Context, tenant, id string) error
}

// Node is a node of a deployment.
type Node struct {
	Tenant           string
	DeploymentID     string
	BlueprintID      string
	ID               string
	Type             string
	TypeHierarchy    []string
	Properties       map[string]any
	Operations       map[string]*plan.Operation
	Relationships    []plan.Relationship // without interfaces
	Plugins          []plan.Plugin
	PluginsToInstall []plan.Plugin
	HostID           string
	Scalable         NodeScale
	Visibility       Visibility
	CreatedBy        string
	Position         int // order in the plan

	// Filled on reading.
	ActualInstances      int
	UnavailableInstances int
	DriftedInstances     int
}

// NodeScale holds a node's instance numbers; Max -1 is unbounded.
type NodeScale struct{ Current, Planned, Deploy, Min, Max int }

// NodeInstance is an instance of a node.
type NodeInstance struct {
	Tenant            string
	DeploymentID      string
	NodeID            string
	ID                string
	HostID            string
	Index             int // from 1, per node
	State             string
	Version           int // optimistic lock, from 1
	RuntimeProperties map[string]any
	SystemProperties  map[string]any // nil: none
	Relationships     []plan.InstanceRelationship
	ScalingGroups     []plan.GroupInstance
	Visibility        Visibility
	CreatedBy         string
}

// NodeReader reads nodes and node instances. Node filter fields:
// deployment_id, id, type, host_id, tenant_name, created_by. Instance filter
// fields: deployment_id, node_id, id, host_id, state, tenant_name, created_by,
// index.
type NodeReader interface {
	GetNode(ctx context.Context, tenant, deployment, id string) (Node, error)
	ListNodes(ctx context.Context, q Query) (Page[Node], error)
	// NodesOfType lists the ids of a deployment's nodes that are of the type or
	// of one derived from it.
	NodesOfType(ctx context.Context, d DeploymentKey, typeName string) ([]string, error)
	// NodeTypes lists the types of deployments' nodes and what these are derived
	// from, each once; a deployment without nodes is not among the keys.
	NodeTypes(ctx context.Context, deployments []DeploymentKey) (map[DeploymentKey][]string, error)
	// InstanceStates lists the states that instances of deployments are in, each
	// once; a deployment without instances is not among the keys.
	InstanceStates(ctx context.Context, deployments []DeploymentKey) (map[DeploymentKey][]string, error)
	// GetInstance finds an instance by its id, unique in the tenant.
	GetInstance(ctx context.Context, tenant, id string) (NodeInstance, error)
	ListInstances(ctx context.Context, q Query) (Page[NodeInstance], error)
}

// NodeWriter changes nodes and node instances.
type NodeWriter interface {
	AddNodes(ctx context.Context, nodes []Node) error
	UpdateNode(ctx context.Context, n Node) error
	// DeleteNodes removes nodes, not their instances; ids that there are not are
	// no error.
	DeleteNodes(ctx context.Context, tenant, deployment string, ids []string) error
	// AddInstances gives ErrExists, naming the id, if one is taken in the tenant.
	AddInstances(ctx context.Context, instances []NodeInstance) error
	// UpdateInstance applies the parts of u that are set and returns the
	// instance as it is then. It gives ErrVersion if the stored version is
	// greater than u.Version, unless u.Force. The version grows by one if
	// anything changed.
	UpdateInstance(ctx context.Context, u InstanceUpdate) (NodeInstance, error)
	DeleteInstances(ctx context.Context, tenant string, ids []string) error
}

// InstanceUpdate names what is to change; nil and "" mean unchanged.
type InstanceUpdate struct {
	Tenant            string
	ID                string
	Version           int
	Force             bool
	State             string
	RuntimeProperties map[string]any
	SystemProperties  map[string]any
	Relationships     []plan.InstanceRelationship
}

// BlobReader reads stored files, which are named by the hex SHA-256 of their content.
type BlobReader interface {
	// OpenBlob returns a reader that the caller closes.
	OpenBlob(ctx context.Context, hash string) (io.ReadCloser, error)
}

// BlobWriter stores files.
type BlobWriter interface {
	// PutBlob stores the content under its hash; storing it again is no error.
	// r is read from its start each time the transaction runs.
	PutBlob(ctx context.Context, hash string, r io.ReadSeeker) error
	DeleteBlob(ctx context.Context, hash string) error
}
