package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"windlass/internal/value"
)

var (
	previewColumns = []string{"deployment_id", "tenant_name", "state", "created_at", "visibility", "old_blueprint_id", "new_blueprint_id"}
	stepColumns    = []string{"entity_type", "entity_id", "action"}
)

// showUpdate shows what an update changes, or would change. reinstall are the
// instances that it was asked to reinstall; skipped tells which of its flags are
// set.
func (a *app) showUpdate(u object, columns, reinstall []string, skipped func(flag string) bool) error {
	steps, nodes, touched := stepsOf(u)
	if a.json {
		u["explicit_reinstall"] = listOf(reinstall)
		u["installed_nodes"], u["uninstalled_nodes"], u["reinstalled_nodes"] = listOf(touched["add"]), listOf(touched["remove"]), listOf(touched["modify"])
		return a.printJSON(u)
	}
	if err := a.details("Deployment Update:", columns, u); err != nil {
		return err
	}
	for _, inputs := range []struct{ name, title string }{{"old_inputs", "Old inputs:"}, {"new_inputs", "New inputs:"}} {
		m, _ := u[inputs.name].(object)
		if err := a.pairs(inputs.title, m); err != nil {
			return err
		}
	}
	if err := a.table("Steps:", stepColumns, steps); err != nil {
		return err
	}
	note := func(flag string) string {
		if skipped(flag) {
			return " (will be skipped)"
		}
		return ""
	}
	a.bullets("Installed nodes"+note("skip_install")+":", nodes["add"])
	a.bullets("Uninstalled nodes"+note("skip_uninstall")+":", nodes["remove"])
	a.bullets("Scaled nodes:", scaled(u, nodes))
	a.bullets("Automatically detected nodes to reinstall"+note("skip_reinstall")+":", nodes["modify"])
	a.bullets("Explicitly given node instances to reinstall:", reinstall)
	var warnings []string
	told, _ := u["warnings"].([]any)
	for _, w := range told {
		warnings = append(warnings, value.Text(w))
	}
	a.bullets("Mind:", warnings)
	return a.showSideEffects(u)
}

// stepsOf gives the steps as rows of a table, and the nodes that are added and
// removed as such, and those that are modified so that their instances are made
// anew or updated. touched are the nodes that steps of each action are about in
// any way, as the original's client lists them.
func stepsOf(u object) (rows []object, nodes, touched map[string][]string) {
	nodes, touched = map[string][]string{}, map[string][]string{}
	seen := map[string]bool{}
	add := func(to map[string][]string, name, action, node string) {
		if key := name + "/" + action + "/" + node; !seen[key] {
			seen[key] = true
			to[action] = append(to[action], node)
		}
	}
	steps, _ := u["steps"].([]any)
	for _, s := range steps {
		step, _ := s.(object)
		ids, _ := step["entity_id"].([]any)
		path := make([]string, len(ids))
		for k, id := range ids {
			path[k] = value.Text(id)
		}
		action := text(step, "action")
		rows = append(rows, object{"entity_type": step["entity_type"], "entity_id": strings.Join(path, ": "), "action": action})
		if len(path) < 2 || path[0] != "nodes" {
			continue
		}
		add(touched, "touched", action, path[1])
		switch text(step, "entity_type") {
		case "node":
			add(nodes, "nodes", action, path[1])
		case "property", "operation":
			add(nodes, "nodes", "modify", path[1])
		}
	}
	return rows, nodes, touched
}

// scaled tells by how many instances nodes grow and shrink that are there before
// and after.
func scaled(u object, nodes map[string][]string) (lines []string) {
	lists, _ := u["deployment_update_node_instances"].(object)
	for _, l := range []struct{ list, mark, action, word string }{
		{"added_and_related", "added", "add", "more"}, {"removed_and_related", "removed", "remove", "fewer"},
	} {
		count := map[string]int{}
		instances, _ := lists[l.list].([]any)
		for _, instance := range instances {
			i, _ := instance.(object)
			if text(i, "modification") == l.mark {
				count[text(i, "node_id")]++
			}
		}
		for _, node := range nodes[l.action] {
			delete(count, node)
		}
		for _, node := range slices.Sorted(maps.Keys(count)) {
			lines = append(lines, fmt.Sprintf("%s: %d %s", node, count[node], l.word))
		}
	}
	return lines
}

// showSideEffects shows what else an update touches, as far as it says so.
func (a *app) showSideEffects(u object) error {
	for _, l := range []struct {
		name, title string
		columns     []string
	}{
		{"recursive_dependencies", "Affected (recursively) dependent deployments:", []string{"deployment", "dependency_type", "dependent_node", "tenant"}},
		{"schedules_to_create", "Schedules that are created or changed:", []string{"id", "workflow", "since", "until", "recurrence", "count", "weekdays"}},
		{"labels_to_create", "The following labels will be created:", []string{"key", "value"}},
	} {
		items, _ := u[l.name].([]any)
		if len(items) == 0 {
			continue
		}
		rows := make([]object, len(items))
		for k, item := range items {
			rows[k], _ = item.(object)
		}
		if err := a.table(l.title, l.columns, rows); err != nil {
			return err
		}
	}
	return nil
}

// bullets prints a title and a line for each text; without any, nothing.
func (a *app) bullets(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	a.say("%s", title)
	for _, line := range lines {
		a.say("\t- %s", line)
	}
}

func listOf(texts []string) []any {
	list := make([]any, len(texts))
	for k, t := range texts {
		list[k] = t
	}
	return list
}
