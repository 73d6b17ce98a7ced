package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/access"
	"windlass/internal/catalog"
	"windlass/internal/store"
	"windlass/internal/value"
)

// deploymentGroup is a stored group with its members.
type deploymentGroup struct {
	store.DeploymentGroup
	members []string
}

var deploymentGroupShape = shape[deploymentGroup]{name: "DeploymentGroup", fields: append([]field[deploymentGroup]{
	{"id", text, func(g deploymentGroup) any { return g.ID }},
	{"description", text, func(g deploymentGroup) any { return orNull(g.Description) }},
	{"created_at", moment, func(g deploymentGroup) any { return date(g.CreatedAt) }},
	{"default_blueprint_id", text, func(g deploymentGroup) any { return orNull(g.BlueprintID) }},
	{"default_inputs", dict, func(g deploymentGroup) any { return mapOrNull(g.DefaultInputs) }},
	{"creation_counter", integer, func(g deploymentGroup) any { return int64(g.CreationCounter) }},
	{"deployment_ids", list, func(g deploymentGroup) any {
		ids := []any{}
		for _, id := range g.members {
			ids = append(ids, id)
		}
		return ids
	}},
	{"labels", list, func(g deploymentGroup) any { return labelsOut(g.Labels) }},
}, ownedFields(func(g deploymentGroup) store.Owned { return g.Owned })...)}

var deploymentGroupList = listed{
	filters: []string{"id", "created_by", "tenant_name", "visibility"}, sorts: []string{"id", "created_at"},
}

func (s *server) listDeploymentGroups(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, deploymentGroupList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListDeploymentGroups(r.Context(), q.Query)
	if err != nil {
		return err
	}
	out := store.Page[deploymentGroup]{Total: page.Total, Next: page.Next, Items: make([]deploymentGroup, len(page.Items))}
	for i, g := range page.Items {
		out.Items[i].DeploymentGroup = g
		if out.Items[i].members, err = s.Store.GroupMembers(r.Context(), g.Tenant, g.ID); err != nil {
			return err
		}
	}
	return reply(w, q, deploymentGroupShape, out)
}

func (s *server) findDeploymentGroup(r *request) (store.DeploymentGroup, error) {
	id := r.PathValue("id")
	g, err := s.Store.GetDeploymentGroup(r.Context(), r.tenant, id)
	if err != nil {
		return g, err
	}
	return g, r.sees(g.Owned, "DeploymentGroup", id)
}

func (s *server) replyDeploymentGroup(w http.ResponseWriter, r *request, g store.DeploymentGroup) error {
	members, err := s.Store.GroupMembers(r.Context(), g.Tenant, g.ID)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, deploymentGroupShape, deploymentGroup{DeploymentGroup: g, members: members})
}

func (s *server) getDeploymentGroup(w http.ResponseWriter, r *request) error {
	g, err := s.findDeploymentGroup(r)
	if err != nil {
		return err
	}
	return s.replyDeploymentGroup(w, r, g)
}

// putDeploymentGroup makes a group, or changes what the body has. Naming
// deployments in any way replaces the members.
func (s *server) putDeploymentGroup(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	if err := access.CheckName("id", id, false); err != nil {
		return err
	}
	visibility, err := r.visibility()
	if err != nil {
		return err
	}
	chosen, err := s.chosen(r, r.body)
	if err != nil {
		return err
	}
	given, err := parseLabels(r.list("labels"), r.caller.Username, s.Now())
	if err != nil {
		return err
	}
	var g store.DeploymentGroup
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		var err error
		if g, err = tx.GetDeploymentGroup(r.Context(), r.tenant, id); isMissing(err) {
			g = store.DeploymentGroup{
				Owned: store.Owned{Tenant: r.tenant, Visibility: visibility, CreatedBy: r.caller.Username, CreatedAt: s.Now()}, ID: id,
			}
			err = tx.AddDeploymentGroup(r.Context(), g)
		}
		if err != nil {
			return err
		}
		before := g.Labels
		if err := applyToGroup(r, tx, &g, given); err != nil {
			return err
		}
		if err := tx.UpdateDeploymentGroup(r.Context(), g); err != nil {
			return err
		}
		if chosen != nil {
			if err := replaceMembers(r.Context(), tx, g, chosen); err != nil {
				return err
			}
		}
		return pushLabels(r.Context(), tx, g, before)
	})
	if err != nil {
		return err
	}
	if err := s.createInGroup(r, &g, r.list("new_deployments")); err != nil {
		return err
	}
	return s.replyDeploymentGroup(w, r, g)
}

func applyToGroup(r *request, tx store.Tx, g *store.DeploymentGroup, labels []store.Label) error {
	if r.has("description") {
		g.Description = r.str("description")
	}
	if r.has("blueprint_id") {
		b, err := tx.GetBlueprint(r.Context(), r.tenant, r.str("blueprint_id"))
		if err != nil {
			return err
		}
		g.BlueprintID = b.ID
	}
	if r.has("default_inputs") {
		g.DefaultInputs = r.dict("default_inputs")
	}
	if r.has("labels") {
		g.Labels = labels
	}
	return nil
}

func replaceMembers(ctx context.Context, tx store.Tx, g store.DeploymentGroup, chosen []string) error {
	before, err := tx.GroupMembers(ctx, g.Tenant, g.ID)
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(before, func(id string) bool { return slices.Contains(chosen, id) })
	if err := tx.RemoveGroupMembers(ctx, g.Tenant, g.ID, gone); err != nil {
		return err
	}
	return tx.AddGroupMembers(ctx, g.Tenant, g.ID, chosen)
}

// pushLabels gives the group's labels to its members, and takes away those that
// the group has no more.
func pushLabels(ctx context.Context, tx store.Tx, g store.DeploymentGroup, before []store.Label) error {
	has := func(list []store.Label, l store.Label) bool {
		return slices.ContainsFunc(list, func(o store.Label) bool { return o.Key == l.Key && o.Value == l.Value })
	}
	if len(g.Labels)+len(before) == 0 {
		return nil
	}
	ids, err := tx.GroupMembers(ctx, g.Tenant, g.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		d, err := tx.GetDeployment(ctx, g.Tenant, id)
		if err != nil {
			return err
		}
		labels := slices.DeleteFunc(slices.Clone(d.Labels), func(l store.Label) bool { return has(before, l) && !has(g.Labels, l) })
		for _, l := range g.Labels {
			if !has(labels, l) {
				labels = append(labels, l)
			}
		}
		if err := catalog.Relabel(ctx, tx, d, d.Labels, labels); err != nil {
			return err
		}
		d.Labels = labels
		if err := tx.UpdateDeployment(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// chosen lists the deployments that a body names by their ids, by filter rules
// and by other groups; nil if it names none in any way.
func (s *server) chosen(r *request, body map[string]any) ([]string, error) {
	var ids []string
	if body["filter_id"] != nil {
		stored, err := s.storedRules(r, value.Text(body["filter_id"]), store.FilterDeployments)
		if err != nil {
			return nil, err
		}
		raw, _ := body["filter_rules"].([]any)
		body["filter_rules"] = append(stored, raw...)
	}
	if raw, ok := body["deployment_ids"].([]any); ok {
		ids = []string{}
		for _, v := range raw {
			id, ok := v.(string)
			if !ok {
				return nil, badParameter("deployment_ids must be a list of ids, found %s in it", value.Repr(v))
			}
			if _, err := s.visibleDeployment(r, id); err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
	}
	if name, ok := body["deployments_from_group"].(string); ok {
		if _, err := s.Store.GetDeploymentGroup(r.Context(), r.tenant, name); err != nil {
			return nil, err
		}
		members, err := s.Store.GroupMembers(r.Context(), r.tenant, name)
		if err != nil {
			return nil, err
		}
		ids = append(append([]string{}, ids...), members...)
	}
	if raw, _ := body["filter_rules"].([]any); len(raw) > 0 { // no rules are sent where none are meant
		matching, err := s.matching(r, raw)
		if err != nil {
			return nil, err
		}
		ids = append(append([]string{}, ids...), matching...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func (s *server) matching(r *request, raw []any) ([]string, error) {
	q := listing{}
	q.Tenants, q.Viewer = []string{r.tenant}, r.caller.Username
	rules, err := s.understood(r, raw, deploymentSearch, &q)
	if err != nil {
		return nil, err
	}
	page, _, err := s.findDeployments(r, q, rules)
	ids := []string{}
	for _, d := range page.Items {
		ids = append(ids, d.ID)
	}
	return ids, err
}

func (s *server) patchDeploymentGroup(w http.ResponseWriter, r *request) error {
	g, err := s.findDeploymentGroup(r)
	if err != nil {
		return err
	}
	part := func(name string) (map[string]any, []string, error) {
		body := r.dict(name)
		ids, err := s.chosen(r, body)
		return body, ids, err
	}
	adding, add, err := part("add")
	if err != nil {
		return err
	}
	_, remove, err := part("remove")
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if err := tx.AddGroupMembers(r.Context(), g.Tenant, g.ID, add); err != nil {
			return err
		}
		if err := tx.RemoveGroupMembers(r.Context(), g.Tenant, g.ID, remove); err != nil {
			return err
		}
		return pushLabels(r.Context(), tx, g, nil)
	})
	if err != nil {
		return err
	}
	created, _ := adding["new_deployments"].([]any)
	if err := s.createInGroup(r, &g, created); err != nil {
		return err
	}
	return s.replyDeploymentGroup(w, r, g)
}

// creationConcurrency is how many deployments of a group are made or deleted at once.
const creationConcurrency = 10

// createInGroup makes deployments of the group's blueprint as members.
func (s *server) createInGroup(r *request, g *store.DeploymentGroup, raw []any) error {
	if len(raw) == 0 {
		return nil
	}
	if g.BlueprintID == "" {
		return fail("conflict_error", "Cannot create deployments: group %s has no default blueprint set", g.ID)
	}
	template := "{group_id}-{uuid}"
	if b, err := s.Store.GetBlueprint(r.Context(), r.tenant, g.BlueprintID); err != nil {
		return err
	} else if b.Plan != nil {
		if text, ok := b.Plan.DeploymentSettings["id_template"].(string); ok && text != "" {
			template = text
		}
	}
	group := store.ExecutionGroup{
		Owned: store.Owned{Tenant: g.Tenant, Visibility: store.Tenants, CreatedBy: r.caller.Username, CreatedAt: s.Now()},
		ID:    uuid.NewString(), DeploymentGroupID: g.ID, WorkflowID: catalog.WorkflowCreate, Concurrency: creationConcurrency,
	}
	if err := s.Executions.AddGroup(r.Context(), group); err != nil {
		return err
	}
	for _, v := range raw {
		item, ok := v.(map[string]any)
		if !ok {
			return badParameter("new_deployments must be a list of objects, found %s in it", value.Repr(v))
		}
		if err := s.createMember(r, g, item, template, len(raw), group.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) createMember(r *request, g *store.DeploymentGroup, item map[string]any, template string, many int, group string) error {
	str := func(name string) string { t, _ := item[name].(string); return t }
	given, _ := item["labels"].([]any)
	labels, err := parseLabels(given, r.caller.Username, s.Now())
	if err != nil {
		return err
	}
	inputs := value.CopyMap(g.DefaultInputs)
	if inputs == nil {
		inputs = map[string]any{}
	}
	own, _ := item["inputs"].(map[string]any)
	for k, v := range own {
		inputs[k] = v
	}
	id := str("id")
	if id == "" {
		id = template
	}
	full := strings.NewReplacer("{group_id}", g.ID, "{uuid}", uuid.NewString(), "{blueprint_id}", g.BlueprintID,
		"{count}", strconv.Itoa(g.CreationCounter+1), "{site_name}", str("site_name")).Replace(id)
	if full == id && str("id") == "" || full == id && many > 1 && strings.Contains(id, "{") {
		return fail("conflict_error", "The id template `%s` gives the same id again and again: put {uuid} or {count} into it", id)
	}
	if err := access.CheckName("deployment_id", full, false); err != nil {
		return err
	}
	if site := str("site_name"); site != "" {
		if err := s.checkSite(r, site, full, g.Visibility); err != nil {
			return err
		}
	}
	runtime, _ := item["runtime_only_evaluation"].(bool)
	skipPlugins, _ := item["skip_plugins_validation"].(bool)
	_, err = s.Catalog.CreateDeployment(r.Context(), catalog.Creation{
		Tenant: r.tenant, ID: full, BlueprintID: g.BlueprintID, Inputs: inputs, CreatedBy: r.caller.Username, Visibility: g.Visibility,
		DisplayName: str("display_name"), SiteName: str("site_name"), Labels: append(labels, g.Labels...),
		RuntimeOnlyEvaluation: runtime, Caller: r.actsFor(), GroupID: group, SkipPlugins: skipPlugins,
	})
	if err != nil {
		return err
	}
	return s.Store.Write(r.Context(), func(tx store.Tx) error {
		now, err := tx.GetDeploymentGroup(r.Context(), g.Tenant, g.ID)
		if err != nil {
			return err
		}
		now.CreationCounter++
		*g = now
		if err := tx.UpdateDeploymentGroup(r.Context(), now); err != nil {
			return err
		}
		return tx.AddGroupMembers(r.Context(), g.Tenant, g.ID, []string{full})
	})
}

func (s *server) deleteDeploymentGroup(w http.ResponseWriter, r *request) error {
	g, err := s.findDeploymentGroup(r)
	if err != nil {
		return err
	}
	flags := map[string]bool{}
	for _, name := range []string{"delete_deployments", "force", "delete_logs", "recursive"} {
		if flags[name], err = r.queryFlag(name, false); err != nil {
			return err
		}
	}
	if !flags["delete_deployments"] {
		if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.DeleteDeploymentGroup(r.Context(), g.Tenant, g.ID) }); err != nil {
			return err
		}
		return done(w)
	}
	members, err := s.Store.GroupMembers(r.Context(), g.Tenant, g.ID)
	if err != nil {
		return err
	}
	group := store.ExecutionGroup{
		Owned: store.Owned{Tenant: g.Tenant, Visibility: store.Tenants, CreatedBy: r.caller.Username, CreatedAt: s.Now()},
		ID:    uuid.NewString(), WorkflowID: catalog.WorkflowDelete, Concurrency: creationConcurrency,
	}
	if err := s.Executions.AddGroup(r.Context(), group); err != nil {
		return err
	}
	for _, id := range members {
		if _, err := s.Catalog.DeleteDeployment(r.Context(), catalog.Deletion{
			Tenant: g.Tenant, ID: id, Force: flags["force"], DeleteLogs: flags["delete_logs"], Recursive: flags["recursive"],
			CreatedBy: r.caller.Username, Caller: r.actsFor(), GroupID: group.ID,
		}); err != nil {
			return err
		}
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.DeleteDeploymentGroup(r.Context(), g.Tenant, g.ID) }); err != nil {
		return err
	}
	return ok(w, object{"execution_group_id": group.ID})
}
