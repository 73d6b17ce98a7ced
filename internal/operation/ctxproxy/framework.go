package ctxproxy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// invoke performs one request of the Python framework, python/cloudify/_bridge.py.
func (s *Session) invoke(ctx context.Context, name string, p map[string]any) (any, error) {
	text := func(key string) string { t, _ := p[key].(string); return t }
	switch name {
	case "context":
		return s.describe()
	case "node":
		n, err := s.node(ctx, operation.Subject{NodeID: text("node_id"), InstanceID: text("instance_id")})
		if err != nil {
			return nil, err
		}
		return map[string]any{
			"id": n.ID, "type": n.Type, "type_hierarchy": texts(n.TypeHierarchy),
			"properties": orEmpty(n.Properties), "number_of_instances": int64(n.NumberOfInstances),
		}, nil
	case "instance":
		return s.describeInstance(ctx, text("id"))
	case "refresh_instance":
		if err := s.instance(text("id")).refresh(ctx, true); err != nil {
			return nil, err
		}
		return s.describeInstance(ctx, text("id"))
	case "save_instance":
		return nil, s.saveInstance(ctx, text("id"), p)
	case "store_instance":
		return s.storeInstance(ctx, text("id"), p)
	case "host_ip":
		return s.hostIP(ctx, operation.Subject{NodeID: text("node_id"), InstanceID: text("instance_id")})
	case "resource":
		data, err := s.resource(ctx, text("path"))
		return base64.StdEncoding.EncodeToString(data), err
	case "place":
		return s.place(text("path"), "")
	case "log":
		s.cfg.Host.Log(levelNamed(p["level"]), cleanText(text("message")))
		return nil, nil
	case "event":
		s.cfg.Host.Event(cleanText(text("message")))
		return nil, nil
	case "finish":
		return nil, s.report(func(o *outcome) { o.result = value.Copy(p["result"]) })
	case "fail":
		failure, err := reportedError(p)
		if err != nil {
			return nil, err
		}
		return nil, s.report(func(o *outcome) { o.failure = failure })
	}
	return nil, failf(runtimeError, "the framework of this Python process asks for %q, which this manager does not know", name)
}

// describe is everything about the operation that is known from the start.
func (s *Session) describe() (any, error) {
	req := s.cfg.Request
	root := rootObject{s}
	facts := map[string]any{}
	for _, name := range []string{
		"type", "task_type", "execution_id", "workflow_id", "task_id", "task_name", "task_target", "task_queue",
		"tenant_name", "rest_host", "rest_port", "rest_token", "execution_token", "rest_ssl_cert",
		"execution_creator_username", "bypass_maintenance", "timeout", "timeout_recoverable", "resume",
	} {
		facts[name], _ = root.fact(name)
	}
	plugin := pluginObject{s}
	properties, _, err := plugin.attribute(context.Background(), "properties")
	if err != nil {
		return nil, err
	}
	pluginProperties, err := properties.(*dict).plain(context.Background())
	if err != nil {
		return nil, err
	}
	d := map[string]any{
		"facts":               facts,
		"inputs":              orEmpty(s.cfg.Inputs),
		"workflow_parameters": orEmpty(req.WorkflowParameters),
		"work_dir":            req.WorkDir,
		"rest_url":            req.RestURL,
		"blueprint":           map[string]any{"id": req.BlueprintID},
		"deployment": map[string]any{
			"id": req.DeploymentID, "tenant_name": req.Tenant, "display_name": req.DeploymentDisplayName,
			"creator": req.DeploymentCreator, "resource_tags": orEmpty(req.ResourceTags),
			"runtime_only_evaluation": req.RuntimeOnlyEvaluation,
		},
		"operation": map[string]any{
			"name": req.Name, "retry_number": int64(req.RetryNumber), "max_retries": int64(req.MaxRetries), "relationship": nil,
		},
		"plugin": map[string]any{
			"name": req.Plugin.Name, "package_name": orNull(req.Plugin.PackageName),
			"package_version": orNull(req.Plugin.PackageVersion), "source": orNull(req.Plugin.Source),
			"properties": pluginProperties,
		},
	}
	switch s.contextType() {
	case "node-instance":
		d["self"] = describeSubject(req.Self)
	case "relationship-instance":
		d["source"] = describeSubject(req.Relationship.Source)
		d["target"] = describeSubject(req.Relationship.Target)
		side, _, _ := operationObject{s}.attribute(context.Background(), "relationship")
		d["operation"].(map[string]any)["relationship"] = side
	}
	return d, nil
}

func describeSubject(subject operation.Subject) map[string]any {
	return map[string]any{"node_id": subject.NodeID, "instance_id": subject.InstanceID}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return value.CopyMap(m)
}

func (s *Session) describeInstance(ctx context.Context, id string) (any, error) {
	var d map[string]any
	err := s.instance(id).with(ctx, func(i *operation.Instance) error {
		relationships := make([]any, len(i.Relationships))
		for n, r := range i.Relationships {
			relationships[n] = map[string]any{
				"type": r.Type, "type_hierarchy": texts(r.TypeHierarchy), "target": describeSubject(r.Target),
			}
		}
		groups := map[string]any{}
		for _, g := range i.ScalingGroups {
			groups[g.ID] = g.Name
		}
		d = map[string]any{
			"id": i.ID, "node_id": i.NodeID, "host_id": i.HostID, "index": int64(i.Index), "state": i.State,
			"version": int64(i.Version), "runtime_properties": orEmpty(i.RuntimeProperties),
			"system_properties": orEmpty(i.SystemProperties), "relationships": relationships, "scaling_groups": groups,
		}
		return nil
	})
	return d, err
}

func (s *Session) modifiable(id string) error {
	for _, subject := range s.subjects() {
		if subject.InstanceID == id {
			return nil
		}
	}
	return notModifiable()
}

// saveInstance puts changes on top of the state of an instance and stores it.
func (s *Session) saveInstance(ctx context.Context, id string, p map[string]any) error {
	if err := s.modifiable(id); err != nil {
		return err
	}
	set, ok := p["set"].(map[string]any)
	removed, ok2 := p["remove"].([]any)
	if !ok || !ok2 {
		return failf(typeError, "save_instance takes a dictionary set and a list remove")
	}
	state := s.instance(id)
	err := state.with(ctx, func(i *operation.Instance) error {
		for k, v := range set {
			i.RuntimeProperties[k] = value.Copy(v)
		}
		for _, k := range removed {
			delete(i.RuntimeProperties, value.Text(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return state.save(ctx)
}

// storeInstance stores runtime properties as they are, for handlers of
// conflicts that do their own merging. It tells whether there was a conflict.
func (s *Session) storeInstance(ctx context.Context, id string, p map[string]any) (any, error) {
	if err := s.modifiable(id); err != nil {
		return nil, err
	}
	runtime, ok := p["runtime_properties"].(map[string]any)
	version, ok2 := p["version"].(int64)
	if !ok || !ok2 {
		return nil, failf(typeError, "store_instance takes a number version and a dictionary runtime_properties")
	}
	_, err := s.cfg.Host.UpdateInstance(ctx, id, int(version), runtime)
	if errors.Is(err, operation.ErrConflict) {
		return map[string]any{"conflict": true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store runtime properties of %s: %w", id, err)
	}
	// What was loaded is old now.
	return map[string]any{"conflict": false}, s.instance(id).refresh(ctx, true)
}

// report notes how a Python script ended; only the first report counts.
func (s *Session) report(note func(o *outcome)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.outcome.reported {
		s.outcome.reported = true
		note(&s.outcome)
	}
	return nil
}

var verdicts = map[string]operation.Verdict{
	"recoverable": operation.Recoverable, "non_recoverable": operation.NonRecoverable, "reschedule": operation.Reschedule,
}

func reportedError(p map[string]any) (*operation.Error, error) {
	text := func(m map[string]any, key string) string { t, _ := m[key].(string); return cleanText(t) }
	verdict, ok := verdicts[text(p, "verdict")]
	if !ok {
		return nil, failf(typeError, "fail takes a verdict: recoverable, non_recoverable or reschedule")
	}
	after, err := seconds("fail", "retry_after", p["retry_after"])
	if err != nil {
		after = nil // an exception with a strange retry_after is still that exception
	}
	e := &operation.Error{
		Verdict: verdict, Type: text(p, "type"), Message: text(p, "message"), Traceback: text(p, "traceback"), RetryAfter: after,
	}
	causes, _ := p["causes"].([]any)
	for _, c := range causes {
		m, _ := c.(map[string]any)
		e.Causes = append(e.Causes, operation.Cause{Message: text(m, "message"), Type: text(m, "type"), Traceback: text(m, "traceback")})
	}
	return e, nil
}
