package ctxproxy

import (
	"context"
	"net/url"

	"windlass/internal/value"
)

// rootObject is ctx.
type rootObject struct{ s *Session }

func (rootObject) className() string { return "CloudifyContext" }

// found is what attribute methods return for an attribute they have.
func found(v any) (any, bool, error) { return v, true, nil }

func (o rootObject) attribute(ctx context.Context, name string) (any, bool, error) {
	if v, ok := o.fact(name); ok {
		return found(v)
	}
	if m := o.method(name); m != nil {
		return found(m)
	}
	switch name {
	case "node", "instance":
		if t := o.s.contextType(); t != "node-instance" {
			return nil, false, failf(nonRecoverable,
				"ctx.node/ctx.instance can only be used in a node-instance context but used in a %s context.", t)
		}
		self := subjectObject{s: o.s, subject: o.s.cfg.Request.Self, modifiable: true}
		if name == "node" {
			return found(self.node())
		}
		return found(self.instance())
	case "source", "target":
		if t := o.s.contextType(); t != "relationship-instance" {
			return nil, false, failf(nonRecoverable,
				"ctx.source/ctx.target can only be used in a relationship-instance context but used in a %s context.", t)
		}
		subject := o.s.cfg.Request.Relationship.Source
		if name == "target" {
			subject = o.s.cfg.Request.Relationship.Target
		}
		return found(subjectObject{s: o.s, subject: subject, modifiable: true})
	case "capabilities":
		c, err := capabilitiesOf(o.s)
		return c, err == nil, err
	case "agent":
		return o.agent(ctx)
	case "operation":
		return found(operationObject(o))
	case "deployment":
		return found(deploymentObject(o))
	case "blueprint":
		return found(blueprintObject(o))
	case "plugin":
		return found(pluginObject(o))
	case "logger":
		return found(loggerObject(o))
	case "bootstrap_context":
		return found(bootstrapObject{})
	}
	return nil, false, nil
}

// fact is an attribute that is known from the start.
func (o rootObject) fact(name string) (any, bool) {
	req := o.s.cfg.Request
	switch name {
	case "type":
		return o.s.contextType(), true
	case "task_type":
		return "operation", true
	case "execution_id":
		return req.ExecutionID, true
	case "workflow_id":
		return req.WorkflowID, true
	case "workflow_parameters":
		return fixedDict(req.WorkflowParameters), true
	case "task_id":
		return req.TaskID, true
	case "task_name":
		return req.Implementation, true
	case "task_target", "task_queue", "rest_ssl_cert":
		return nil, true
	case "tenant":
		return fixedDict(map[string]any{"name": req.Tenant}), true
	case "tenant_name":
		return req.Tenant, true
	case "rest_host", "rest_port":
		host, port := restAddress(req.RestURL)
		if name == "rest_host" {
			return host, true
		}
		return port, true
	case "rest_token", "execution_token":
		if req.Token == "" {
			return nil, true
		}
		return req.Token, true
	case "execution_creator_username":
		return req.ExecutionCreator, true
	case "bypass_maintenance":
		return false, true
	case "timeout":
		if req.Timeout == 0 {
			return nil, true
		}
		return secondsValue(req.Timeout), true
	case "timeout_recoverable":
		return req.TimeoutRecoverable, true
	case "execution_env", "provider_context":
		return fixedDict(nil), true
	case "resume":
		return req.Resume, true
	}
	return nil, false
}

// restAddress splits the address of the REST API; both are null if there is none.
func restAddress(address string) (host, port any) {
	u, err := url.Parse(address)
	if address == "" || err != nil {
		return nil, nil
	}
	p := u.Port()
	if p == "" {
		p = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Hostname(), numberOr(p)
}

func numberOr(text string) any {
	v, err := value.Decode([]byte(text))
	if _, isInt := v.(int64); err != nil || !isInt {
		return nil
	}
	return v
}

func (o rootObject) method(name string) method {
	switch name {
	case "returns":
		return func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
			a, err := bind("returns", []parameter{{name: "value", required: true, structured: true}}, args, kwargs)
			if err != nil {
				return nil, err
			}
			return nil, o.s.returns(value.Copy(a[0]))
		}
	case "abort_operation":
		return func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
			a, err := bind("abort_operation", []parameter{{name: "message"}}, args, kwargs)
			if err != nil {
				return nil, err
			}
			return o.s.abort(optionalText(a[0]))
		}
	case "retry_operation":
		return func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
			a, err := bind("retry_operation", []parameter{{name: "message"}, {name: "retry_after"}}, args, kwargs)
			if err != nil {
				return nil, err
			}
			after, err := seconds("retry_operation", "retry_after", a[1])
			if err != nil {
				return nil, err
			}
			return o.s.retryOperation(optionalText(a[0]), after)
		}
	case "send_event":
		return func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
			a, err := bind("send_event", []parameter{{name: "event", required: true, structured: true}}, args, kwargs)
			if err != nil {
				return nil, err
			}
			o.s.cfg.Host.Event(value.Text(a[0]))
			return nil, nil
		}
	case "get_execution":
		return o.getExecution
	case "get_operation":
		return o.getOperation
	case "get_managers", "get_brokers":
		return func(context.Context, []any, map[string]any) (any, error) { return []any{}, nil }
	case "get_config", "update_operation":
		return func(context.Context, []any, map[string]any) (any, error) {
			return nil, failf(nonRecoverable, "ctx %s is not available to operations of this manager", name)
		}
	case "local_deployment_workdir":
		return func(context.Context, []any, map[string]any) (any, error) {
			if o.s.cfg.Request.WorkDir == "" {
				return nil, nil
			}
			return o.s.cfg.Request.WorkDir, nil
		}
	case "download_deployment_workdir", "upload_deployment_workdir", "sync_deployment_workdir":
		// Operations run beside the work directory: there is nothing to copy.
		return func(context.Context, []any, map[string]any) (any, error) { return nil, nil }
	}
	return o.resourceMethod(name)
}

func (o rootObject) getExecution(_ context.Context, args []any, kwargs map[string]any) (any, error) {
	a, err := bind("get_execution", []parameter{{name: "execution_id"}}, args, kwargs)
	if err != nil {
		return nil, err
	}
	req := o.s.cfg.Request
	if id := optionalText(a[0]); id != "" && id != req.ExecutionID {
		return nil, failf(nonRecoverable, "ctx get-execution knows the current execution %s only, not %s", req.ExecutionID, id)
	}
	return map[string]any{
		"id": req.ExecutionID, "workflow_id": req.WorkflowID, "status": "started",
		"deployment_id": req.DeploymentID, "blueprint_id": req.BlueprintID,
		"parameters": value.CopyMap(req.WorkflowParameters), "created_by": req.ExecutionCreator,
		"tenant_name": req.Tenant,
	}, nil
}

func (o rootObject) getOperation(context.Context, []any, map[string]any) (any, error) {
	req := o.s.cfg.Request
	return map[string]any{
		"id": req.TaskID, "name": req.Name, "state": "started",
		"parameters": map[string]any{
			"retries": int64(req.RetryNumber), "total_retries": int64(req.MaxRetries), "task_name": req.Implementation,
		},
	}, nil
}
