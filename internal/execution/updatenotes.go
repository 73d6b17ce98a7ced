package execution

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

// updateNotes are what people should know of an update before it begins.
func (r *run) updateNotes(ctx context.Context, from store.Reader, before *shape, to *plan.Plan, parameters map[string]any) ([]string, error) {
	var notes []string
	given, _ := parameters["inputs"].(map[string]any)
	unknown := slices.DeleteFunc(value.SortedKeys(given), func(name string) bool {
		_, declared := to.Inputs[name]
		return declared
	})
	if len(unknown) > 0 {
		notes = append(notes, "Inputs that the blueprint does not declare are ignored: "+strings.Join(unknown, ", "))
	}
	var missing []string
	ids, _ := parameters["reinstall_list"].([]any)
	for _, id := range ids {
		if text := value.Text(id); before.find(text) == nil {
			missing = append(missing, text)
		}
	}
	if len(missing) > 0 {
		notes = append(notes, fmt.Sprintf("reinstall_list names what deployment %s doesn't have: %s", before.deployment.ID, strings.Join(missing, ", ")))
	}
	note, err := r.unfinishedNote(ctx, from)
	if note != "" {
		notes = append(notes, note)
	}
	return notes, err
}

// checkCustom refuses a workflow to run in place of the usual steps that the new
// blueprint doesn't have.
func checkCustom(blueprint string, p *plan.Plan, parameters map[string]any) error {
	name, _ := parameters["workflow_id"].(string)
	if name == "" {
		return nil
	}
	if _, _, err := findWorkflow(store.Deployment{Workflows: p.Workflows}, name); err == nil {
		return nil
	}
	return fmt.Errorf("blueprint %s has no workflow %s to run in place of the update's own steps; it has %s",
		blueprint, name, strings.Join(value.SortedKeys(p.Workflows), ", "))
}

// unfinishedNote tells of an update before this one that has left something
// undone; "" if there is none.
func (r *run) unfinishedNote(ctx context.Context, from store.Reader) (string, error) {
	before, _, ok, err := r.s.latestUpdate(ctx, from, r.e)
	if err != nil || !ok || before.Status != store.Failed && before.Status != store.Cancelled {
		return "", err
	}
	return fmt.Sprintf("The last update of this deployment, by execution %s, ended as %s. What it had yet to install, reinstall or remove "+
		"stays undone if this update doesn't ask for it too, and it can't be resumed after this one", before.ID, before.Status), nil
}

// busyModification keeps an update from being made beside a modification, which would
// take the update for something of its own.
type busyModification struct{ modification, execution string }

func (u *busyModification) Error() string {
	text := fmt.Sprintf("the deployment modification %s is under way", u.modification)
	if u.execution != "" {
		text += fmt.Sprintf(" by execution %s: resume that, or take it back with a scale with abort_started=true", u.execution)
	} else {
		text += ": finish it, or roll it back"
	}
	return text + ", before an update; an update with force doesn't wait for that"
}

// beingModified names the nodes that a modification under way scales; nil
// without one.
func (s *Service) beingModified(ctx context.Context, from store.Reader, d store.Deployment) (map[string]bool, *busyModification, error) {
	started, err := modificationsOf(ctx, from, d.Tenant, d.ID, store.Filter{Field: "status", Values: []string{store.ModificationStarted}})
	if err != nil || len(started) == 0 {
		return nil, nil, err
	}
	names := map[string]bool{}
	for name := range started[0].ModifiedNodes {
		names[name] = true
	}
	return names, &busyModification{started[0].ID, started[0].ExecutionID}, nil
}
