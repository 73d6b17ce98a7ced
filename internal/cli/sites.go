package cli

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

var siteColumns = []string{"name", "location", "visibility", "tenant_name", "created_at", "created_by"}

func sitePath(name string) string { return "/sites/" + url.PathEscape(name) }

func (a *app) sitesCommand() *cobra.Command {
	return group("sites", "Places where deployments are",
		a.createSiteCommand(), a.updateSiteCommand(),
		leaf("get NAME", "Show a site", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, sitePath(args[0]), nil)
			if err != nil {
				return err
			}
			site, _ := v.(object)
			return a.details("Requested site info:", siteColumns, site)
		}),
		a.lister("list", "List sites", "/sites", "Sites:", fixed(siteColumns), nil, nil),
		leaf("delete NAME", "Delete a site; its deployments stay without one", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			a.say("Deleting site `%s`...", args[0])
			if _, err := a.request(c, http.MethodDelete, sitePath(args[0]), nil); err != nil {
				return err
			}
			a.say("Site deleted")
			return nil
		}),
	)
}

func (a *app) createSiteCommand() *cobra.Command {
	var location, visibility string
	c := leaf("create NAME", "Make a site", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body := object{"visibility": visibility}
		if location != "" {
			body["location"] = location
		}
		v, err := a.request(c, http.MethodPut, sitePath(args[0]), body)
		if err == nil {
			a.say("Site `%s` created", args[0])
		}
		return errors.Join(err, a.jsonOf(v, err))
	}
	c.Flags().StringVar(&location, "location", "", "latitude,longitude")
	c.Flags().StringVarP(&visibility, "visibility", "l", "tenant", "private, tenant or global")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (a *app) updateSiteCommand() *cobra.Command {
	var location, visibility, name string
	c := leaf("update NAME", "Change or rename a site", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		body := object{}
		for key, v := range map[string]string{"location": location, "visibility": visibility, "new_name": name} {
			if v != "" {
				body[key] = v
			}
		}
		if len(body) == 0 {
			return usageError{errors.New("say what to change")}
		}
		v, err := a.request(c, http.MethodPost, sitePath(args[0]), body)
		if err == nil {
			a.say("Site `%s` updated", args[0])
		}
		return errors.Join(err, a.jsonOf(v, err))
	}
	c.Flags().StringVar(&location, "location", "", "latitude,longitude")
	c.Flags().StringVarP(&visibility, "visibility", "l", "", "tenant or global")
	c.Flags().StringVar(&name, "new-name", "", "another name")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (a *app) setSiteCommand() *cobra.Command {
	var site string
	var detach bool
	c := leaf("set-site DEPLOYMENT", "Move a deployment to a site, or away from it", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if (site == "") != detach {
			return usageError{errors.New("must provide either a `--site-name` of a valid site or `--detach-site`")}
		}
		body := object{"detach_site": detach}
		if site != "" {
			body["site_name"] = site
		}
		v, err := a.request(c, http.MethodPost, "/deployments/"+url.PathEscape(args[0])+"/set-site", body)
		if err == nil && detach {
			a.say("The site of `%s` was detached", args[0])
		} else if err == nil {
			a.say("The site of `%s` was set to %s", args[0], site)
		}
		return errors.Join(err, a.jsonOf(v, err))
	}
	c.Flags().StringVar(&site, "site-name", "", "the site")
	c.Flags().BoolVar(&detach, "detach-site", false, "leave it without a site")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}
