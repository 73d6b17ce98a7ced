package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

var executionGroupColumns = []string{"id", "workflow_id", "deployment_group_id", "status", "concurrency", "created_at", "visibility", "tenant_name", "created_by"}

func (a *app) executionGroupsCommand() *cobra.Command {
	list := a.lister("list", "List execution groups", "/execution-groups", "Execution groups:", fixed(executionGroupColumns), func(q url.Values) {
		q.Set("_get_data", "true")
	}, nil)
	return group("groups", "A workflow on all deployments of a group",
		a.startGroupCommand(), list,
		leaf("get ID", "Show an execution group", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, groupPath("execution", args[0]), nil)
			if err != nil {
				return err
			}
			g, _ := v.(object)
			return a.details("Execution group:", append(groupDetailColumns(), "execution_ids"), g)
		}),
		leaf("details ID", "Show an execution group, its executions and its last events", cobra.ExactArgs(1), a.groupDetails),
		a.cancelGroupCommand(), a.resumeGroupCommand(), a.updateGroupCommand(),
		a.setOfGroup("set-concurrency ID NUMBER", "Change how many run at once; 0 pauses the group", "concurrency"),
		a.setOfGroup("set-success-group ID GROUP", "Deployments of executions that succeed join this deployment group", "success_group_id"),
		a.setOfGroup("set-failure-group ID GROUP", "Deployments of executions that fail join this deployment group", "failure_group_id"),
	)
}

// batchCommand is for deployments that are chosen when the workflow is started.
func (a *app) batchCommand() *cobra.Command {
	var m members
	var attributes []string
	var s groupStart
	c := leaf("start WORKFLOW", "Start a workflow on all deployments that labels and filters choose", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body, err := m.body()
		if err != nil {
			return err
		}
		if len(attributes) > 0 {
			more, err := (&ruleOptions{attributes: attributes}).rules()
			if err != nil {
				return err
			}
			labels, _ := body["filter_rules"].([]any)
			body["filter_rules"] = append(labels, more...)
		}
		if len(body) == 0 {
			return usageError{errors.New("choose deployments with -d, --labels-rule, --attrs-rule, --filter-id or --from-group")}
		}
		return a.startGroup(c, args[0], s, body)
	}
	m.options(c, false)
	c.Flags().StringArrayVar(&attributes, "attrs-rule", nil, "deployments with an attribute, such as 'blueprint_id=app' or 'id starts-with web'; may be given several times")
	s.options(c)
	return group("batch", "Work on many deployments at once", c)
}

// groupStart is how a workflow is started on many deployments.
type groupStart struct {
	parameters  []string
	force, wait bool
	concurrency int
}

func (s *groupStart) options(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVarP(&s.parameters, "parameters", "p", nil, "parameters of the workflow")
	f.BoolVarP(&s.force, "force", "f", false, "run beside other executions of the deployments")
	f.IntVar(&s.concurrency, "concurrency", 5, "how many may run at once; 0 starts the group paused")
	f.BoolVar(&s.wait, "wait", false, "wait until all have ended")
}

func (a *app) startGroupCommand() *cobra.Command {
	var of string
	var s groupStart
	c := leaf("start WORKFLOW", "Start a workflow on all deployments of a group", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if of == "" {
			return usageError{errors.New("name the deployment group with -g; `cfy executions batch start` chooses deployments otherwise")}
		}
		return a.startGroup(c, args[0], s, object{"deployment_group_id": of})
	}
	c.Flags().StringVarP(&of, "deployment-group", "g", "", "the deployment group")
	s.options(c)
	return c
}

func (a *app) startGroup(c *cobra.Command, workflow string, s groupStart, body object) error {
	given, err := readInputs(s.parameters)
	if err != nil {
		return err
	}
	body["workflow_id"], body["default_parameters"], body["force"], body["concurrency"] = workflow, given, s.force, int64(s.concurrency)
	v, err := a.request(c, http.MethodPost, "/execution-groups", body)
	if err != nil {
		return err
	}
	g, _ := v.(object)
	ids, _ := g["execution_ids"].([]any)
	a.say("Execution group %s has %d executions", text(g, "id"), len(ids))
	if s.wait {
		if g, err = a.waitForGroup(c.Context(), text(g, "id")); err != nil {
			return err
		}
	}
	if err := a.jsonOf(g, nil); err != nil || !s.wait || g["status"] == "terminated" || g["status"] == nil {
		return err
	}
	return fmt.Errorf("execution group %s is %s: see `cfy executions groups details %s`", text(g, "id"), text(g, "status"), text(g, "id"))
}

func groupDetailColumns() []string {
	return append(append([]string{}, executionGroupColumns...), "success_group_id", "failure_group_id")
}

// lastOfGroup is how many of a group's events its details end with.
const lastOfGroup = 20

// groupDetails shows a group, the executions in it that are not over or did not end
// well before those that did, and what happened last.
func (a *app) groupDetails(c *cobra.Command, args []string) error {
	ctx := c.Context()
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	g, err := cl.get(ctx, groupPath("execution", args[0]), nil)
	if err != nil {
		return err
	}
	members, _, err := cl.list(ctx, "/executions", url.Values{"execution_group_id": {args[0]}, "_get_all_results": {"true"}, "_sort": {"status", "created_at"}})
	if err != nil {
		return err
	}
	events, _, err := cl.list(ctx, "/events", url.Values{
		"execution_group_id": {args[0]}, "_size": {strconv.Itoa(lastOfGroup)}, "_sort": {"-reported_timestamp"},
	})
	if err != nil {
		return err
	}
	if a.json {
		g["executions"], g["events"] = members, events
		return a.printJSON(g)
	}
	if err := a.details("Execution group:", groupDetailColumns(), g); err != nil {
		return err
	}
	for _, e := range members {
		shownStatus(e)
	}
	if err := a.table("Executions:", []string{"id", "deployment_id", "status", "created_at", "started_at", "ended_at", "error"}, members); err != nil {
		return err
	}
	a.say("Last %d events:", len(events))
	for k := range events {
		a.showEvent(events[len(events)-1-k], true)
	}
	return nil
}

func (a *app) cancelGroupCommand() *cobra.Command {
	var force, kill bool
	c := leaf("cancel ID", "Cancel the executions of a group", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.actOnGroup(c, args[0], cancelAction(force, kill))
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "don't wait for running operations")
	c.Flags().BoolVarP(&kill, "kill", "k", false, "stop running operations")
	return c
}

func (a *app) resumeGroupCommand() *cobra.Command {
	var reset bool
	c := leaf("resume ID", "Let failed and cancelled executions of a group go on", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error { return a.actOnGroup(c, args[0], resumeAction(reset)) }
	c.Flags().BoolVar(&reset, "reset-operations", false, "repeat operations that were under way")
	return c
}

func (a *app) actOnGroup(c *cobra.Command, id, action string) error {
	v, err := a.request(c, http.MethodPost, groupPath("execution", id), object{"action": action})
	if err == nil {
		a.say("Asked the executions of group %s to %s", id, action)
	}
	return errors.Join(err, a.jsonOf(v, err))
}

// setOfGroup changes one thing of a group, as the original's commands do.
func (a *app) setOfGroup(use, short, field string) *cobra.Command {
	return leaf(use, short, cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
		var to any = args[1]
		if field == "concurrency" {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return usageError{fmt.Errorf("%q is no whole number", args[1])}
			}
			to = int64(n)
		}
		v, err := a.request(c, http.MethodPatch, groupPath("execution", args[0]), object{field: to})
		if err == nil {
			a.say("Execution group %s is changed", args[0])
		}
		return errors.Join(err, a.jsonOf(v, err))
	})
}

func (a *app) waitForGroup(ctx context.Context, id string) (object, error) {
	cl, err := a.client(ctx)
	if err != nil {
		return nil, err
	}
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		g, err := cl.get(ctx, groupPath("execution", id), nil)
		if err != nil {
			return nil, err
		}
		switch g["status"] {
		case "pending", "queued", "started":
		default:
			a.say("Execution group %s: %v", id, g["status"])
			return g, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (a *app) updateGroupCommand() *cobra.Command {
	var concurrency int
	var success, failure string
	c := leaf("update ID", "Change how many run at once, and where deployments go", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body := object{}
		if c.Flags().Changed("concurrency") {
			body["concurrency"] = int64(concurrency)
		}
		if success != "" {
			body["success_group_id"] = success
		}
		if failure != "" {
			body["failure_group_id"] = failure
		}
		if len(body) == 0 {
			return usageError{errors.New("say what to change")}
		}
		v, err := a.request(c, http.MethodPatch, groupPath("execution", args[0]), body)
		if err == nil {
			a.say("Execution group %s is changed", args[0])
		}
		return errors.Join(err, a.jsonOf(v, err))
	}
	c.Flags().IntVar(&concurrency, "concurrency", 0, "how many may run at once; 0 pauses the group")
	c.Flags().StringVar(&success, "success-group", "", "deployments of executions that succeed join this group")
	c.Flags().StringVar(&failure, "failure-group", "", "deployments of executions that fail join this one")
	return c
}
