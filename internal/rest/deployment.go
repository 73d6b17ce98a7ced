package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"windlass/internal/access"
	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/store"
)

// deployment is a stored deployment with what is read apart from it.
type deployment struct {
	store.Deployment
	family   catalog.Family
	groups   []string
	topology execution.Topology
}

// familyFields are those of what a deployment contains.
var familyFields = []string{"deployment_status", "sub_services_count", "sub_environments_count", "sub_services_status",
	"sub_environments_status", "has_sub_deployments"}

var deploymentShape = shape[deployment]{name: "Deployment", fields: append([]field[deployment]{
	{"id", text, func(d deployment) any { return d.ID }},
	{"display_name", text, func(d deployment) any { return d.DisplayName }},
	{"description", text, func(d deployment) any { return pointer(d.Description) }},
	{"blueprint_id", text, func(d deployment) any { return d.BlueprintID }},
	{"site_name", text, func(d deployment) any { return orNull(d.SiteName) }},
	{"created_at", moment, func(d deployment) any { return date(d.CreatedAt) }},
	{"updated_at", moment, func(d deployment) any { return date(d.UpdatedAt) }},
	{"inputs", dict, func(d deployment) any { return mapOrEmpty(d.Inputs) }},
	{"outputs", dict, func(d deployment) any { return typed(d.Outputs) }},
	{"capabilities", dict, func(d deployment) any { return typed(d.Capabilities) }},
	{"groups", dict, func(d deployment) any { return typed(d.Groups) }},
	{"scaling_groups", dict, func(d deployment) any { return typed(d.ScalingGroups) }},
	{"policy_types", dict, func(d deployment) any { return typed(d.PolicyTypes) }},
	{"policy_triggers", dict, func(d deployment) any { return typed(d.PolicyTriggers) }},
	{"workflows", list, func(d deployment) any { return workflowsOut(d) }},
	{"runtime_only_evaluation", boolean, func(d deployment) any { return d.RuntimeOnlyEvaluation }},
	{"permalink", text, func(deployment) any { return nil }},
	{"labels", list, func(d deployment) any { return labelsOut(d.Labels) }},
	{"deployment_groups", list, func(d deployment) any { return listOut(d.groups) }},
	{"resource_tags", dict, func(d deployment) any { return mapOrNull(d.ResourceTags) }},
	{"deployment_settings", dict, func(d deployment) any { return mapOrNull(d.DeploymentSettings) }},
	{"installation_status", text, func(d deployment) any {
		if d.InstallationStatus == "" {
			return "inactive"
		}
		return d.InstallationStatus
	}},
	{"deployment_status", text, func(d deployment) any {
		return orNull(catalog.WorstStatus(d.DeploymentStatus, d.family.ServicesStatus, d.family.EnvironmentsStatus))
	}},
	{"latest_execution_status", text, func(d deployment) any { return latestStatus(d.Deployment) }},
	{"latest_execution", text, func(d deployment) any { return orNull(d.LatestExecutionID) }},
	{"create_execution", text, func(d deployment) any { return orNull(d.CreateExecutionID) }},
	{"latest_execution_workflow_id", text, func(d deployment) any { return orNull(d.LatestExecutionWorkflow) }},
	{"latest_execution_total_operations", integer, func(d deployment) any { return d.LatestExecutionTotal }},
	{"latest_execution_finished_operations", integer, func(d deployment) any { return d.LatestExecutionFinished }},
	{"sub_services_count", integer, func(d deployment) any { return d.family.Services }},
	{"sub_environments_count", integer, func(d deployment) any { return d.family.Environments }},
	{"sub_services_status", text, func(d deployment) any { return orNull(d.family.ServicesStatus) }},
	{"sub_environments_status", text, func(d deployment) any { return orNull(d.family.EnvironmentsStatus) }},
	{"has_sub_deployments", boolean, func(d deployment) any { return d.family.Services+d.family.Environments > 0 }},
	{"environment_type", text, func(d deployment) any { return labelValue(d.Labels, "csys-env-type") }},
	{"unavailable_instances", integer, func(d deployment) any { return d.UnavailableInstances }},
	{"drifted_instances", integer, func(d deployment) any { return d.DriftedInstances }},
	{"workdir_zip", text, func(deployment) any { return nil }},
}, ownedFields(func(d deployment) store.Owned { return d.Owned })...)}

var deploymentList = listed{
	filters: []string{"id", "blueprint_id", "created_by", "tenant_name", "visibility", "site_name", "display_name",
		"installation_status", "deployment_status", "description", "deployment_group_id"},
	sorts:  []string{"created_at", "updated_at"},
	labels: true,
}

// listOut is a list that is never null.
func listOut(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

// latestStatus maps the status of the latest execution to a deployment's words.
func latestStatus(d store.Deployment) any {
	switch status := store.Status(d.LatestExecutionStatus); {
	case status == "" || status == store.Scheduled:
		return nil
	case status == store.Terminated:
		return "completed"
	case status.IsEnd():
		return string(status)
	}
	return "in_progress"
}

func labelValue(labels []store.Label, key string) string {
	for _, l := range labels {
		if l.Key == key {
			return l.Value
		}
	}
	return ""
}

func (s *server) listDeployments(w http.ResponseWriter, r *request) error {
	q, rules, err := s.deploymentSearch(r, deploymentSearch)
	if err != nil {
		return err
	}
	return s.replyDeployments(w, r, q, rules)
}

// deploymentListing reads the list parameters that deployments have besides
// the standard ones.
func (s *server) deploymentListing(r *request) (listing, error) {
	q, err := s.listing(r, deploymentList)
	if err != nil {
		return q, err
	}
	if id := r.query.Get("_dependencies_of"); id != "" {
		of, err := s.visibleDeployment(r, id)
		if err != nil {
			return q, err
		}
		needs, err := catalog.Dependencies(r.Context(), s.Store, of)
		if err != nil {
			return q, err
		}
		q.with(store.Filter{Field: "id", Values: needs})
	}
	if err := s.replaceGroups(r, &q, "id"); err != nil {
		return q, err
	}
	if group := r.query.Get("_group_id"); group != "" {
		if _, err := s.Store.GetDeploymentGroup(r.Context(), r.tenant, group); err != nil {
			return q, err
		}
		members, err := s.Store.GroupMembers(r.Context(), r.tenant, group)
		if err != nil {
			return q, err
		}
		q.with(store.Filter{Field: "id", Values: members})
	}
	return q, nil
}

// replyDeployments lists deployments, of those that match the rules if any are
// given. _search and _search_name are alternatives.
func (s *server) replyDeployments(w http.ResponseWriter, r *request, q listing, rules []rule) error {
	page, filtered, err := s.findDeployments(r, q, rules)
	if err != nil {
		return err
	}
	shown, err := s.withFamilies(r.Context(), page.Items, q.include, true)
	if err != nil {
		return err
	}
	return replyFiltered(w, q, deploymentShape, store.Page[deployment]{Items: shown, Total: page.Total, Next: page.Next}, filtered)
}

func (s *server) findDeployments(r *request, q listing, rules []rule) (store.Page[store.Deployment], any, error) {
	if environments, err := r.queryFlag("_environments_only", false); err != nil {
		return store.Page[store.Deployment]{}, nil, err
	} else if environments {
		components, err := catalog.Components(r.Context(), s.Store, q.Tenants)
		if err != nil {
			return store.Page[store.Deployment]{}, nil, err
		}
		q.with(store.Filter{Field: "id", Op: store.NotIn, Values: components})
	}
	labelsOf := func(d store.Deployment) []store.Label { return d.Labels }
	name := r.query.Get("_search_name")
	if name == "" || name == q.Search {
		if name != "" {
			return filtering(r.Context(), q, rules, s.searchBoth(q.Search), labelsOf)
		}
		return filtering(r.Context(), q, rules, s.Store.ListDeployments, labelsOf)
	}
	if q.Search == "" {
		q.with(store.Filter{Field: "display_name", Op: store.Like, Values: []string{likePattern(name)}})
		return filtering(r.Context(), q, rules, s.Store.ListDeployments, labelsOf)
	}
	return filtering(r.Context(), q, rules, s.searchEither(q.Search, name), labelsOf)
}

// likePattern is a pattern that matches any text with s in it.
func likePattern(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

func (s *server) searchBoth(words string) func(context.Context, store.Query) (store.Page[store.Deployment], error) {
	return s.searchEither(words, words)
}

// searchEither lists the deployments whose id has one text in it or whose name
// has the other. The store searches one field at a time, so the page is cut
// from both results here.
func (s *server) searchEither(id, name string) func(context.Context, store.Query) (store.Page[store.Deployment], error) {
	return func(ctx context.Context, q store.Query) (store.Page[store.Deployment], error) {
		if err := notInMemory(q); err != nil {
			return store.Page[store.Deployment]{}, err
		}
		limit, offset := q.Limit, q.Offset
		q.Search = ""
		var found []store.Deployment
		err := each(ctx, q, s.Store.ListDeployments, func(d store.Deployment) error {
			if containsFold(d.ID, id) || containsFold(d.DisplayName, name) {
				found = append(found, d)
			}
			return nil
		})
		cut := listing{Query: store.Query{Limit: limit, Offset: offset}}
		return slicePage(found, cut), err
	}
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// findDeployment reads the deployment that the path names, if the caller sees it.
func (s *server) findDeployment(r *request) (store.Deployment, error) {
	return s.visibleDeployment(r, r.PathValue("id"))
}

func (s *server) visibleDeployment(r *request, id string) (store.Deployment, error) {
	d, err := s.Store.GetDeployment(r.Context(), r.tenant, id)
	if err != nil {
		return d, err
	}
	return d, r.sees(d.Owned, "Deployment", id)
}

func (s *server) getDeployment(w http.ResponseWriter, r *request) error {
	if _, err := r.queryFlags("include_workdir"); err != nil {
		return err
	}
	all, err := r.queryFlag("all_sub_deployments", true)
	if err != nil {
		return err
	}
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	shown, err := s.withFamilies(r.Context(), []store.Deployment{d}, includes(r), all)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, deploymentShape, shown[0])
}

// withFamilies reads what deployments contain, all of it or their children
// only, the groups they are in, and what it takes to tell which workflows they can
// have now, as far as the answer includes these.
func (s *server) withFamilies(ctx context.Context, list []store.Deployment, include []string, all bool) ([]deployment, error) {
	wants := func(names ...string) bool {
		return len(include) == 0 || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(include, n) })
	}
	out, keys := make([]deployment, len(list)), make([]store.DeploymentKey, len(list))
	families := catalog.NewFamilies(s.Store)
	for i, d := range list {
		out[i].Deployment, keys[i] = d, store.DeploymentKey{Tenant: d.Tenant, ID: d.ID}
		if !wants(familyFields...) {
			continue
		}
		var err error
		if out[i].family, err = families.Of(ctx, d, all); err != nil {
			return nil, fmt.Errorf("read what deployment %s contains: %w", d.ID, err)
		}
	}
	if len(list) > 0 && wants("deployment_groups") {
		groups, err := s.Store.GroupsOf(ctx, keys)
		if err != nil {
			return nil, fmt.Errorf("read the groups of deployments: %w", err)
		}
		for i, key := range keys {
			out[i].groups = groups[key]
		}
	}
	if wants("workflows") {
		topologies, err := execution.Topologies(ctx, s.Store, list)
		if err != nil {
			return nil, err
		}
		for i, key := range keys {
			out[i].topology = topologies[key]
		}
	}
	return out, nil
}

// replyDeployment encodes and sends a deployment with all that it contains.
func (s *server) replyDeployment(w http.ResponseWriter, r *request, status int, d store.Deployment) error {
	shown, err := s.withFamilies(r.Context(), []store.Deployment{d}, includes(r), true)
	if err != nil {
		return err
	}
	return replyOne(w, r, status, deploymentShape, shown[0])
}

// restoreOnly are members of a creation that describe a deployment from
// elsewhere, as a restore sends them.
var restoreOnly = []string{"workflows", "groups", "scaling_groups", "policy_triggers", "policy_types", "outputs", "capabilities",
	"resource_tags", "description", "deployment_status", "installation_status", "sub_services_status", "sub_environments_status",
	"sub_services_count", "sub_environments_count", "workdir_zip"}

func (s *server) putDeployment(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	if err := access.CheckName("deployment_id", id, false); err != nil {
		return err
	}
	async, err := r.queryFlag("async_create", false)
	if err != nil {
		return err
	}
	for _, name := range restoreOnly {
		if r.has(name) {
			return notYet("Restoring a deployment (" + name + ")")
		}
	}
	c := catalog.Creation{
		Tenant: r.tenant, ID: id, BlueprintID: r.str("blueprint_id"), Inputs: r.dict("inputs"), DisplayName: r.str("display_name"),
		SiteName: r.str("site_name"), RuntimeOnlyEvaluation: r.flag("runtime_only_evaluation"), Caller: r.actsFor(),
		SkipPlugins: r.flag("skip_plugins_validation"),
	}
	if err := access.CheckName("blueprint_id", c.BlueprintID, true); err != nil {
		return err
	}
	if c.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return err
	}
	if c.Visibility, err = r.visibility(); err != nil {
		return err
	}
	if c.Labels, err = parseLabels(r.list("labels"), c.CreatedBy, s.Now()); err != nil {
		return err
	}
	if err := s.checkParents(r, c.Labels); err != nil {
		return err
	}
	if c.SiteName != "" {
		if err := s.checkSite(r, c.SiteName, id, c.Visibility); err != nil {
			return err
		}
	}
	b, err := s.Store.GetBlueprint(r.Context(), r.tenant, c.BlueprintID)
	if err != nil {
		return err
	}
	if err := r.sees(b.Owned, "Blueprint", c.BlueprintID); err != nil {
		return err
	}
	d, err := s.Catalog.CreateDeployment(r.Context(), c)
	if err != nil {
		return err
	}
	if !async {
		ctx, cancel := s.patient(r)
		defer cancel()
		d, err = s.Catalog.WaitForEnvironment(ctx, d)
		if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
			return fail("deployment_environment_creation_wait_exceeded_error",
				"The environment of deployment %s is still being created after %s", id, s.CreateWait)
		}
		if err != nil {
			return err
		}
	}
	return s.replyDeployment(w, r, http.StatusCreated, d)
}

// checkParents refuses labels that name a parent which there is not.
func (s *server) checkParents(r *request, labels []store.Label) error {
	for _, l := range labels {
		if l.Key != "csys-obj-parent" {
			continue
		}
		if _, err := s.visibleDeployment(r, l.Value); isMissing(err) {
			return fail("deployment_parent_not_found_error", "Environment referenced by `csys-obj-parent` not found: %s", l.Value)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// isMissing tells whether err says that something is not there.
func isMissing(err error) bool {
	return err != nil && answerTo(err).status == http.StatusNotFound
}

func (s *server) deleteDeployment(w http.ResponseWriter, r *request) error {
	flags, err := r.queryFlags("force", "delete_logs", "recursive")
	if err != nil {
		return err
	}
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, d.Owned, d.ID); err != nil {
		return err
	}
	_, err = s.Catalog.DeleteDeployment(r.Context(), catalog.Deletion{
		Tenant: r.tenant, ID: d.ID, Force: flags["force"], DeleteLogs: flags["delete_logs"], Recursive: flags["recursive"],
		CreatedBy: r.caller.Username, Caller: r.actsFor(),
	})
	if err != nil {
		return err
	}
	return done(w)
}

func (s *server) getOutputs(w http.ResponseWriter, r *request) error {
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	values, err := s.Catalog.Outputs(r.Context(), d.Tenant, d.ID)
	if err != nil {
		return err
	}
	return ok(w, object{"deployment_id": d.ID, "outputs": mapOrEmpty(values)})
}

func (s *server) getCapabilities(w http.ResponseWriter, r *request) error {
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	values, err := s.Catalog.Capabilities(r.Context(), d.Tenant, d.ID)
	if err != nil {
		return err
	}
	return ok(w, object{"deployment_id": d.ID, "capabilities": mapOrEmpty(values)})
}

func (s *server) setDeploymentVisibility(w http.ResponseWriter, r *request) error {
	v, err := r.newVisibility()
	if err != nil {
		return err
	}
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, d.Owned, d.ID); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if d, err = tx.GetDeployment(r.Context(), d.Tenant, d.ID); err != nil {
			return err
		}
		if err := r.widen(d.ID, d.Visibility, v); err != nil {
			return err
		}
		b, err := tx.GetBlueprint(r.Context(), d.Tenant, d.BlueprintID)
		if err != nil {
			return err
		}
		if access.CheckWiden(b.ID, v, b.Visibility) != nil {
			return fail("illegal_action_error", "The visibility of deployment `%s` can't be wider than that of its blueprint `%s`", d.ID, b.ID)
		}
		d.Visibility = v
		return tx.UpdateDeployment(r.Context(), d)
	})
	if err != nil {
		return err
	}
	return s.replyDeployment(w, r, http.StatusOK, d)
}
