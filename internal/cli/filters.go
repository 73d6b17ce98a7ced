package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

var filterColumns = []string{
	"id", "labels_filter_rules", "attrs_filter_rules", "created_at", "updated_at", "visibility", "tenant_name", "created_by",
}

// filtersCommand works with stored filters of one kind of records: blueprints,
// deployments or workflows.
func (a *app) filtersCommand(kind string) *cobra.Command {
	path := func(id string) string { return "/filters/" + kind + "/" + url.PathEscape(id) }
	title := strings.ToUpper(kind[:1]) + kind[1:]
	return group("filters", "Stored filters of "+kind,
		a.lister("list", "List the filters", "/filters/"+kind, title+"' filters:", fixed(filterColumns), nil, a.shownFilter),
		leaf("get ID", "Show a filter", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, path(args[0]), nil)
			if err != nil {
				return err
			}
			f, _ := v.(object)
			return a.details("Requested "+kind+"' filter info:", filterColumns, a.shownFilter(f))
		}),
		a.putFilterCommand(kind, "create", http.MethodPut, "tenant", path), a.putFilterCommand(kind, "update", http.MethodPatch, "", path),
		leaf("delete ID", "Delete a filter", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			a.say("Deleting %s' filter `%s`...", kind, args[0])
			if _, err := a.request(c, http.MethodDelete, path(args[0]), nil); err != nil {
				return err
			}
			a.say("Filter removed")
			return nil
		}),
	)
}

// shownFilter writes the rules as they are given on a command line.
func (a *app) shownFilter(f object) object {
	if a.json {
		return f
	}
	for _, name := range []string{"labels_filter_rules", "attrs_filter_rules"} {
		var texts []string
		rules, _ := f[name].([]any)
		for _, r := range rules {
			if rule, ok := r.(object); ok {
				texts = append(texts, ruleText(rule))
			}
		}
		f[name] = strings.Join(texts, ", ")
	}
	return f
}

func (a *app) putFilterCommand(kind, verb, method, visible string, path func(string) string) *cobra.Command {
	var o ruleOptions
	var visibility string
	c := leaf(verb+" ID", strings.ToUpper(verb[:1])+verb[1:]+" a filter", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		rules, err := o.rules()
		if err != nil {
			return err
		}
		body := object{}
		if visibility != "" {
			body["visibility"] = visibility
		}
		if len(rules) > 0 {
			body["filter_rules"] = rules
		} else if method == http.MethodPut || visibility == "" {
			return usageError{errors.New("give rules with --labels-rule or --attrs-rule")}
		}
		v, err := a.request(c, method, path(args[0]), body)
		if err != nil {
			return err
		}
		a.say("%s' filter `%s` %sd", strings.ToUpper(kind[:1])+kind[1:], args[0], verb)
		return a.jsonOf(v, nil)
	}
	o.options(c)
	c.Flags().StringVarP(&visibility, "visibility", "l", visible, "private, tenant or global")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

func (o *ruleOptions) options(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.labels, "labels-rule", nil, "a rule on labels: key=value, \"key is null\" ...; may be given several times")
	c.Flags().StringArrayVar(&o.attributes, "attrs-rule", nil, "a rule on attributes: key=value, \"id contains x\" ...; may be given several times")
}

// filtered lets a list be narrowed by a stored filter, and by rules.
func (a *app) filtered(c *cobra.Command, kind, title string, columns []string, change func(object) object) *cobra.Command {
	var o ruleOptions
	o.options(c)
	c.Flags().StringVar(&o.id, "filter-id", "", "only what the stored filter lets through")
	list := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		rules, err := o.rules()
		if err != nil {
			return err
		}
		if len(rules) == 0 && o.id == "" {
			return list(c, args)
		}
		return a.search(c, kind, title, columns, o.id, rules, change)
	}
	return c
}

func (a *app) search(c *cobra.Command, kind, title string, columns []string, filter string, rules []any, change func(object) object) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	q := url.Values{}
	for option, name := range map[string]string{"pagination-size": "_size", "pagination-offset": "_offset", "search": "_search", "blueprint-id": "blueprint_id"} {
		if f := c.Flags().Lookup(option); f != nil && f.Value.String() != "" {
			q.Set(name, f.Value.String())
		}
	}
	if by := c.Flags().Lookup("sort-by"); by != nil && by.Value.String() != "" {
		descending, _ := strconv.ParseBool(c.Flags().Lookup("descending").Value.String())
		q.Set("_sort", map[bool]string{true: "-"}[descending]+by.Value.String())
	}
	if all := c.Flags().Lookup("all-tenants"); all != nil && all.Changed {
		q.Set("_all_tenants", "true")
	}
	if filter != "" {
		q.Set("_filter_id", filter)
	}
	if rules == nil {
		rules = []any{}
	}
	v, err := cl.do(c.Context(), http.MethodPost, "/searches/"+kind, q, object{"filter_rules": rules})
	if err != nil {
		return err
	}
	o, _ := v.(object)
	var records []object
	items, _ := o["items"].([]any)
	for _, item := range items {
		if r, ok := item.(object); ok {
			if change != nil {
				r = change(r)
			}
			records = append(records, r)
		}
	}
	if err := a.table(title, columns, records); err != nil {
		return err
	}
	metadata, _ := o["metadata"].(object)
	pagination, _ := metadata["pagination"].(object)
	hidden := ""
	if n, ok := metadata["filtered"].(int64); ok {
		hidden = fmt.Sprintf(" (%d hidden by filter)", n)
	}
	a.say("Showing %d of %v %s%s", len(records), pagination["total"], kind, hidden)
	return nil
}
