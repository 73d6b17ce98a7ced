package plugin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
)

// Call is one operation that is to be performed. Goroutines may share it.
type Call struct {
	// Operation is what the blueprint's implementation names after the plugin:
	// "greet" for "mine.greet".
	Operation string
	// Interface is the blueprint's name of it: cloudify.interfaces.lifecycle.create.
	Interface string
	// RetryNumber is 0 for the first attempt; MaxRetries is -1 for no limit.
	RetryNumber, MaxRetries int
	// Resume tells that an earlier attempt was interrupted, and may have done a
	// part of its work.
	Resume bool

	ExecutionID, WorkflowID, DeploymentID, BlueprintID, Tenant string
	// PluginProperties are those that the plugin has in this deployment.
	PluginProperties map[string]any
	// WorkDir is a folder of the deployment that lasts.
	WorkDir string
	// RestURL is where the REST API is, "" if none is served; Token gives the
	// rights of the execution there (header Execution-Token).
	RestURL, Token string

	// Log stores lines in the execution's log.
	Log *slog.Logger

	conn   *conn
	inputs json.RawMessage
	about  about
}

// about is how the manager describes an operation.
type about struct {
	Facts struct {
		ExecutionID string `json:"execution_id"`
		WorkflowID  string `json:"workflow_id"`
		TenantName  string `json:"tenant_name"`
		Token       string `json:"execution_token"`
		Resume      bool
	}
	WorkDir    string `json:"work_dir"`
	RestURL    string `json:"rest_url"`
	Blueprint  struct{ ID string }
	Deployment struct{ ID string }
	Operation  struct {
		Name        string
		RetryNumber int `json:"retry_number"`
		MaxRetries  int `json:"max_retries"`
	}
	Plugin struct{ Properties map[string]any }
	Self   *subject
	Source *subject
	Target *subject
}

type subject struct {
	NodeID     string `json:"node_id"`
	InstanceID string `json:"instance_id"`
}

func newCall(c *conn, operation string, inputs json.RawMessage, a about) *Call {
	return &Call{
		Operation: operation, Interface: a.Operation.Name, RetryNumber: a.Operation.RetryNumber, MaxRetries: a.Operation.MaxRetries,
		Resume: a.Facts.Resume, ExecutionID: a.Facts.ExecutionID, WorkflowID: a.Facts.WorkflowID, DeploymentID: a.Deployment.ID,
		BlueprintID: a.Blueprint.ID, Tenant: a.Facts.TenantName, PluginProperties: a.Plugin.Properties, WorkDir: a.WorkDir,
		RestURL: a.RestURL, Token: a.Facts.Token, Log: slog.New(&logHandler{conn: c}), conn: c, inputs: inputs, about: a,
	}
}

// Inputs decodes the operation's inputs, as encoding/json does. An error is
// Fatal: the inputs will not be others next time.
func (c *Call) Inputs(into any) error {
	if err := json.Unmarshal(c.inputs, into); err != nil {
		return Fatal(fmt.Errorf("the inputs of %s: %w", c.Interface, err))
	}
	return nil
}

// Event stores an event of the execution.
func (c *Call) Event(message string) { c.conn.tell("event", map[string]any{"message": message}) }

// Resource returns a file of the deployment, the blueprint or the shared
// resources, looked for in that order. If none has it the error is Fatal.
func (c *Call) Resource(ctx context.Context, path string) ([]byte, error) {
	var text string
	if err := c.conn.ask(ctx, "resource", map[string]any{"path": path}, &text); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

// Self is the node instance that the operation acts on. In an operation of a
// relationship there is none: see Source and Target.
func (c *Call) Self(ctx context.Context) (*Instance, error) { return c.side(ctx, c.about.Self) }

// Source is the instance that the relationship begins at.
func (c *Call) Source(ctx context.Context) (*Instance, error) { return c.side(ctx, c.about.Source) }

// Target is the instance that the relationship leads to.
func (c *Call) Target(ctx context.Context) (*Instance, error) { return c.side(ctx, c.about.Target) }

var errNoSide = Fatal(errors.New("the operation has no such instance: operations of nodes have Self, those of relationships Source and Target"))

func (c *Call) side(ctx context.Context, s *subject) (*Instance, error) {
	if s == nil {
		return nil, errNoSide
	}
	return c.Instance(ctx, s.InstanceID)
}

// Instance is any node instance of the deployment. Only those that the operation
// acts on can be saved.
func (c *Call) Instance(ctx context.Context, id string) (*Instance, error) {
	i := &Instance{call: c}
	if err := c.conn.ask(ctx, "instance", map[string]any{"id": id}, i); err != nil {
		return nil, err
	}
	if err := i.remember(); err != nil {
		return nil, err
	}
	return i, nil
}

// Instance is a node instance as it was when it was read.
type Instance struct {
	ID     string `json:"id"`
	NodeID string `json:"node_id"`
	HostID string `json:"host_id"`
	Index  int    `json:"index"` // from 1
	State  string `json:"state"`
	// RuntimeProperties may be changed, and are stored with Save.
	RuntimeProperties map[string]any `json:"runtime_properties"`
	Relationships     []Relationship `json:"relationships"`

	call   *Call
	loaded map[string]any
}

// Relationship is a relationship of an instance.
type Relationship struct {
	Type          string   `json:"type"`
	TypeHierarchy []string `json:"type_hierarchy"`
	Target        struct {
		NodeID     string `json:"node_id"`
		InstanceID string `json:"instance_id"`
	} `json:"target"`
}

// remember keeps a copy of the runtime properties, to find what has changed.
func (i *Instance) remember() error {
	data, err := json.Marshal(i.RuntimeProperties)
	if err != nil {
		return err
	}
	i.loaded = nil
	return json.Unmarshal(data, &i.loaded)
}

// Save stores the runtime properties that were changed since they were read.
// Others that somebody else has changed meanwhile stay as they are.
func (i *Instance) Save(ctx context.Context) error {
	set, remove := map[string]any{}, []string{}
	for name, v := range i.RuntimeProperties {
		if before, ok := i.loaded[name]; !ok || !reflect.DeepEqual(before, v) {
			set[name] = v
		}
	}
	for name := range i.loaded {
		if _, ok := i.RuntimeProperties[name]; !ok {
			remove = append(remove, name)
		}
	}
	if len(set)+len(remove) == 0 {
		return nil
	}
	if err := i.call.conn.ask(ctx, "save_instance", map[string]any{"id": i.ID, "set": set, "remove": remove}, nil); err != nil {
		return err
	}
	return i.remember()
}

// Node is the instance's node, its properties evaluated for the instance.
func (i *Instance) Node(ctx context.Context) (Node, error) {
	var n Node
	err := i.call.conn.ask(ctx, "node", map[string]any{"node_id": i.NodeID, "instance_id": i.ID}, &n)
	return n, err
}

// HostIP is the address of the machine that the instance is on.
func (i *Instance) HostIP(ctx context.Context) (string, error) {
	var ip string
	err := i.call.conn.ask(ctx, "host_ip", map[string]any{"node_id": i.NodeID, "instance_id": i.ID}, &ip)
	return ip, err
}

// Node is a node of the deployment.
type Node struct {
	ID                string         `json:"id"`
	Type              string         `json:"type"`
	TypeHierarchy     []string       `json:"type_hierarchy"`
	Properties        map[string]any `json:"properties"`
	NumberOfInstances int            `json:"number_of_instances"`
}
