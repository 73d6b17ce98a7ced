package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

var deploymentGroupColumns = []string{"id", "description", "default_blueprint_id", "deployment_ids", "labels", "visibility", "tenant_name", "created_by"}

// members are the options that name deployments.
type members struct {
	ids, rules []string
	group      string
	filter     string
	count      int
	inputs     []string
}

func (m *members) options(c *cobra.Command, creating bool) {
	f := c.Flags()
	f.StringArrayVarP(&m.ids, "deployment-id", "d", nil, "a deployment; may be given several times")
	f.StringArrayVar(&m.rules, "labels-rule", nil, "deployments with a label: key=value, key!=value, 'key is null' ...; may be given several times")
	f.StringVar(&m.filter, "filter-id", "", "deployments that a stored filter lets through")
	f.StringVar(&m.group, "from-group", "", "the deployments of this group")
	if creating {
		f.IntVar(&m.count, "count", 0, "make so many new deployments of the group's blueprint")
		f.StringArrayVarP(&m.inputs, "inputs", "i", nil, "inputs of the new deployments")
	}
}

func (m *members) body() (object, error) {
	body := object{}
	if len(m.ids) > 0 {
		ids := []any{}
		for _, id := range m.ids {
			ids = append(ids, id)
		}
		body["deployment_ids"] = ids
	}
	rules, err := (&ruleOptions{labels: m.rules}).rules()
	if err != nil {
		return nil, err
	}
	if m.filter != "" {
		body["filter_id"] = m.filter
	}
	if rules != nil {
		body["filter_rules"] = rules
	}
	if m.group != "" {
		body["deployments_from_group"] = m.group
	}
	inputs, err := readInputs(m.inputs)
	if err != nil {
		return nil, err
	}
	if m.count > 0 {
		var items []any
		for range m.count {
			items = append(items, object{"inputs": inputs})
		}
		body["new_deployments"] = items
	}
	return body, nil
}

func (a *app) deploymentGroupsCommand() *cobra.Command {
	return group("groups", "Deployments that are worked on together",
		a.lister("list", "List deployment groups", "/deployment-groups", "Deployment groups:", fixed(deploymentGroupColumns), nil, nil),
		leaf("get GROUP", "Show a deployment group", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, groupPath("deployment", args[0]), nil)
			if err != nil {
				return err
			}
			g, _ := v.(object)
			return a.details("Deployment group:", deploymentGroupColumns, g)
		}),
		a.putGroupCommand(), a.changeGroupCommand("extend", "Add deployments to a group", "add"),
		a.labelsCommand("deployment group"), a.changeGroupCommand("shrink", "Take deployments out of a group", "remove"), a.deleteGroupCommand(),
	)
}

func groupPath(kind, id string) string { return "/" + kind + "-groups/" + url.PathEscape(id) }

func (a *app) putGroupCommand() *cobra.Command {
	var m members
	var description, blueprintID string
	c := leaf("create GROUP", "Make or change a deployment group", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body, err := m.body()
		if err != nil {
			return err
		}
		if description != "" {
			body["description"] = description
		}
		if blueprintID != "" {
			body["blueprint_id"] = blueprintID
		}
		return a.replyGroup(c, http.MethodPut, args[0], body)
	}
	m.options(c, true)
	c.Flags().StringVar(&description, "description", "", "what it is for")
	c.Flags().StringVarP(&blueprintID, "default-blueprint", "b", "", "the blueprint of new deployments")
	return c
}

func (a *app) replyGroup(c *cobra.Command, method, id string, body object) error {
	v, err := a.request(c, method, groupPath("deployment", id), body)
	if err != nil {
		return err
	}
	g, _ := v.(object)
	if a.json {
		return a.printJSON(g)
	}
	ids, _ := g["deployment_ids"].([]any)
	a.say("Group %s has %d deployments", id, len(ids))
	return nil
}

func (a *app) changeGroupCommand(use, short, part string) *cobra.Command {
	var m members
	c := leaf(use+" GROUP", short, cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body, err := m.body()
		if err != nil {
			return err
		}
		if len(body) == 0 {
			return usageError{errors.New("name deployments with -d, --labels-rule or --from-group")}
		}
		return a.replyGroup(c, http.MethodPatch, args[0], object{part: body})
	}
	m.options(c, part == "add")
	return c
}

func (a *app) deleteGroupCommand() *cobra.Command {
	var deployments, force bool
	c := leaf("delete GROUP", "Delete a deployment group", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		q := url.Values{"delete_deployments": {fmt.Sprint(deployments)}, "force": {fmt.Sprint(force)}}
		if _, err := cl.do(c.Context(), http.MethodDelete, groupPath("deployment", args[0]), q, nil); err != nil {
			return err
		}
		a.say("Group %s deleted", args[0])
		return nil
	}
	c.Flags().BoolVar(&deployments, "delete-deployments", false, "delete its deployments too")
	c.Flags().BoolVarP(&force, "force", "f", false, "deployments with live instances as well")
	return c
}
