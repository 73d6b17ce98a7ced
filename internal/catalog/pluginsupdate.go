package catalog

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// WorkflowUpdatePlugins is the execution that updates the plugins of a blueprint.
const WorkflowUpdatePlugins = "update_plugin"

// PluginsUpdateRequest asks for a blueprint and its deployments to be moved to
// other versions of their plugins.
type PluginsUpdateRequest struct {
	Blueprint store.Blueprint
	// Choice is which versions, in the names of the API: plugin_names, to_latest,
	// all_to_latest, to_minor, all_to_minor and mapping.
	Choice map[string]any
	// Flags are those of the deployments' updates: auto_correct_types,
	// reevaluate_active_statuses.
	Flags      map[string]any
	Force      bool
	AllTenants bool
	CreatedBy  string
	Caller     string // the execution that asks; "" for none
}

// activePluginsUpdates are the states of updates that are under way.
var activePluginsUpdates = []string{store.UpdateUpdating, store.UpdateExecuting, store.UpdateFinalizing}

// UpdatePlugins starts an update of plugins: it stores the record and the
// execution that carries it out. A blueprint has one at a time.
func (s *Service) UpdatePlugins(ctx context.Context, r PluginsUpdateRequest) (store.PluginsUpdate, error) {
	b := r.Blueprint
	if b.Plan == nil || b.State != store.BlueprintUploaded {
		return store.PluginsUpdate{}, refusal(http.StatusBadRequest, "illegal_action_error",
			fmt.Sprintf("Can't update the plugins of blueprint %s: it is not ready (%s)", b.ID, b.State))
	}
	if err := checkChoice(r.Choice); err != nil {
		return store.PluginsUpdate{}, err
	}
	u := store.PluginsUpdate{
		Owned: store.Owned{Tenant: b.Tenant, Visibility: b.Visibility, CreatedBy: r.CreatedBy, CreatedAt: s.now()},
		ID:    uuid.NewString(), BlueprintID: b.ID, State: store.UpdateUpdating, Forced: r.Force, AllTenants: r.AllTenants,
	}
	err := s.store.Write(ctx, func(tx store.Tx) error {
		active, err := tx.ListPluginsUpdates(ctx, store.Query{Tenants: []string{b.Tenant}, Filters: []store.Filter{
			{Field: "blueprint_id", Values: []string{b.ID}}, {Field: "state", Values: activePluginsUpdates},
		}})
		if err != nil {
			return err
		}
		if len(active.Items) > 0 {
			ids := make([]string, len(active.Items))
			for i, other := range active.Items {
				ids[i] = other.ID
			}
			return refusal(http.StatusConflict, "conflict_error",
				"There are plugins updates still active, update IDs: "+strings.Join(ids, ", "))
		}
		parameters := map[string]any{"update_id": u.ID, "blueprint_id": b.ID, "force": r.Force, "choice": r.Choice}
		for name, v := range r.Flags {
			parameters[name] = v
		}
		e, err := s.executions.StartSystem(ctx, tx, execution.SystemRequest{
			Tenant: b.Tenant, WorkflowID: WorkflowUpdatePlugins, Parameters: parameters, Visibility: b.Visibility,
			CreatedBy: r.CreatedBy, Overlap: true, Caller: r.Caller,
		})
		if err != nil {
			return err
		}
		u.ExecutionID = e.ID
		return tx.AddPluginsUpdate(ctx, u)
	})
	return u, err
}

// checkChoice refuses what contradicts itself.
func checkChoice(choice map[string]any) error {
	latest, _ := choice["all_to_latest"].(bool)
	minor, _ := choice["all_to_minor"].(bool)
	problem := ""
	switch {
	case latest && minor:
		problem = "all_to_latest and all_to_minor are mutually exclusive"
	case latest && len(textsOf(choice["to_latest"])) > 0:
		problem = "to_latest and all_to_latest are mutually exclusive"
	case minor && len(textsOf(choice["to_minor"])) > 0:
		problem = "to_minor and all_to_minor are mutually exclusive"
	}
	if problem == "" {
		return nil
	}
	return refusal(http.StatusBadRequest, "bad_parameters_error", problem)
}

// textsOf are the texts of a list.
func textsOf(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, item := range list {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
