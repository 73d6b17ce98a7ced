package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// fixed are columns that are the same in every profile.
func fixed(columns []string) func() []string { return func() []string { return columns } }

// lister makes a command that lists records of one kind.
func (a *app) lister(
	use, short, path, title string, columns func() []string, filter func(url.Values), change func(object) object,
) *cobra.Command {
	var size, offset int
	var sortBy, search string
	var descending, allTenants bool
	c := leaf(use, short, cobra.NoArgs, nil)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		q := url.Values{"_size": {strconv.Itoa(size)}, "_offset": {strconv.Itoa(offset)}}
		if sortBy != "" {
			if descending {
				sortBy = "-" + sortBy
			}
			q.Set("_sort", sortBy)
		}
		if search != "" {
			q.Set("_search", search)
		}
		if allTenants {
			q.Set("_all_tenants", "true")
		}
		if filter != nil {
			filter(q)
		}
		records, total, err := cl.list(c.Context(), path, q)
		if err != nil {
			return err
		}
		if change != nil {
			for i := range records {
				records[i] = change(records[i])
			}
		}
		if err := a.table(title, columns(), records); err != nil {
			return err
		}
		a.say("Showing %d of %d %s", len(records), total, strings.ToLower(strings.TrimSuffix(title, ":")))
		return nil
	}
	f := c.Flags()
	f.IntVarP(&size, "pagination-size", "s", 1000, "how many")
	f.IntVarP(&offset, "pagination-offset", "o", 0, "from where")
	f.StringVar(&sortBy, "sort-by", "", "field to sort by")
	f.BoolVar(&descending, "descending", false, "sort the other way")
	f.StringVar(&search, "search", "", "part of the id")
	f.BoolVarP(&allTenants, "all-tenants", "a", false, "of all tenants")
	f.StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

// orOnly returns id, or, in the local profile, that of the only record there is.
func (a *app) orOnly(ctx context.Context, cl *client, kind, id string) (string, error) {
	if id != "" {
		return id, nil
	}
	p, err := a.profile()
	if err != nil {
		return "", err
	}
	if !p.isLocal() {
		return "", usageError{fmt.Errorf("name the %s", strings.TrimSuffix(kind, "s"))}
	}
	records, _, err := cl.list(ctx, "/"+kind, url.Values{"_include": {"id"}})
	if err != nil {
		return "", err
	}
	if len(records) != 1 {
		return "", fmt.Errorf("there are %d %s here: run `cfy init BLUEPRINT` first, or name one", len(records), kind)
	}
	return text(records[0], "id"), nil
}

func arg(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return ""
}

var nodeColumns = []string{
	"id", "deployment_id", "blueprint_id", "host_id", "type", "visibility", "tenant_name", "number_of_instances",
	"planned_number_of_instances", "created_by",
}

func (a *app) nodesCommand() *cobra.Command {
	var deployment, of string
	list := a.lister("list", "List nodes", "/nodes", "Nodes:", fixed(nodeColumns), func(q url.Values) {
		if deployment != "" {
			q.Set("deployment_id", deployment)
		}
	}, nil)
	list.Flags().StringVarP(&deployment, "deployment-id", "d", "", "only of this deployment")
	get := leaf("get NODE", "Show a node", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		id, err := a.orOnly(c.Context(), cl, "deployments", of)
		if err != nil {
			return err
		}
		nodes, _, err := cl.list(c.Context(), "/nodes", url.Values{"deployment_id": {id}, "id": {args[0]}})
		if err != nil {
			return err
		}
		if len(nodes) == 0 {
			return fmt.Errorf("node %s was not found in deployment %s", args[0], id)
		}
		if a.json {
			return a.printJSON(nodes[0])
		}
		if err := a.details("Node:", nodeColumns, nodes[0]); err != nil {
			return err
		}
		properties, _ := nodes[0]["properties"].(object)
		if err := a.pairs("Node properties:", properties); err != nil {
			return err
		}
		instances, _, err := cl.list(c.Context(), "/node-instances", url.Values{"deployment_id": {id}, "node_id": {args[0]}})
		if err != nil {
			return err
		}
		return a.table("Node instances:", instanceColumns, instances)
	})
	get.Flags().StringVarP(&of, "deployment-id", "d", "", "the deployment")
	return group("nodes", "Nodes of deployments", list, get)
}

var instanceColumns = []string{"id", "deployment_id", "host_id", "node_id", "state", "visibility", "tenant_name", "created_by"}

func (a *app) instancesCommand() *cobra.Command {
	var deployment, node string
	list := a.lister("list", "List node instances", "/node-instances", "Instances:", fixed(instanceColumns), func(q url.Values) {
		if deployment != "" {
			q.Set("deployment_id", deployment)
		}
		if node != "" {
			q.Set("node_id", node)
		}
	}, nil)
	list.Flags().StringVarP(&deployment, "deployment-id", "d", "", "only of this deployment")
	list.Flags().StringVarP(&node, "node-name", "n", "", "only of this node")
	get := leaf("get ID", "Show a node instance", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		i, err := cl.get(c.Context(), "/node-instances/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(i)
		}
		if err := a.details("Instance:", instanceColumns, i); err != nil {
			return err
		}
		properties, _ := i["runtime_properties"].(object)
		return a.pairs("Instance runtime properties:", properties)
	})
	return group("node-instances", "Instances of nodes", list, get)
}

func (a *app) workflowsCommand() *cobra.Command {
	var deployment string
	list := leaf("list", "List a deployment's workflows", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		id, err := a.orOnly(c.Context(), cl, "deployments", deployment)
		if err != nil {
			return err
		}
		d, err := cl.get(c.Context(), "/deployments/"+url.PathEscape(id), nil)
		if err != nil {
			return err
		}
		raw, _ := d["workflows"].([]any)
		var workflows []object
		for _, w := range raw {
			if o, ok := w.(object); ok {
				o["deployment_id"], o["blueprint_id"] = id, d["blueprint_id"]
				workflows = append(workflows, o)
			}
		}
		return a.table("Workflows:", []string{"blueprint_id", "deployment_id", "name", "is_available"}, workflows)
	})
	list.Flags().StringVarP(&deployment, "deployment-id", "d", "", "the deployment")
	return group("workflows", "Workflows of deployments", list)
}

func (a *app) secretsCommand() *cobra.Command {
	columns := []string{"key", "created_at", "updated_at", "visibility", "tenant_name", "created_by", "is_hidden_value"}
	var text, file string
	var update, hidden bool
	create := leaf("create KEY", "Store a secret", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		v, err := secretValue(text, file)
		if err != nil {
			return err
		}
		_, err = a.request(c, http.MethodPut, "/secrets/"+url.PathEscape(args[0]), object{
			"value": v, "update_if_exists": update, "is_hidden_value": hidden})
		if err == nil {
			a.say("Secret `%s` created", args[0])
		}
		return err
	})
	change := leaf("update KEY", "Change a secret", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		v, err := secretValue(text, file)
		if err != nil {
			return err
		}
		_, err = a.request(c, http.MethodPatch, "/secrets/"+url.PathEscape(args[0]), object{"value": v})
		if err == nil {
			a.say("Secret `%s` updated", args[0])
		}
		return err
	})
	for _, c := range []*cobra.Command{create, change} {
		c.Flags().StringVarP(&text, "secret-string", "s", "", "the value")
		c.Flags().StringVarP(&file, "secret-file", "f", "", "a file with the value")
	}
	create.Flags().BoolVarP(&update, "update-if-exists", "u", false, "replace an existing one")
	create.Flags().BoolVar(&hidden, "hidden-value", false, "show the value to nobody but its creator and admins")
	return group("secrets", "Values that blueprints get with get_secret", create, change,
		a.lister("list", "List secrets", "/secrets", "Secrets:", fixed(columns), nil, nil),
		leaf("get KEY", "Show a secret", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, "/secrets/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			o, _ := v.(object)
			return a.details("Requested secret info:", append(columns, "value"), o)
		}),
		a.deleter("secret", "/secrets/"),
	)
}

func (a *app) request(c *cobra.Command, method, path string, body any) (any, error) {
	cl, err := a.client(c.Context())
	if err != nil {
		return nil, err
	}
	return cl.do(c.Context(), method, path, nil, body)
}

func (a *app) deleter(kind, path string) *cobra.Command {
	return leaf("delete ID", "Delete a "+kind, cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		if _, err := a.request(c, http.MethodDelete, path+url.PathEscape(args[0]), nil); err != nil {
			return err
		}
		a.say("Deleted %s %s", kind, args[0])
		return nil
	})
}

func (a *app) usersCommand() *cobra.Command {
	columns := []string{"username", "role", "tenants", "active", "last_login_at", "is_locked"}
	var password, role string
	create := leaf("create NAME", "Create a user", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		_, err := a.request(c, http.MethodPut, "/users", object{"username": args[0], "password": password, "role": role})
		if err == nil {
			a.say("User `%s` created with `%s` security role", args[0], role)
		}
		return err
	})
	create.Flags().StringVarP(&password, "password", "p", "", "password")
	create.Flags().StringVarP(&role, "security-role", "r", "default", "sys_admin or default")
	set := leaf("set-password NAME", "Set a user's password", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		_, err := a.request(c, http.MethodPost, "/users/"+url.PathEscape(args[0]), object{"password": password})
		if err == nil {
			a.say("The password of user `%s` is set", args[0])
		}
		return err
	})
	set.Flags().StringVarP(&password, "password", "p", "", "password")
	return group("users", "Who may log in", create, set, a.deleter("user", "/users/"),
		a.lister("list", "List users", "/users", "Users:", fixed(columns), nil, nil))
}

func (a *app) tenantsCommand() *cobra.Command {
	var tenant, role string
	add := leaf("add-user NAME", "Add a user to a tenant", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		_, err := a.request(c, http.MethodPut, "/tenants/users", object{"tenant_name": tenant, "username": args[0], "role": role})
		if err == nil {
			a.say("User `%s` added to tenant `%s`", args[0], tenant)
		}
		return err
	})
	add.Flags().StringVarP(&tenant, "tenant-name", "t", defaultTenant, "the tenant")
	add.Flags().StringVarP(&role, "role", "r", "user", "the role in it")
	return group("tenants", "Tenants", add, a.deleter("tenant", "/tenants/"),
		leaf("create NAME", "Create a tenant", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			_, err := a.request(c, http.MethodPost, "/tenants/"+url.PathEscape(args[0]), object{})
			if err == nil {
				a.say("Tenant `%s` created", args[0])
			}
			return err
		}),
		a.lister("list", "List tenants", "/tenants", "Tenants:", fixed([]string{"name", "groups", "users"}), nil, nil))
}

func (a *app) tokensCommand() *cobra.Command {
	columns := []string{"id", "username", "value", "role", "expiration_date", "last_used", "description"}
	var description, expiry string
	create := leaf("create", "Make an API token", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
		body := object{"description": description}
		if expiry != "" {
			body["expiration_date"] = expiry
		}
		v, err := a.request(c, http.MethodPost, "/tokens", body)
		if err != nil {
			return err
		}
		o, _ := v.(object)
		return a.details("Token:", columns, o)
	})
	create.Flags().StringVar(&description, "description", "", "what it is for")
	create.Flags().StringVar(&expiry, "expiry", "", "when it ends: YYYY-MM-DD HH:mm, or +10h")
	return group("tokens", "API tokens", create, a.deleter("token", "/tokens/"),
		a.lister("list", "List API tokens", "/tokens", "Tokens:", fixed(columns), nil, nil))
}

func (a *app) configCommand() *cobra.Command {
	return group("config", "The manager's settings",
		leaf("list", "List the settings", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			items, _, err := cl.list(c.Context(), "/config", nil)
			if err != nil {
				return err
			}
			return a.table("Config:", []string{"scope", "name", "value", "is_editable", "updated_at"}, items)
		}),
		leaf("update NAME=VALUE", "Change a setting; @FILE is what a file of JSON or YAML says", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			m, err := parsePairs(args[0])
			if err != nil {
				return err
			}
			for name, v := range m {
				if v, err = settingValue(name, v); err != nil {
					return err
				}
				if _, err := a.request(c, http.MethodPut, "/config/"+url.PathEscape(name), object{"value": v}); err != nil {
					return err
				}
				a.say("Set %s", name)
			}
			return nil
		}))
}

// settingValue is what a setting is to be: @FILE names a file with it, which may say
// the setting's name, too.
func settingValue(name string, v any) (any, error) {
	text, _ := v.(string)
	file, isFile := strings.CutPrefix(text, "@")
	if !isFile {
		return v, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the setting %s: %w", name, err)
	}
	if v, err = yamlValue(file, data); err != nil {
		return nil, err
	}
	if named, ok := v.(object); ok && len(named) == 1 && named[name] != nil {
		return named[name], nil
	}
	return v, nil
}

// secretValue is a secret's value from an option or a file.
func secretValue(text, file string) (string, error) {
	if (text == "") == (file == "") {
		return "", usageError{errors.New("give the value with -s, or a file with -f")}
	}
	if file == "" {
		return text, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the secret's file: %w", err)
	}
	return string(data), nil
}
