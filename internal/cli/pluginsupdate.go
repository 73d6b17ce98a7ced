package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

var pluginsUpdateColumns = []string{
	"id", "state", "blueprint_id", "execution_id", "forced", "all_tenants", "created_at", "visibility", "tenant_name", "created_by",
}

// pluginsUpdate is what an update of plugins is to do.
type pluginsUpdate struct {
	all                        bool
	except                     []string
	names, toLatest, toMinor   []string
	allToLatest, allToMinor    bool
	force, correct, reevaluate bool
	allTenants                 bool
}

func (a *app) updatePluginsCommand() *cobra.Command {
	var o pluginsUpdate
	c := leaf("update [BLUEPRINT]", "Move the deployments of a blueprint to newer versions of their plugins", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.check(c, args); err != nil {
			return err
		}
		if len(args) == 1 {
			return a.updatePlugins(c, args[0], o)
		}
		return a.updateAllPlugins(c, o)
	}
	f := c.Flags()
	f.BoolVar(&o.all, "all-blueprints", false, "all blueprints instead of one")
	f.StringArrayVar(&o.except, "except", nil, "with --all-blueprints: leave this one out; may be given several times")
	f.StringArrayVar(&o.names, "plugin-name", nil, "only this plugin; may be given several times")
	f.StringArrayVar(&o.toLatest, "to-latest", nil, "with --all-to-minor: move this plugin to its newest version")
	f.BoolVar(&o.allToLatest, "all-to-latest", false, "to the newest versions (the default)")
	f.StringArrayVar(&o.toMinor, "to-minor", nil, "with --all-to-latest: keep this plugin's major version")
	f.BoolVar(&o.allToMinor, "all-to-minor", false, "to the newest versions that keep the major version")
	f.BoolVarP(&o.force, "force", "f", false, "also where the states of deployments speak against it")
	f.BoolVar(&o.correct, "auto-correct-types", false, "change inputs to the types that they are declared with")
	f.BoolVar(&o.reevaluate, "reevaluate-active-statuses", false, "look anew at what seems to be under way")
	f.BoolVar(&o.allTenants, "all-tenants", false, "also deployments of other tenants")
	return c
}

// check refuses what contradicts itself, and completes what was left out.
func (o *pluginsUpdate) check(c *cobra.Command, args []string) error {
	switch {
	case o.all == (len(args) == 1):
		return errors.New("name a blueprint or give --all-blueprints")
	case len(o.except) > 0 && !o.all:
		return errors.New("--except is for --all-blueprints")
	case o.allToLatest && o.allToMinor:
		return errors.New("--all-to-latest and --all-to-minor are mutually exclusive")
	}
	if !c.Flags().Changed("all-to-latest") {
		o.allToLatest = !o.allToMinor
	}
	switch {
	case len(o.toLatest) > 0 && o.allToLatest:
		return errors.New("--to-latest and --all-to-latest are mutually exclusive; to update some plugins only give --plugin-name")
	case len(o.toMinor) > 0 && o.allToMinor:
		return errors.New("--to-minor and --all-to-minor are mutually exclusive; to update some plugins only give --plugin-name")
	}
	return nil
}

func (o *pluginsUpdate) body() object {
	return object{
		"plugin_names": o.names, "to_latest": o.toLatest, "all_to_latest": o.allToLatest, "to_minor": o.toMinor, "all_to_minor": o.allToMinor,
		"force": o.force, "auto_correct_types": o.correct, "reevaluate_active_statuses": o.reevaluate, "all_tenants": o.allTenants,
	}
}

// updatePlugins updates the plugins of one blueprint and waits for the end.
func (a *app) updatePlugins(c *cobra.Command, blueprint string, o pluginsUpdate) error {
	a.say("Updating the plugins of the deployments of the blueprint %s", blueprint)
	v, err := a.request(c, http.MethodPost, "/plugins-updates/"+url.PathEscape(blueprint)+"/update/initiate", o.body())
	if err != nil {
		return err
	}
	u, _ := v.(object)
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	e, err := a.follow(c.Context(), cl, text(u, "execution_id"), 0, func(event object) {
		if !a.json {
			a.showEvent(event, true)
		}
	})
	if err != nil {
		return err
	}
	if status := text(e, "status"); status != "terminated" {
		return fmt.Errorf("failed updating plugins for blueprint %s: %s (plugins update ID: %s, execution id: %s)", blueprint,
			text(e, "error"), text(u, "id"), text(u, "execution_id"))
	}
	done, err := a.request(c, http.MethodGet, "/plugins-updates/"+url.PathEscape(text(u, "id")), nil)
	if err != nil || a.json {
		return errors.Join(err, a.jsonOf(done, err))
	}
	if d, _ := done.(object); text(d, "state") == "no_changes_required" {
		a.say("The plugins of blueprint %s need no update.", blueprint)
		return nil
	}
	a.say("Successfully updated plugins for blueprint %s. Plugins update ID: %s. Execution id: %s", blueprint, text(u, "id"), text(u, "execution_id"))
	return nil
}

func (a *app) updateAllPlugins(c *cobra.Command, o pluginsUpdate) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	var failed []error
	updated := 0
	for seen := 0; ; {
		blueprints, total, err := cl.list(c.Context(), "/blueprints", url.Values{
			"_include": {"id"}, "_sort": {"created_at"}, "_offset": {strconv.Itoa(seen)}, "state": {"uploaded"},
		})
		if err != nil {
			return err
		}
		for _, b := range blueprints {
			id := text(b, "id")
			if slices.Contains(o.except, id) {
				continue
			}
			if err := a.updatePlugins(c, id, o); err != nil {
				failed = append(failed, err)
				continue
			}
			updated++
		}
		if seen += len(blueprints); len(blueprints) == 0 || int64(seen) >= total {
			break
		}
	}
	a.say("Successfully updated %d blueprints.", updated)
	return errors.Join(failed...)
}

func (a *app) pluginsUpdatesCommand() *cobra.Command {
	var blueprint string
	c := a.lister("list-updates", "List the updates of plugins", "/plugins-updates", "Plugins updates:", fixed(pluginsUpdateColumns), func(q url.Values) {
		if blueprint != "" {
			q.Set("blueprint_id", blueprint)
		}
	}, nil)
	c.Flags().StringVarP(&blueprint, "blueprint-id", "b", "", "only those of a blueprint")
	c.Aliases = []string{"history", "list_updates"}
	return c
}

func (a *app) pluginsUpdateCommand() *cobra.Command {
	return leaf("get-update UPDATE", "Show an update of plugins", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		v, err := a.request(c, http.MethodGet, "/plugins-updates/"+url.PathEscape(args[0]), nil)
		o, _ := v.(object)
		if err != nil || a.json {
			return errors.Join(err, a.jsonOf(o, err))
		}
		return a.details("Plugins update:", append(append([]string{}, pluginsUpdateColumns...), "temp_blueprint_id", "deployments_per_tenant"), o)
	})
}
