package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"windlass/internal/store"
	"windlass/internal/value"
)

// System roles.
const (
	SysAdmin    = "sys_admin"
	SystemUser  = "default"
	settingRole = "permission" // scope of the settings that change the table
)

// Tenant roles.
const (
	TenantManager    = "manager"
	TenantUser       = "user"
	TenantOperations = "operations"
	TenantViewer     = "viewer"
)

// Roles describes every role, in the order in which they are listed.
var Roles = []struct {
	Name, Type, Description string
}{
	{SysAdmin, "system_role", "User that can manage the manager"},
	{SystemUser, "system_role", "User exists, but has no permissions"},
	{TenantManager, "tenant_role", "User that can manage tenants"},
	{TenantUser, "tenant_role", "Regular user, can perform actions on tenants resources"},
	{TenantOperations, "tenant_role", "User that can deploy and execute, but not manage blueprints or plugins"},
	{TenantViewer, "tenant_role", "User that can only view tenant resources"},
}

func roleNames(kind string) []string {
	var names []string
	for _, r := range Roles {
		if r.Type == kind {
			names = append(names, r.Name)
		}
	}
	return names
}

// Groups of roles that may do the same things.
var (
	everybody = []string{SysAdmin, TenantManager, TenantUser, TenantOperations, TenantViewer, SystemUser}
	readers   = []string{SysAdmin, TenantManager, TenantUser, TenantOperations, TenantViewer}
	operators = []string{SysAdmin, TenantManager, TenantUser, TenantOperations}
	writers   = []string{SysAdmin, TenantManager, TenantUser}
	tokeners  = []string{SysAdmin, TenantManager, TenantUser, TenantViewer, SystemUser}
	managers  = []string{SysAdmin, TenantManager}
	admins    = []string{SysAdmin}
)

var table = buildTable([]group{
	{everybody, `status_get version_get maintenance_mode_get manager_config_get manager_get broker_get db_nodes_get
		provider_context_get tenant_list user_get_self token_get license_list identity_provider_get ldap_status_get
		cluster_status_get getting_started api_description_get`},
	{readers, `blueprint_list blueprint_get blueprint_download deployment_list deployment_get
		deployment_modification_list deployment_modification_get deployment_modification_outputs deployment_update_list
		deployment_update_get execution_list execution_get execution_should_start execution_schedule_list
		execution_schedule_get event_list node_list node_instance_list node_instance_get operations plugin_list
		plugin_get plugin_download plugins_update_list plugins_update_get secret_list secret_get site_list site_get
		agent_list agent_get deployment_group_list deployment_group_get execution_group_list execution_group_get
		filter_list filter_get label_list inter_deployment_dependency_list inter_deployment_dependency_get
		secrets_provider_list secrets_provider_get workflow_list file_server_auth`},
	{operators, `deployment_create deployment_update deployment_update_create deployment_update_update
		deployment_delete deployment_modify deployment_modification_start deployment_modification_finish
		deployment_modification_rollback deployment_set_visibility deployment_set_site execution_start
		execution_cancel execution_resume execution_status_update execution_delete execution_schedule_create
		deployment_group_create deployment_group_update deployment_group_delete execution_group_create
		execution_group_update event_create event_delete node_create node_update node_delete node_instance_create
		node_instance_update node_instance_delete functions_evaluate filter_create filter_delete
		inter_deployment_dependency_create inter_deployment_dependency_delete agent_create agent_update
		plugins_update_create tenant_get approval_answer`},
	{writers, `blueprint_upload blueprint_delete blueprint_update plugin_upload plugin_delete plugin_update
		secret_create secret_update secret_delete secret_export secret_import site_create site_update site_delete
		secrets_provider_create secrets_provider_update secrets_provider_delete resource_set_visibility`},
	{tokeners, `token_create token_list token_delete`},
	{managers, `manager_config_put execute_global_workflow`},
	{admins, `tenant_create tenant_delete tenant_rabbitmq_credentials tenant_add_user tenant_update_user
		tenant_remove_user tenant_add_group tenant_update_group tenant_remove_group user_list user_get user_create
		user_update user_delete user_set_activated user_unlock user_group_list user_group_get user_group_create
		user_group_update user_group_delete user_group_add_user user_group_remove_user snapshot_list snapshot_get
		snapshot_create snapshot_upload snapshot_delete snapshot_download snapshot_restore snapshot_status_update
		log_bundle_list log_bundle_get log_bundle_create log_bundle_upload log_bundle_delete log_bundle_download
		log_bundle_status_update license_upload license_remove cluster_manage manager_manage broker_manage
		broker_credentials db_nodes_update maintenance_mode_set audit_log_view audit_log_truncate audit_log_inject
		all_tenants create_global_resource set_owner set_timestamp set_execution_details set_execution_group_details set_plugin_update_details
		provider_context_create ldap_set permissions_get permissions_set manage_others_tokens private_resources_view`},
})

type group struct {
	roles       []string
	permissions string
}

func buildTable(groups []group) map[string][]string {
	t := map[string][]string{}
	for _, g := range groups {
		for _, name := range strings.Fields(g.permissions) {
			t[name] = g.roles
		}
	}
	return t
}

// Permissions lists the names of all permissions in text order.
func Permissions() []string { return value.SortedKeys(table) }

// IsPermission tells whether there is a permission of the name.
func IsPermission(name string) bool { return table[name] != nil }

// Allowed lists the roles that have the permission, as delivered.
func Allowed(permission string) []string { return slices.Clone(table[permission]) }

// grantTable is the table as delivered plus what an admin changed.
type grantTable struct {
	changed map[string]bool // role/permission: granted or taken
}

func (g *grantTable) allows(role, permission string) bool {
	if granted, ok := g.changed[role+"/"+permission]; ok {
		return granted
	}
	return slices.Contains(table[permission], role)
}

// Grant is one role having one permission.
type Grant struct {
	Role       string `json:"role"`
	Permission string `json:"permission"`
}

// overridesFor is how long another manager's change to the table may go unseen.
const overridesFor = 5 * time.Second

type overrideCache struct {
	mu    sync.Mutex
	read  time.Time   // guarded by mu
	table *grantTable // guarded by mu
}

// grants reads the table in force, from memory if that is fresh.
func (s *Service) grants(ctx context.Context) (*grantTable, error) {
	now := s.now()
	s.overrides.mu.Lock()
	t, read := s.overrides.table, s.overrides.read
	s.overrides.mu.Unlock()
	if t != nil && now.Sub(read) < overridesFor {
		return t, nil
	}
	settings, err := s.store.ListSettings(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the permissions: %w", err)
	}
	t = &grantTable{changed: map[string]bool{}}
	for _, item := range settings {
		if granted, ok := item.Value.(bool); ok && item.Scope == settingRole {
			t.changed[item.Name] = granted
		}
	}
	s.overrides.mu.Lock()
	s.overrides.table, s.overrides.read = t, now
	s.overrides.mu.Unlock()
	return t, nil
}

// Grants lists what a role may do, or what every role may do if role is "".
func (s *Service) Grants(ctx context.Context, role string) ([]Grant, error) {
	t, err := s.grants(ctx)
	if err != nil {
		return nil, err
	}
	if role != "" && !isRole(role) {
		return nil, refuse(NotFound, "Requested `Role` with ID `%s` was not found", role)
	}
	var out []Grant
	for _, p := range Permissions() {
		for _, r := range Roles {
			if (role == "" || r.Name == role) && t.allows(r.Name, p) {
				out = append(out, Grant{Role: r.Name, Permission: p})
			}
		}
	}
	return out, nil
}

func isRole(name string) bool {
	return slices.Contains(roleNames("system_role"), name) || slices.Contains(roleNames("tenant_role"), name)
}

// SetGrant gives a permission to a role or takes it away. It is a Conflict if
// the role has it already, NotFound if there is nothing to take.
func (s *Service) SetGrant(ctx context.Context, g Grant, granted bool, by string) error {
	if !isRole(g.Role) {
		return refuse(NotFound, "Requested `Role` with ID `%s` was not found", g.Role)
	}
	if !IsPermission(g.Permission) {
		return refuse(NotFound, "Requested `Permission` with ID `%s` was not found", g.Permission)
	}
	t, err := s.grants(ctx)
	if err != nil {
		return err
	}
	switch has := t.allows(g.Role, g.Permission); {
	case has && granted:
		return refuse(Conflict, "Role %s already has the permission %s", g.Role, g.Permission)
	case !has && !granted:
		return refuse(NotFound, "Role %s does not have the permission %s", g.Role, g.Permission)
	}
	err = s.store.Write(ctx, func(tx store.Tx) error {
		return tx.PutSetting(ctx, store.Setting{
			Scope: settingRole, Name: g.Role + "/" + g.Permission, Value: granted, UpdatedAt: s.now(), UpdatedBy: by,
		})
	})
	if err != nil {
		return fmt.Errorf("store the permission: %w", err)
	}
	s.overrides.mu.Lock()
	s.overrides.table = nil
	s.overrides.mu.Unlock()
	return nil
}
