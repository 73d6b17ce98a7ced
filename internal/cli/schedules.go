package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

var scheduleColumns = []string{
	"id", "deployment_id", "workflow_id", "created_at", "next_occurrence", "since", "until", "stop_on_fail", "enabled", "visibility",
	"tenant_name", "created_by",
}

func (a *app) schedulesCommand() *cobra.Command {
	return group("schedule", "Start workflows at set times",
		a.createScheduleCommand(), a.updateScheduleCommand(), a.listSchedulesCommand(), a.getScheduleCommand(),
		a.switchScheduleCommand("enable", true), a.switchScheduleCommand("disable", false),
		leaf("delete DEPLOYMENT SCHEDULE", "Delete a schedule", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			if _, err := a.onSchedule(c, http.MethodDelete, args[0], args[1], nil); err != nil {
				return err
			}
			a.say("Deployment schedule deleted successfully")
			return nil
		}),
	)
}

// onSchedule makes a request about one schedule.
func (a *app) onSchedule(c *cobra.Command, method, deployment, id string, body any) (object, error) {
	cl, err := a.client(c.Context())
	if err != nil {
		return nil, err
	}
	v, err := cl.do(c.Context(), method, "/execution-schedules/"+url.PathEscape(id), url.Values{"deployment_id": {deployment}}, body)
	o, _ := v.(object)
	return o, err
}

func (a *app) listSchedulesCommand() *cobra.Command {
	var deployment string
	list := a.lister("list [DEPLOYMENT]", "List schedules", "/execution-schedules", "Deployment schedules:", fixed(scheduleColumns),
		func(q url.Values) {
			if deployment != "" {
				q.Set("deployment_id", deployment)
			}
		}, nil)
	list.Args = cobra.MaximumNArgs(1)
	run := list.RunE
	list.RunE = func(c *cobra.Command, args []string) error {
		deployment = arg(args)
		return run(c, nil)
	}
	return list
}

func (a *app) getScheduleCommand() *cobra.Command {
	var preview int
	c := leaf("get DEPLOYMENT SCHEDULE", "Show a schedule", cobra.ExactArgs(2), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		sc, err := a.onSchedule(c, http.MethodGet, args[0], args[1], nil)
		if err != nil || a.json {
			return errors.Join(err, a.jsonOf(sc, err))
		}
		columns := append(append([]string{}, scheduleColumns...), "rule", "time_zone", "slip", "parameters", "execution_arguments", "latest_execution_status")
		if err := a.details("Deployment schedule:", columns, sc); err != nil {
			return err
		}
		times, _ := sc["all_next_occurrences"].([]any)
		for i, t := range times[:min(preview, len(times))] {
			a.say("%4d. %v", i+1, t)
		}
		return nil
	}
	c.Flags().IntVar(&preview, "preview", 0, "also list so many of the next times")
	return c
}

// jsonOf prints the JSON of what a request that worked gave.
func (a *app) jsonOf(v any, err error) error {
	if err != nil || !a.json {
		return nil
	}
	return a.printJSON(v)
}

func (a *app) switchScheduleCommand(verb string, enabled bool) *cobra.Command {
	return leaf(verb+" DEPLOYMENT SCHEDULE", strings.ToUpper(verb[:1])+verb[1:]+" a schedule", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
		now, err := a.onSchedule(c, http.MethodGet, args[0], args[1], nil)
		if err != nil {
			return err
		}
		if now["enabled"] == enabled {
			return fmt.Errorf("schedule `%s` on deployment `%s` is already %sd", args[1], args[0], verb)
		}
		sc, err := a.onSchedule(c, http.MethodPatch, args[0], args[1], object{"enabled": enabled})
		if err != nil {
			return err
		}
		a.say("Schedule `%s` on deployment `%s` is %sd", args[1], args[0], verb)
		return a.jsonOf(sc, nil)
	})
}

// scheduleOptions are the options that say when a schedule is due and what it starts.
type scheduleOptions struct {
	since, until, zone, recurrence, weekdays, rrule, catchUp string
	count, slip, waitAfterFail                               int
	stopOnFail, goOn, custom, force, dry                     bool
	parameters                                               []string
}

func (o *scheduleOptions) times(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&o.since, "since", "s", "", "when it starts: 'YYYY-MM-DD HH:MM', or +N hours, days and so on from now")
	f.StringVarP(&o.until, "until", "u", "", "when it ends, in the same forms")
	f.StringVar(&o.zone, "tz", "", "the time zone of these, such as Europe/Berlin; UTC by default")
	f.StringVarP(&o.recurrence, "recurrence", "r", "", "how often: '2 weeks'")
	f.IntVarP(&o.count, "count", "c", 0, "how often at most")
	f.StringVar(&o.weekdays, "weekdays", "", "on these days only: mo,fr; for months and years also 1mo or l-fr")
	f.StringVar(&o.rrule, "rrule", "", "an iCalendar rule, instead of recurrence, count and weekdays")
	f.IntVar(&o.slip, "slip", 0, "minutes that a start may be late")
	f.StringVar(&o.catchUp, "catch-up", "", "what to make up for after the manager was down: skip, once or all; the manager's setting by default")
	f.BoolVar(&o.stopOnFail, "stop-on-fail", false, "stop the schedule once an execution of it has failed")
}

// body is what the options say, as the API takes it.
func (o *scheduleOptions) body(c *cobra.Command) object {
	body := object{}
	for name, text := range map[string]string{"since": o.since, "until": o.until} {
		if text != "" {
			body[name] = text
		}
	}
	for name, text := range map[string]string{"time_zone": o.zone, "catch_up": o.catchUp, "recurrence": o.recurrence, "rrule": o.rrule} {
		if text != "" {
			body[name] = text
		}
	}
	if o.weekdays != "" {
		days := []any{}
		for _, day := range strings.Split(o.weekdays, ",") {
			days = append(days, strings.TrimSpace(day))
		}
		body["weekdays"] = days
	}
	for name, n := range map[string]int{"count": o.count, "slip": o.slip} {
		if c.Flags().Changed(name) {
			body[name] = int64(n)
		}
	}
	if c.Flags().Changed("stop-on-fail") || o.goOn {
		body["stop_on_fail"] = o.stopOnFail && !o.goOn
	}
	return body
}

func (a *app) createScheduleCommand() *cobra.Command {
	var o scheduleOptions
	var name string
	c := leaf("create DEPLOYMENT WORKFLOW", "Start a workflow at set times", cobra.ExactArgs(2), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.since == "" {
			return usageError{errors.New("say when it starts with --since")}
		}
		body := o.body(c)
		if o.recurrence == "" && o.rrule == "" && o.count == 0 {
			body["count"] = int64(1)
		}
		parameters, err := readInputs(o.parameters)
		if err != nil {
			return err
		}
		body["parameters"] = parameters
		body["workflow_id"] = args[1]
		body["execution_arguments"] = object{
			"allow_custom_parameters": o.custom, "force": o.force, "is_dry_run": o.dry, "wait_after_fail": int64(o.waitAfterFail),
		}
		if name == "" {
			name = args[1] + "_" + strings.ReplaceAll(uuid.NewString(), "-", "")
		}
		sc, err := a.onSchedule(c, http.MethodPut, args[0], name, body)
		if err != nil {
			return err
		}
		a.say("Scheduled workflow `%s` on deployment `%s` as `%s`. Next occurrence: %v", args[1], args[0], name, sc["next_occurrence"])
		return a.jsonOf(sc, nil)
	}
	o.times(c)
	f := c.Flags()
	f.StringVarP(&name, "schedule-name", "n", "", "the schedule's id; made of the workflow's name by default")
	f.StringArrayVarP(&o.parameters, "parameters", "p", nil, "parameters of the workflow")
	f.BoolVar(&o.custom, "allow-custom-parameters", false, "allow parameters that the workflow does not declare")
	f.BoolVarP(&o.force, "force", "f", false, "run beside other executions of the deployment")
	f.BoolVar(&o.dry, "dry-run", false, "show what would happen, touch nothing")
	f.IntVar(&o.waitAfterFail, "wait-after-fail", 600, "seconds that other tasks may go on after a failure")
	f.StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (a *app) updateScheduleCommand() *cobra.Command {
	var o scheduleOptions
	c := leaf("update DEPLOYMENT SCHEDULE", "Change when a schedule is due", cobra.ExactArgs(2), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body := o.body(c)
		if len(body) == 0 {
			return usageError{errors.New("say what to change")}
		}
		sc, err := a.onSchedule(c, http.MethodPatch, args[0], args[1], body)
		if err != nil {
			return err
		}
		a.say("Updated schedule `%s` on deployment `%s`. Next occurrence: %v", args[1], args[0], sc["next_occurrence"])
		return a.jsonOf(sc, nil)
	}
	o.times(c)
	c.Flags().BoolVar(&o.goOn, "continue-on-fail", false, "go on after failures")
	return c
}
