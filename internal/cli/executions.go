package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var executionColumns = []string{
	"id", "workflow_id", "status", "is_dry_run", "deployment_id", "created_at", "started_at", "scheduled_for", "visibility",
	"tenant_name", "created_by",
}

// localExecutionColumns are those of the local profile, which has one tenant
// and one deployment a folder.
var localExecutionColumns = []string{"id", "workflow_id", "status", "blueprint_id", "started_at", "ended_at", "error"}

func shownStatus(e object) object {
	if s, ok := e["status_display"]; ok {
		e["status"] = s
	}
	return e
}

func (a *app) executionsCommand() *cobra.Command {
	return group("executions", "Run workflows and watch them",
		a.startCommand(), a.executionListCommand(),
		leaf("get ID", "Show an execution", cobra.ExactArgs(1), a.getExecution),
		a.cancelCommand(), a.resumeCommand(),
		a.holdCommand("pause", "Start nothing more of an execution; what runs goes on", "is paused; `cfy executions continue %s` lets it go on"),
		a.holdCommand("continue", "Let a paused execution go on", "goes on. Follow it with `cfy events list --tail %s`"),
		a.executionGroupsCommand(), a.batchCommand(), a.deleteExecutionsCommand(),
		leaf("why ID", "Tell what an execution waits for", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			o, err := cl.get(c.Context(), "/executions/"+url.PathEscape(args[0])+"/why", nil)
			if err != nil {
				return err
			}
			return a.showWhy(o)
		}),
	)
}

func (a *app) startCommand() *cobra.Command {
	var deployment string
	var parameters []string
	var custom, force, dry, queue, noLogs bool
	var timeout, waitAfterFail int
	var schedule string
	c := leaf("start WORKFLOW", "Start a workflow and follow it", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if queue && (force || dry) {
			return usageError{fmt.Errorf("--queue can't go with --force or --dry-run")}
		}
		if schedule != "" && queue {
			return usageError{fmt.Errorf("--schedule can't go with --queue")}
		}
		ctx := c.Context()
		cl, err := a.client(ctx)
		if err != nil {
			return err
		}
		if deployment, err = a.orOnly(ctx, cl, "deployments", deployment); err != nil {
			return err
		}
		given, err := readInputs(parameters)
		if err != nil {
			return err
		}
		body := object{
			"deployment_id": deployment, "workflow_id": args[0], "parameters": given, "allow_custom_parameters": custom,
			"force": force, "dry_run": dry, "queue": queue,
		}
		if c.Flags().Changed("wait-after-fail") {
			body["wait_after_fail"] = int64(waitAfterFail)
		}
		if schedule != "" {
			body["scheduled_time"] = schedule
		}
		return a.startAndFollow(c, cl, body, time.Duration(timeout)*time.Second, c.Flags().Changed("timeout") && timeout == 0, !noLogs)
	}
	f := c.Flags()
	f.StringVarP(&deployment, "deployment-id", "d", "", "the deployment")
	f.StringArrayVarP(&parameters, "parameters", "p", nil, "parameters: a YAML file, YAML or JSON text, or key1=value1;key2=value2")
	f.BoolVar(&custom, "allow-custom-parameters", false, "allow parameters that the workflow does not declare")
	f.BoolVarP(&force, "force", "f", false, "run beside other executions of the deployment")
	f.BoolVar(&dry, "dry-run", false, "show what would happen, touch nothing")
	f.BoolVar(&queue, "queue", false, "wait if it can't run now")
	f.StringVar(&schedule, "schedule", "", "when to start, YYYYMMDDHHMM+HHMM")
	f.IntVar(&timeout, "timeout", 900, "seconds to wait for the end; the execution goes on after that; 0 does not wait")
	f.IntVar(&waitAfterFail, "wait-after-fail", 600, "seconds that other tasks may go on after a failure")
	f.BoolVar(&noLogs, "no-logs", false, "show events only")
	f.BoolP("include-logs", "l", true, "show logs as well")
	f.StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (a *app) startAndFollow(c *cobra.Command, cl *client, body object, timeout time.Duration, dontWait, logs bool) error {
	ctx := c.Context()
	workflow, deployment := text(body, "workflow_id"), text(body, "deployment_id")
	a.say("Executing workflow `%s` on deployment `%s` [timeout=%d seconds]", workflow, deployment, int(timeout.Seconds()))
	v, err := cl.do(ctx, http.MethodPost, "/executions", nil, body)
	if err != nil {
		return err
	}
	e, _ := v.(object)
	id, status := text(e, "id"), text(e, "status")
	switch {
	case status == "scheduled":
		a.say("Scheduled workflow %s on deployment %s", workflow, deployment)
		return nil
	case status == "queued":
		a.say("Execution %s is queued: `cfy executions why %s` tells what it waits for", id, id)
	}
	if dontWait {
		if a.json {
			return a.printJSON(e)
		}
		if status != "queued" {
			a.say("Execution %s has started. Follow it with `cfy events list --tail %s`", id, id)
		}
		return nil
	}
	end, err := a.follow(ctx, cl, id, timeout, func(e object) { a.showEvent(e, logs) })
	if err != nil {
		return err
	}
	return a.ended(end, workflow, deployment)
}

func (a *app) executionColumns() []string {
	if p, err := a.profile(); err == nil && p.isLocal() && !a.json {
		return localExecutionColumns
	}
	return executionColumns
}

func (a *app) executionListCommand() *cobra.Command {
	var deployment string
	var system bool
	var statuses []string
	list := a.lister("list", "List executions", "/executions", "Executions:", a.executionColumns, func(q url.Values) {
		if deployment != "" {
			q.Set("deployment_id", deployment)
		}
		if system {
			q.Set("_include_system_workflows", "true")
		}
		for _, s := range statuses {
			q.Add("status", strings.Replace(s, "completed", "terminated", 1))
		}
	}, shownStatus)
	list.Flags().StringVarP(&deployment, "deployment-id", "d", "", "only of this deployment")
	list.Flags().StringArrayVar(&statuses, "status", nil, "only those that are queued, started, completed, failed ...; may be given several times")
	list.Flags().BoolVar(&system, "include-system-workflows", false, "also those of the manager itself")
	return list
}

func (a *app) getExecution(c *cobra.Command, args []string) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	e, err := cl.get(c.Context(), "/executions/"+url.PathEscape(args[0]), nil)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(e)
	}
	columns := append(append([]string{}, executionColumns...), "blueprint_id", "ended_at", "error", "total_operations", "finished_operations")
	if err := a.details("Execution:", columns, shownStatus(e)); err != nil {
		return err
	}
	parameters, _ := e["parameters"].(object)
	if err := a.pairs("Execution Parameters:", parameters); err != nil {
		return err
	}
	switch text(e, "status") {
	case "terminated", "failed", "cancelled":
		return nil
	}
	why, err := cl.get(c.Context(), "/executions/"+url.PathEscape(args[0])+"/why", nil)
	if err != nil {
		return err
	}
	a.sayWhy(why)
	return nil
}

// sayWhy tells what an execution waits for, and its place in the queue.
func (a *app) sayWhy(o object) {
	if reason := text(o, "text"); reason != "" {
		a.say("%s", reason)
	}
	if n, _ := o["position"].(int64); n > 0 {
		a.say("It is number %d in the queue.", n)
	}
}

func (a *app) cancelCommand() *cobra.Command {
	var force, kill bool
	c := leaf("cancel ID", "Cancel an execution", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.act(c, args[0], cancelAction(force, kill)); err != nil {
			return err
		}
		a.say("A cancel request for execution %s has been sent. To track the execution's status, use:\ncfy executions get %s", args[0], args[0])
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "don't wait for running operations")
	c.Flags().BoolVarP(&kill, "kill", "k", false, "stop running operations")
	return c
}

func cancelAction(force, kill bool) string {
	switch {
	case kill:
		return "kill"
	case force:
		return "force-cancel"
	}
	return "cancel"
}

func resumeAction(reset bool) string {
	if reset {
		return "force-resume"
	}
	return "resume"
}

func (a *app) resumeCommand() *cobra.Command {
	var reset bool
	c := leaf("resume ID", "Let a failed or cancelled execution go on", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.act(c, args[0], resumeAction(reset)); err != nil {
			return err
		}
		a.say("Execution %s goes on. Follow it with `cfy events list --tail %s`", args[0], args[0])
		return nil
	}
	c.Flags().BoolVar(&reset, "reset-operations", false, "repeat operations that were under way")
	return c
}

func (a *app) deleteExecutionsCommand() *cobra.Command {
	var keepLast int
	var before, deployment string
	var all bool
	c := leaf("delete", "Delete executions that have ended, with their events and logs", cobra.NoArgs, nil)
	c.RunE = func(c *cobra.Command, _ []string) error {
		body := object{}
		switch {
		case (before == "") == (keepLast == 0):
			return usageError{errors.New("give either --before or --keep-last")}
		case before != "":
			body["to_datetime"] = before
		default:
			body["keep_last"] = int64(keepLast)
		}
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		q := url.Values{}
		if deployment != "" {
			q.Set("deployment_id", deployment)
		}
		if all {
			q.Set("_all_tenants", "true")
		}
		v, err := cl.do(c.Context(), http.MethodDelete, "/executions", q, body)
		if err != nil || a.json {
			return errors.Join(err, a.jsonOf(v, err))
		}
		o, _ := v.(object)
		items, _ := o["items"].([]any)
		for _, item := range items {
			count, _ := item.(object)
			a.say("Deleted %v executions", count["count"])
		}
		return nil
	}
	f := c.Flags()
	f.IntVar(&keepLast, "keep-last", 0, "delete all but the newest so many")
	f.StringVar(&before, "before", "", "delete what was created before this time, such as 2026-05-01T00:00:00Z")
	f.StringVarP(&deployment, "deployment-id", "d", "", "only of this deployment")
	f.BoolVarP(&all, "all-tenants", "a", false, "of all tenants")
	return c
}

// waitingShown is how many of the operations that an execution waits for are shown.
const waitingShown = 30

// showWhy prints where an execution stands.
func (a *app) showWhy(o object) error {
	if a.json {
		return a.printJSON(o)
	}
	a.say("Execution %s is %s.", text(o, "execution_id"), text(o, "status_display"))
	a.sayWhy(o)
	objects := func(name string) (list []object) {
		raw, _ := o[name].([]any)
		for _, r := range raw {
			if one, ok := r.(object); ok {
				list = append(list, one)
			}
		}
		return list
	}
	waiting := objects("waiting")
	for _, t := range waiting[:min(len(waiting), waitingShown)] {
		a.say("  %s: %s", text(t, "name"), text(t, "for"))
	}
	if total, ok := o["waiting_total"].(int64); ok && total > waitingShown {
		a.say("  and %d more operations; --json names %d in all", total-waitingShown, len(waiting))
	}
	for _, t := range objects("failed_operations") {
		attempt := ""
		if retry, ok := t["retry"].(int64); ok && retry > 0 {
			attempt = fmt.Sprintf(" [retry %d/%v]", retry, t["max_retries"])
		}
		a.say("  failed: %s%s: %s", text(t, "name"), attempt, text(t, "error"))
	}
	if failure := text(o, "error"); failure != "" {
		a.say("Error: %s", failure)
	}
	if blockers := objects("blocked_by"); len(blockers) > 0 {
		return a.table("Blocked by:", []string{"id", "workflow_id", "deployment_id", "status", "created_at", "created_by"}, blockers)
	}
	return nil
}

// holdCommand pauses an execution or lets it go on; said has a place for the id.
func (a *app) holdCommand(verb, short, said string) *cobra.Command {
	return leaf(verb+" ID", short, cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		if err := a.act(c, args[0], verb); err != nil {
			return err
		}
		a.say("Execution %s "+said, args[0], args[0])
		return nil
	})
}

func (a *app) act(c *cobra.Command, id, action string) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	e, err := cl.do(c.Context(), http.MethodPost, "/executions/"+url.PathEscape(id), nil, object{"action": action})
	return errors.Join(err, a.jsonOf(e, err))
}

func (a *app) eventsCommand() *cobra.Command {
	var tail, noLogs bool
	var size, offset int
	list := leaf("list ID", "Print an execution's events and logs", cobra.ExactArgs(1), nil)
	list.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		cl, err := a.client(ctx)
		if err != nil {
			return err
		}
		e, err := cl.get(ctx, "/executions/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		if tail {
			end, err := a.follow(ctx, cl, args[0], 0, func(e object) { a.showEvent(e, !noLogs) })
			if err != nil {
				return err
			}
			return a.ended(end, text(e, "workflow_id"), text(e, "deployment_id"))
		}
		a.say("Listing events for execution id %s [include_logs=%v]", args[0], !noLogs)
		q := url.Values{"execution_id": {args[0]}, "_size": {strconv.Itoa(size)}, "_offset": {strconv.Itoa(offset)}, "_sort": {"reported_timestamp"}}
		if noLogs {
			q.Set("type", "cloudify_event")
		}
		events, total, err := cl.list(ctx, "/events", q)
		if err != nil {
			return err
		}
		for _, ev := range events {
			a.showEvent(ev, true)
		}
		a.say("\nShowing %d of %d events", len(events), total)
		return nil
	}
	f := list.Flags()
	f.BoolVar(&tail, "tail", false, "follow until the execution has ended")
	f.BoolVar(&noLogs, "no-logs", false, "events only")
	f.BoolP("include-logs", "l", true, "show logs as well")
	f.IntVarP(&size, "pagination-size", "s", 1000, "how many")
	f.IntVarP(&offset, "pagination-offset", "o", 0, "from where")
	return group("events", "Events and logs of executions", list)
}
