package ctxproxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"windlass/internal/value"
)

// operationObject is ctx.operation.
type operationObject struct{ s *Session }

func (operationObject) className() string { return "OperationContext" }

func (o operationObject) attribute(_ context.Context, name string) (any, bool, error) {
	req := o.s.cfg.Request
	switch name {
	case "name":
		return found(req.Name)
	case "retry_number":
		return found(int64(req.RetryNumber))
	case "max_retries":
		return found(int64(req.MaxRetries))
	case "relationship":
		switch {
		case req.Relationship == nil:
			return found(nil)
		case req.Relationship.OnTarget:
			return found("target")
		}
		return found("source")
	case "retry":
		return found(method(o.retry))
	}
	return nil, false, nil
}

func (o operationObject) retry(_ context.Context, args []any, kwargs map[string]any) (any, error) {
	a, err := bind("retry", []parameter{{name: "message"}, {name: "retry_after"}}, args, kwargs)
	if err != nil {
		return nil, err
	}
	after, err := seconds("retry", "retry_after", a[1])
	if err != nil {
		return nil, err
	}
	o.s.askForRetry(optionalText(a[0]), after)
	return nil, nil
}

// deploymentObject is ctx.deployment.
type deploymentObject struct{ s *Session }

func (deploymentObject) className() string { return "DeploymentContext" }

func (o deploymentObject) attribute(_ context.Context, name string) (any, bool, error) {
	req := o.s.cfg.Request
	switch name {
	case "id":
		return found(req.DeploymentID)
	case "tenant_name":
		return found(req.Tenant)
	case "display_name":
		return found(req.DeploymentDisplayName)
	case "creator":
		return found(req.DeploymentCreator)
	case "resource_tags":
		return found(fixedDict(req.ResourceTags))
	case "runtime_only_evaluation":
		return found(req.RuntimeOnlyEvaluation)
	}
	return nil, false, nil
}

// blueprintObject is ctx.blueprint.
type blueprintObject struct{ s *Session }

func (blueprintObject) className() string { return "BlueprintContext" }

func (o blueprintObject) attribute(_ context.Context, name string) (any, bool, error) {
	if name == "id" {
		return found(o.s.cfg.Request.BlueprintID)
	}
	return nil, false, nil
}

// pluginObject is ctx.plugin: a text, the plugin's name, that has attributes.
type pluginObject struct{ s *Session }

func (pluginObject) className() string { return "PluginContext" }

func (o pluginObject) plain(context.Context) (any, error) { return o.s.cfg.Request.Plugin.Name, nil }

func (o pluginObject) attribute(_ context.Context, name string) (any, bool, error) {
	p := o.s.cfg.Request.Plugin
	switch name {
	case "name":
		return found(p.Name)
	case "package_name":
		return found(orNull(p.PackageName))
	case "package_version":
		return found(orNull(p.PackageVersion))
	case "source":
		return found(orNull(p.Source))
	case "properties":
		properties := make(map[string]any, len(p.Properties))
		for k, schema := range p.Properties {
			v, err := value.Of(schema)
			if err != nil {
				return nil, false, fmt.Errorf("read property %s of plugin %s: %w", k, p.Name, err)
			}
			properties[k] = v
		}
		return found(fixedDict(properties))
	case "prefix":
		return found(nil)
	case "workdir":
		dir, err := o.workdir()
		return dir, err == nil, err
	}
	return nil, false, nil
}

func (o pluginObject) workdir() (any, error) {
	req := o.s.cfg.Request
	if req.WorkDir == "" {
		return nil, failf(nonRecoverable, "ctx plugin workdir: the deployment has no work directory")
	}
	dir := filepath.Join(req.WorkDir, "plugins", fileName(req.Plugin.Name))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the plugin's work directory: %w", err)
	}
	return dir, nil
}

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// agent is there on compute nodes only; agents are not installed from scripts
// here, so it has nothing to offer.
func (o rootObject) agent(ctx context.Context) (any, bool, error) {
	v, _, err := o.attribute(ctx, "node")
	if err != nil {
		return nil, false, err
	}
	n, err := o.s.node(ctx, v.(nodeObject).subject)
	if err != nil {
		return nil, false, err
	}
	if !slices.Contains(n.TypeHierarchy, "cloudify.nodes.Compute") {
		return nil, false, failf(nonRecoverable,
			"ctx.agent can only be used with compute nodes but current node is of type: %s", n.Type)
	}
	return found(agentObject{})
}

type agentObject struct{}

func (agentObject) className() string { return "CloudifyAgentContext" }

func (agentObject) attribute(_ context.Context, name string) (any, bool, error) {
	switch name {
	case "init_script":
		return found(method(func(context.Context, []any, map[string]any) (any, error) { return nil, nil }))
	case "install_script_download_link":
		return found(method(func(context.Context, []any, map[string]any) (any, error) {
			return nil, failf(nonRecoverable, "ctx agent install-script-download-link is not available on this manager")
		}))
	case "script_path":
		return found(nil)
	}
	return nil, false, nil
}

// bootstrapObject is ctx.bootstrap_context. This manager is not bootstrapped,
// so all of it is empty.
type bootstrapObject struct{}

func (bootstrapObject) className() string { return "BootstrapContext" }

func (bootstrapObject) attribute(_ context.Context, name string) (any, bool, error) {
	switch name {
	case "cloudify_agent":
		return found(emptyObject{"CloudifyAgent", []string{
			"agent_key_path", "broker_ip", "broker_pass", "broker_ssl_enabled", "broker_user", "broker_vhost", "cluster",
			"max_workers", "min_workers", "networks", "remote_execution_port", "user",
		}})
	case "policy_engine":
		return found(emptyObject{"PolicyEngine", []string{"start_timeout"}})
	case "resources_prefix":
		return found("")
	case "broker_config":
		return found(method(func(context.Context, []any, map[string]any) (any, error) {
			return map[string]any{
				"broker_ip": nil, "broker_user": nil, "broker_pass": nil, "broker_vhost": nil,
				"broker_ssl_enabled": nil, "cluster": nil,
			}, nil
		}))
	}
	return nil, false, nil
}

// emptyObject has attributes that are all null.
type emptyObject struct {
	class      string
	attributes []string
}

func (o emptyObject) className() string { return o.class }

func (o emptyObject) attribute(_ context.Context, name string) (any, bool, error) {
	return nil, slices.Contains(o.attributes, name), nil
}
