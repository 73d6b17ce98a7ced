package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var updateColumns = []string{
	"id", "deployment_id", "tenant_name", "state", "execution_id", "created_at", "visibility", "old_blueprint_id", "new_blueprint_id",
}

func (a *app) updateCommand() *cobra.Command {
	var blueprintID, workflow string
	var inputs, reinstall []string
	var timeout int
	flags := map[string]*bool{}
	c := leaf("update DEPLOYMENT", "Update a deployment to another blueprint or other inputs", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		cl, err := a.client(ctx)
		if err != nil {
			return err
		}
		given, err := readInputs(inputs)
		if err != nil {
			return err
		}
		body := object{"inputs": given}
		if blueprintID != "" {
			body["blueprint_id"] = blueprintID
		}
		if workflow != "" {
			body["workflow_id"] = workflow
		}
		if len(reinstall) > 0 {
			ids := []any{}
			for _, id := range reinstall {
				ids = append(ids, id)
			}
			body["reinstall_list"] = ids
		}
		for name, on := range flags {
			if *on {
				body[name] = true
			}
		}
		a.say("Updating deployment %s...", args[0])
		v, err := cl.do(ctx, http.MethodPost, "/deployment-updates/"+url.PathEscape(args[0])+"/update/initiate", nil, body)
		if err != nil {
			return err
		}
		u, _ := v.(object)
		if *flags["preview"] && text(u, "state") != "updating" {
			return a.showPreview(ctx, cl, u, reinstall, func(flag string) bool { return *flags[flag] })
		}
		end, err := a.follow(ctx, cl, text(u, "execution_id"), time.Duration(timeout)*time.Second, func(e object) { a.showEvent(e, true) })
		if err != nil {
			return err
		}
		if err := a.ended(end, "update", args[0]); err != nil {
			return err
		}
		a.say("Successfully updated deployment %s. Deployment update id: %s. Execution id: %s", args[0], text(u, "id"), text(u, "execution_id"))
		return nil
	}
	f := c.Flags()
	f.StringVarP(&blueprintID, "blueprint-id", "b", "", "the new blueprint; the present one by default")
	f.StringArrayVarP(&inputs, "inputs", "i", nil, "inputs that change")
	f.StringVarP(&workflow, "workflow-id", "w", "", "a workflow of the new blueprint to run instead of the usual steps")
	f.StringArrayVarP(&reinstall, "reinstall-list", "r", nil, "an instance to reinstall; may be given several times")
	f.IntVar(&timeout, "timeout", 900, "seconds to wait")
	for name, help := range map[string]string{
		"skip_install": "install nothing that is added", "skip_uninstall": "uninstall nothing that is removed",
		"skip_reinstall": "reinstall only what --reinstall-list names", "skip_drift_check": "don't look for drift", "skip_heal": "don't look for unhealthy instances",
		"force_reinstall": "reinstall what would be updated", "ignore_failure": "go on when uninstalling fails",
		"install_first": "install what is added before uninstalling what is removed", "force": "also beside other executions",
		"preview": "work out what would change, and change nothing", "auto_correct_types": "turn texts given for inputs into the type that is wanted",
	} {
		flags[name] = f.Bool(strings.ReplaceAll(name, "_", "-"), false, help)
	}
	f.StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

// showPreview shows what an update would change, or why it can't be made.
func (a *app) showPreview(ctx context.Context, cl *client, u object, reinstall []string, skipped func(flag string) bool) error {
	if err := a.showUpdate(u, previewColumns, reinstall, skipped); err != nil || text(u, "state") != "failed" {
		return err
	}
	v, err := cl.do(ctx, http.MethodGet, "/executions/"+url.PathEscape(text(u, "execution_id")), nil, nil)
	if err != nil {
		return err
	}
	e, _ := v.(object)
	return fmt.Errorf("deployment %s can't be updated so: %s", text(u, "deployment_id"), text(e, "error"))
}

func (a *app) getUpdateCommand() *cobra.Command {
	return leaf("get-update UPDATE", "Show what an update of a deployment changed", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		v, err := cl.do(c.Context(), http.MethodGet, "/deployment-updates/"+url.PathEscape(args[0]), nil, nil)
		if err != nil {
			return err
		}
		u, _ := v.(object)
		return a.showUpdate(u, updateColumns, nil, func(string) bool { return false })
	})
}

func (a *app) historyCommand() *cobra.Command {
	var deployment string
	list := a.lister("history", "List the updates of deployments", "/deployment-updates", "Deployment updates:", fixed(updateColumns), func(q url.Values) {
		if deployment != "" {
			q.Set("deployment_id", deployment)
		}
	}, nil)
	list.Flags().StringVarP(&deployment, "deployment-id", "d", "", "only of this deployment")
	return list
}
