package ctxproxy

import (
	"context"
	"strconv"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// subjectObject is a node and one of its instances: ctx.source, ctx.target,
// the target of a relationship.
type subjectObject struct {
	s          *Session
	subject    operation.Subject
	modifiable bool
}

func (subjectObject) className() string { return "RelationshipSubjectContext" }

func (o subjectObject) attribute(_ context.Context, name string) (any, bool, error) {
	switch name {
	case "node":
		return found(o.node())
	case "instance":
		return found(o.instance())
	}
	return nil, false, nil
}

func (o subjectObject) node() nodeObject         { return nodeObject(o) }
func (o subjectObject) instance() instanceObject { return instanceObject(o) }

// nodeObject is ctx.node.
type nodeObject subjectObject

func (nodeObject) className() string { return "NodeContext" }

func (o nodeObject) attribute(ctx context.Context, name string) (any, bool, error) {
	switch name {
	case "id", "name":
		return found(o.subject.NodeID)
	case "properties", "type", "type_hierarchy", "number_of_instances":
	default:
		return nil, false, nil
	}
	n, err := o.s.node(ctx, o.subject)
	if err != nil {
		return nil, false, err
	}
	switch name {
	case "properties":
		return found(fixedDict(n.Properties))
	case "type":
		return found(n.Type)
	case "type_hierarchy":
		return found(texts(n.TypeHierarchy))
	}
	return found(int64(n.NumberOfInstances))
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, t := range list {
		out[i] = t
	}
	return out
}

// instanceObject is ctx.instance.
type instanceObject subjectObject

func (instanceObject) className() string { return "NodeInstanceContext" }

func (o instanceObject) state() *instanceState { return o.s.instance(o.subject.InstanceID) }

func (o instanceObject) attribute(ctx context.Context, name string) (any, bool, error) {
	switch name {
	case "id":
		return found(o.subject.InstanceID)
	case "node":
		return found(nodeObject(o))
	case "runtime_properties":
		return found(o.state().runtimeProperties(o.modifiable))
	case "update":
		return found(method(o.update))
	case "refresh":
		return found(method(o.refresh))
	case "host_ip":
		ip, err := o.s.hostIP(ctx, o.subject)
		return ip, err == nil, err
	case "index", "drift", "scaling_groups", "relationships":
		var v any
		err := o.state().with(ctx, func(i *operation.Instance) error {
			v = o.stored(name, i)
			return nil
		})
		return v, err == nil, err
	}
	return nil, false, nil
}

// stored is an attribute that is read from the stored instance.
func (o instanceObject) stored(name string, i *operation.Instance) any {
	switch name {
	case "index":
		return int64(i.Index)
	case "drift":
		drift, _ := i.SystemProperties["configuration_drift"].(map[string]any)
		if ok, _ := drift["ok"].(bool); ok {
			return value.Copy(drift["result"])
		}
		return nil
	case "scaling_groups":
		groups := map[string]any{}
		for _, g := range i.ScalingGroups {
			groups[g.ID] = g.Name
		}
		return fixedDict(groups)
	}
	list := make(relationshipList, len(i.Relationships))
	for n, r := range i.Relationships {
		list[n] = relationshipObject{s: o.s, relationship: r}
	}
	return list
}

func (o instanceObject) update(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
	if _, err := bind("update", nil, args, kwargs); err != nil {
		return nil, err
	}
	if !o.modifiable {
		return nil, notModifiable()
	}
	return nil, o.state().save(ctx)
}

func (o instanceObject) refresh(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
	a, err := bind("refresh", []parameter{{name: "force"}}, args, kwargs)
	if err != nil {
		return nil, err
	}
	return nil, o.state().refresh(ctx, truth(a[0]))
}

// hostIP is the address of an instance's host: its runtime property ip, else
// its node's property ip.
func (s *Session) hostIP(ctx context.Context, subject operation.Subject) (any, error) {
	host := subject
	var ip any
	err := s.instance(subject.InstanceID).with(ctx, func(i *operation.Instance) error {
		host.InstanceID = i.HostID
		return nil
	})
	if err != nil {
		return nil, err
	}
	if host.InstanceID == "" {
		return nil, failf(nonRecoverable, "could not find ip for host node instance: %s is not contained in a host", subject.InstanceID)
	}
	err = s.instance(host.InstanceID).with(ctx, func(i *operation.Instance) error {
		host.NodeID, ip = i.NodeID, value.Copy(i.RuntimeProperties["ip"])
		return nil
	})
	if err != nil {
		return nil, err
	}
	if host.InstanceID == subject.InstanceID {
		host.NodeID = subject.NodeID
	}
	if truth(ip) {
		return ip, nil
	}
	n, err := s.node(ctx, host)
	if err != nil {
		return nil, err
	}
	if ip := n.Properties["ip"]; truth(ip) {
		return ip, nil
	}
	return nil, failf(nonRecoverable, "could not find ip for host node instance: %s", host.InstanceID)
}

// relationshipList is ctx.instance.relationships. A number leads to one of
// them; as a whole it prints what each leads to.
type relationshipList []relationshipObject

func (relationshipList) className() string { return "list" }

func (l relationshipList) attribute(_ context.Context, name string) (any, bool, error) {
	i, err := strconv.Atoi(name)
	if err != nil {
		return nil, false, nil
	}
	if i < 0 || i >= len(l) {
		return nil, false, failf(indexError, "list index out of range: there are %d relationships", len(l))
	}
	return found(l[i])
}

func (l relationshipList) plain(context.Context) (any, error) {
	out := make([]any, len(l))
	for i, r := range l {
		out[i] = map[string]any{
			"type":           r.relationship.Type,
			"type_hierarchy": texts(r.relationship.TypeHierarchy),
			"target": map[string]any{
				"node":     map[string]any{"id": r.relationship.Target.NodeID, "name": r.relationship.Target.NodeID},
				"instance": map[string]any{"id": r.relationship.Target.InstanceID},
			},
		}
	}
	return out, nil
}

// relationshipObject is one of them.
type relationshipObject struct {
	s            *Session
	relationship operation.InstanceRelationship
}

func (relationshipObject) className() string { return "RelationshipContext" }

func (o relationshipObject) attribute(_ context.Context, name string) (any, bool, error) {
	switch name {
	case "type":
		return found(o.relationship.Type)
	case "type_hierarchy":
		return found(texts(o.relationship.TypeHierarchy))
	case "target":
		return found(subjectObject{s: o.s, subject: o.relationship.Target})
	}
	return nil, false, nil
}

// capabilitiesObject is ctx.capabilities: the runtime properties of all that
// an instance is related to.
type capabilitiesObject struct {
	s       *Session
	subject operation.Subject
}

func capabilitiesOf(s *Session) (capabilitiesObject, error) {
	switch req := s.cfg.Request; s.contextType() {
	case "node-instance":
		return capabilitiesObject{s, req.Self}, nil
	case "relationship-instance":
		// Of the end that the operation runs on.
		if req.Relationship.OnTarget {
			return capabilitiesObject{s, req.Relationship.Target}, nil
		}
		return capabilitiesObject{s, req.Relationship.Source}, nil
	}
	return capabilitiesObject{}, failf(nonRecoverable,
		"capabilities can only be used in a node-instance/relationship-instance context but used in a %s context.", s.contextType())
}

func (capabilitiesObject) className() string { return "ContextCapabilities" }

// attribute finds get_all, and any capability by its key.
func (o capabilitiesObject) attribute(ctx context.Context, name string) (any, bool, error) {
	if name == "get_all" {
		return found(method(func(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
			if _, err := bind("get_all", nil, args, kwargs); err != nil {
				return nil, err
			}
			return o.all(ctx)
		}))
	}
	if name == "get-all" {
		return nil, false, nil
	}
	all, err := o.all(ctx)
	if err != nil {
		return nil, false, err
	}
	var holders []any
	for _, id := range value.SortedKeys(all) {
		if v, ok := all[id].(map[string]any)[name]; ok {
			holders = append(holders, v)
		}
	}
	switch len(holders) {
	case 0:
		return nil, false, failf(nonRecoverable, "capability '%s' not found [capabilities=%s]", name, value.Repr(all))
	case 1:
		if m, ok := holders[0].(map[string]any); ok {
			return found(fixedDict(m))
		}
		return found(holders[0])
	}
	return nil, false, failf(nonRecoverable, "'%s' capability ambiguity [capabilities=%s]", name, value.Repr(all))
}

func (o capabilitiesObject) all(ctx context.Context) (map[string]any, error) {
	var targets []string
	err := o.s.instance(o.subject.InstanceID).with(ctx, func(i *operation.Instance) error {
		for _, r := range i.Relationships {
			targets = append(targets, r.Target.InstanceID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := make(map[string]any, len(targets))
	for _, id := range targets {
		properties, err := o.s.instance(id).runtimeProperties(false).plain(ctx)
		if err != nil {
			return nil, err
		}
		all[id] = properties
	}
	return all, nil
}
