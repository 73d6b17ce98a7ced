package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"windlass/internal/value"
)

var deploymentColumns = []string{
	"id", "display_name", "blueprint_id", "created_at", "updated_at", "visibility", "tenant_name", "created_by", "site_name",
	"labels", "deployment_status", "installation_status",
}

func (a *app) deploymentsCommand() *cobra.Command {
	var blueprintID, groupID, searchName, dependenciesOf string
	list := a.lister("list", "List deployments", "/deployments", "Deployments:", fixed(deploymentColumns), func(q url.Values) {
		for name, v := range map[string]string{
			"blueprint_id": blueprintID, "_group_id": groupID, "_search_name": searchName, "_dependencies_of": dependenciesOf,
		} {
			if v != "" {
				q.Set(name, v)
			}
		}
	}, nil)
	list.Flags().StringVarP(&blueprintID, "blueprint-id", "b", "", "only of this blueprint")
	list.Flags().StringVarP(&groupID, "group-id", "g", "", "only of this group")
	list.Flags().StringVar(&searchName, "search-name", "", "only with this in their display names")
	list.Flags().StringVar(&dependenciesOf, "dependencies-of", "", "only those that this deployment needs")
	return group("deployments", "Instances of blueprints",
		a.createDeploymentCommand(), a.filtered(list, "deployments", "Deployments:", deploymentColumns, nil), a.deleteDeploymentCommand(),
		a.labelsCommand("deployment"), a.filtersCommand("deployments"), a.setSiteCommand(),
		leaf("get [ID]", "Show a deployment", cobra.MaximumNArgs(1), func(c *cobra.Command, args []string) error {
			_, _, d, err := a.deployment(c.Context(), arg(args))
			if err != nil {
				return err
			}
			return a.details("Deployment:", deploymentColumns, d)
		}),
		leaf("inputs [ID]", "Show a deployment's inputs", cobra.MaximumNArgs(1), func(c *cobra.Command, args []string) error {
			_, id, d, err := a.deployment(c.Context(), arg(args))
			if err != nil {
				return err
			}
			inputs, _ := d["inputs"].(object)
			return a.pairs("Retrieved inputs for deployment "+id+":", inputs)
		}),
		a.exposedCommand("outputs"), a.exposedCommand("capabilities"), a.schedulesCommand(), a.updateCommand(), a.historyCommand(), a.getUpdateCommand(), a.modificationsCommand(), a.deploymentGroupsCommand(),
	)
}

// deployment reads a deployment; in the local profile the only one if id is "".
func (a *app) deployment(ctx context.Context, id string) (*client, string, object, error) {
	cl, err := a.client(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	if id, err = a.orOnly(ctx, cl, "deployments", id); err != nil {
		return nil, "", nil, err
	}
	d, err := cl.get(ctx, "/deployments/"+url.PathEscape(id), nil)
	return cl, id, d, err
}

func (a *app) exposedCommand(kind string) *cobra.Command {
	return leaf(kind+" [ID]", "Show a deployment's "+kind, cobra.MaximumNArgs(1), func(c *cobra.Command, args []string) error {
		cl, id, d, err := a.deployment(c.Context(), arg(args))
		if err != nil {
			return err
		}
		o, err := cl.get(c.Context(), "/deployments/"+url.PathEscape(id)+"/"+kind, nil)
		if err != nil {
			return err
		}
		values, _ := o[kind].(object)
		declared, _ := d[kind].(object)
		shown := object{}
		for _, name := range value.SortedKeys(values) {
			def, _ := declared[name].(object)
			shown[name] = object{"value": values[name], "description": def["description"]}
		}
		if a.json {
			return a.printJSON(shown)
		}
		var b strings.Builder
		fmt.Fprintf(&b, "Retrieved %s for deployment %s:\n", kind, id)
		for _, name := range value.SortedKeys(shown) {
			def := shown[name].(object)
			fmt.Fprintf(&b, " - %q:\n", name)
			if def["description"] != nil {
				fmt.Fprintf(&b, "     Description: %v\n", def["description"])
			}
			v := value.Text(def["value"])
			if _, isText := def["value"].(string); !isText {
				v = string(value.Encode(def["value"]))
			}
			fmt.Fprintf(&b, "     Value: %s\n", v)
		}
		_, err = fmt.Fprint(a.Stdout, b.String())
		return err
	})
}

func (a *app) createDeploymentCommand() *cobra.Command {
	var blueprintID, visibility, display, site, labels string
	var inputs []string
	var skipPlugins bool
	c := leaf("create ID", "Create a deployment of a blueprint", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		if blueprintID == "" {
			return usageError{errors.New("name the blueprint with -b")}
		}
		id := arg(args)
		if id == "" {
			id = blueprintID
		}
		more := withoutPluginCheck(skipPlugins)
		if site != "" {
			more["site_name"] = site
		}
		if labels != "" {
			given, err := parseLabels(labels, false)
			if err != nil {
				return err
			}
			more["labels"] = labelObjects(given)
		}
		return a.createDeployment(c.Context(), cl, id, blueprintID, display, visibility, inputs, more)
	}
	skipPluginsFlag(c, &skipPlugins)
	c.Flags().StringVar(&site, "site-name", "", "the site it is at")
	c.Flags().StringVar(&labels, "labels", "", "its labels: key:value,key:value")
	c.Flags().StringVarP(&blueprintID, "blueprint-id", "b", "", "the blueprint")
	c.Flags().StringVar(&display, "display-name", "", "the name shown; the id by default")
	c.Flags().StringArrayVarP(&inputs, "inputs", "i", nil, "inputs: a YAML file, YAML or JSON text, or key1=value1;key2=value2")
	c.Flags().StringVarP(&visibility, "visibility", "l", "tenant", "private, tenant or global")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func skipPluginsFlag(c *cobra.Command, skip *bool) {
	c.Flags().BoolVar(skip, "skip-plugins-validation", false, "also if plugins that it needs were not uploaded")
}

func withoutPluginCheck(skip bool) object {
	if !skip {
		return object{}
	}
	return object{"skip_plugins_validation": true}
}

func (a *app) createDeployment(ctx context.Context, cl *client, id, blueprintID, display, visibility string, inputs []string, more object) error {
	given, err := readInputs(inputs)
	if err != nil {
		return err
	}
	a.say("Creating new deployment from blueprint %s...", blueprintID)
	body := object{"blueprint_id": blueprintID, "inputs": given, "visibility": visibility}
	maps.Copy(body, more)
	if display != "" {
		body["display_name"] = display
	}
	d, err := cl.do(ctx, http.MethodPut, "/deployments/"+url.PathEscape(id), nil, body)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(d)
	}
	a.say("Deployment `%s` created. The deployment's id is %s", id, id)
	return nil
}

func (a *app) deleteDeploymentCommand() *cobra.Command {
	var force, recursive, logs bool
	c := leaf("delete ID", "Delete a deployment", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		q := url.Values{}
		for name, on := range map[string]bool{"force": force, "recursive": recursive, "delete_logs": logs} {
			if on {
				q.Set(name, "true")
			}
		}
		return a.deleteDeployment(c.Context(), cl, args[0], q)
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "also with live instances")
	c.Flags().BoolVar(&recursive, "recursive", false, "also the deployments that have this one as their parent")
	c.Flags().BoolVarP(&logs, "with-logs", "l", false, "also its logs")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

// deleteDeployment asks for the removal of a deployment with parameters, and
// waits until it is gone.
func (a *app) deleteDeployment(ctx context.Context, cl *client, id string, q url.Values) error {
	a.say("Deleting deployment %s...", id)
	if _, err := cl.do(ctx, http.MethodDelete, "/deployments/"+url.PathEscape(id), q, nil); err != nil {
		return err
	}
	for {
		runs, _, err := cl.list(ctx, "/executions", url.Values{
			"deployment_id": {id}, "workflow_id": {"delete_deployment_environment"}, "_sort": {"-created_at"}, "_size": {"1"}})
		if err != nil && !isNotFound(err) {
			return err
		}
		if len(runs) == 0 {
			a.say("Deployment deleted")
			return nil
		}
		switch text(runs[0], "status") {
		case "failed":
			return fmt.Errorf("deleting deployment %s failed: %s", id, text(runs[0], "error"))
		case "cancelled":
			return fmt.Errorf("deleting deployment %s was cancelled", id)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (a *app) initCommand() *cobra.Command {
	var inputs []string
	var file string
	var skipPlugins bool
	c := leaf("init BLUEPRINT", "Prepare a blueprint in this folder, without a manager", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		_, _, err = a.prepare(c.Context(), cl, args[0], "", "", file, inputs, withoutPluginCheck(skipPlugins))
		return err
	}
	skipPluginsFlag(c, &skipPlugins)
	c.Flags().StringArrayVarP(&inputs, "inputs", "i", nil, "inputs")
	c.Flags().StringVarP(&file, "blueprint-filename", "n", "", "the main file")
	return c
}

// prepare uploads a blueprint and creates a deployment of it.
func (a *app) prepare(ctx context.Context, cl *client, path, blueprintID, deploymentID, file string, inputs []string, more object) (string, string, error) {
	id, err := a.upload(ctx, cl, path, blueprintID, file, "tenant")
	if err != nil {
		return "", "", err
	}
	if deploymentID == "" {
		deploymentID = id
	}
	return id, deploymentID, a.createDeployment(ctx, cl, deploymentID, id, "", "tenant", inputs, more)
}

func (a *app) installCommand() *cobra.Command {
	var blueprintID, deploymentID, file, workflow string
	var inputs, parameters []string
	var timeout int
	var skipPlugins bool
	c := leaf("install [BLUEPRINT]", "Upload a blueprint, create a deployment and install it", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		cl, err := a.client(ctx)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			_, deploymentID, err = a.prepare(ctx, cl, args[0], blueprintID, deploymentID, file, inputs, withoutPluginCheck(skipPlugins))
		} else {
			deploymentID, err = a.orOnly(ctx, cl, "deployments", deploymentID)
		}
		if err != nil {
			return err
		}
		given, err := readInputs(parameters)
		if err != nil {
			return err
		}
		return a.startAndFollow(c, cl, object{"deployment_id": deploymentID, "workflow_id": workflow, "parameters": given},
			time.Duration(timeout)*time.Second, false, true)
	}
	skipPluginsFlag(c, &skipPlugins)
	f := c.Flags()
	f.StringVarP(&blueprintID, "blueprint-id", "b", "", "the blueprint's id")
	f.StringVarP(&deploymentID, "deployment-id", "d", "", "the deployment's id")
	f.StringVarP(&file, "blueprint-filename", "n", "", "the main file")
	f.StringVarP(&workflow, "workflow-id", "w", "install", "the workflow")
	f.StringArrayVarP(&inputs, "inputs", "i", nil, "inputs")
	f.StringArrayVarP(&parameters, "parameters", "p", nil, "parameters of the workflow")
	f.IntVar(&timeout, "timeout", 900, "seconds to wait")
	f.StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (a *app) uninstallCommand() *cobra.Command {
	var workflow string
	var parameters []string
	var timeout int
	c := leaf("uninstall [DEPLOYMENT]", "Uninstall a deployment and delete it and its blueprint", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		cl, id, d, err := a.deployment(ctx, arg(args))
		if err != nil {
			return err
		}
		given, err := readInputs(parameters)
		if err != nil {
			return err
		}
		if err := a.startAndFollow(c, cl, object{"deployment_id": id, "workflow_id": workflow, "parameters": given},
			time.Duration(timeout)*time.Second, false, true); err != nil {
			return err
		}
		if err := a.deleteDeployment(ctx, cl, id, nil); err != nil {
			return err
		}
		blueprintID := text(d, "blueprint_id")
		_, err = cl.do(ctx, http.MethodDelete, "/blueprints/"+url.PathEscape(blueprintID), nil, nil)
		var refused *apiError
		if errors.As(err, &refused) && refused.Code == "dependent_exists_error" {
			a.say("Blueprint %s stays: other deployments use it", blueprintID)
			return nil
		}
		return err
	}
	c.Flags().StringVarP(&workflow, "workflow-id", "w", "uninstall", "the workflow")
	c.Flags().StringArrayVarP(&parameters, "parameters", "p", nil, "parameters of the workflow")
	c.Flags().IntVar(&timeout, "timeout", 900, "seconds to wait")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (a *app) statusCommand() *cobra.Command {
	return leaf("status", "Show whether the manager works", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		s, err := cl.get(c.Context(), "/status", nil)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(s)
		}
		a.say("Retrieving manager services status... [%s]\n\nManager status: %s", cl.base, text(s, "status"))
		services, _ := s["services"].(object)
		var rows []object
		for _, name := range value.SortedKeys(services) {
			service, _ := services[name].(object)
			rows = append(rows, object{"service": name, "status": service["status"]})
		}
		if err := a.table("Services:", []string{"service", "status"}, rows); err != nil {
			return err
		}
		sizes, _ := s["storage"].(object)
		bytes, _ := sizes["database_bytes"].(int64)
		a.say("Database: %.1f MB, with %v executions and %v events and logs", float64(bytes)/1e6, sizes["executions"], sizes["events"])
		if free, known := sizes["disk_free_bytes"].(int64); known {
			a.say("Disk: %.1f GB free", float64(free)/1e9)
		}
		if work, known := s["executions"].(object); known {
			a.say("Executions: %v pending, %v running, %v queued", work["pending"], work["running"], work["queued"])
		}
		problems, _ := s["problems"].([]any)
		for _, problem := range problems {
			a.say("Problem: %v", problem)
		}
		return nil
	})
}

func (a *app) versionCommand() *cobra.Command {
	return leaf("version", "Show the version of the CLI and the manager", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		o := object{"cli": a.Version}
		if p, err := a.profile(); err == nil && !p.isLocal() {
			if cl, err := a.client(c.Context()); err == nil {
				if v, err := cl.get(c.Context(), "/api/version", nil); err == nil {
					o["manager"] = v["version"]
					if own := v["windlass"]; own != nil {
						o["manager"] = own
					}
				}
			}
		}
		if a.json {
			return a.printJSON(o)
		}
		a.say("cfy %s", a.Version)
		if o["manager"] != nil {
			a.say("manager %v", o["manager"])
		}
		return nil
	})
}
