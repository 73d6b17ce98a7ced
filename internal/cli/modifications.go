package cli

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"windlass/internal/value"
)

var modificationColumns = []string{"id", "workflow_id", "execution_id", "status", "tenant_name", "created_at", "visibility"}

func (a *app) modificationsCommand() *cobra.Command {
	return group("modifications", "Changes of how many instances deployments have",
		a.listModificationsCommand(),
		a.onModificationCommand("get", "Show a modification", http.MethodGet, "", ""),
		a.onModificationCommand("rollback", "Take a modification back, without running operations", http.MethodPost, "/rollback",
			"Rolling back a deployment modification %s..."),
		a.onModificationCommand("finish", "End a modification: what it planned becomes what is", http.MethodPost, "/finish",
			"Finishing a deployment modification %s..."),
	)
}

func (a *app) listModificationsCommand() *cobra.Command {
	var deployment string
	list := a.lister("list DEPLOYMENT", "List the modifications of a deployment", "/deployment-modifications", "Deployment modifications:",
		fixed(modificationColumns), func(q url.Values) { q.Set("deployment_id", deployment) }, withContext)
	list.Args = cobra.ExactArgs(1)
	run := list.RunE
	list.RunE = func(c *cobra.Command, args []string) error {
		deployment = args[0]
		return run(c, nil)
	}
	return list
}

// withContext shows what a modification's context says of it, such as the
// execution that works on it, beside the rest.
func withContext(m object) object {
	context, _ := m["context"].(object)
	all := maps.Clone(m)
	maps.Copy(all, context)
	return all
}

func (a *app) onModificationCommand(name, short, method, action, doing string) *cobra.Command {
	return leaf(name+" MODIFICATION", short, cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		if doing != "" {
			a.say(doing, args[0])
		}
		v, err := cl.do(c.Context(), method, "/deployment-modifications/"+url.PathEscape(args[0])+action, nil, nil)
		if err != nil {
			return err
		}
		m, _ := v.(object)
		return a.showModification(m)
	})
}

func (a *app) showModification(m object) error {
	if err := a.details("Deployment modification:", modificationColumns, withContext(m)); err != nil || a.json {
		return err
	}
	if nodes, _ := m["modified_nodes"].(object); len(nodes) > 0 {
		a.say("Modified nodes:")
		for _, name := range value.SortedKeys(nodes) {
			change, _ := nodes[name].(object)
			a.say("\t- %s: %s instances", name, value.Text(change["instances"]))
		}
	}
	lists, _ := m["node_instances"].(object)
	for _, l := range []struct {
		name, title string
		marked      bool
	}{
		{"before_modification", "Node instances before modifications:", false},
		{"before_rollback", "Node instances before rollback:", false},
		{"added_and_related", "Added node instances:", true},
		{"removed_and_related", "Removed node instances:", true},
	} {
		var lines []string
		items, _ := lists[l.name].([]any)
		for _, item := range items {
			i, _ := item.(object)
			if !l.marked || i["modification"] != nil && i["modification"] != "" {
				lines = append(lines, fmt.Sprintf("%s (%s)", text(i, "id"), text(i, "node_id")))
			}
		}
		a.bullets("\n"+l.title, lines)
	}
	return nil
}
