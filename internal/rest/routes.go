package rest

// routes is the whole API: every call, who may make it, what it takes and what
// it answers.
func (s *server) routes() []route {
	return []route{
		// The manager.
		{method: "GET", path: "/api/version", permission: "version_get", scope: anyTenant, summary: "The manager's version", result: one(""), handle: s.getVersion},
		{method: "GET", path: "/openapi.json", scope: open, summary: "This API as an OpenAPI document", result: one(""), handle: s.getOpenAPI},
		{method: "GET", path: "/status", permission: "status_get", scope: anyTenant, summary: "Whether the manager works", query: fields("summary:boolean"), result: one(""), handle: s.getStatus},
		{method: "GET", path: "/ok", scope: open, summary: "Whether the manager works, for load balancers", result: one(""), handle: s.getOK},
		{method: "GET", path: "/config", permission: "manager_config_get", scope: anyTenant, summary: "List the configuration", query: fields("scope"), result: listOf("Config"), handle: s.listConfig},
		{method: "GET", path: "/config/{name}", permission: "manager_config_get", scope: anyTenant, summary: "One item of the configuration", query: objectQuery(""), result: one("Config"), handle: s.getConfig},
		{method: "PUT", path: "/config/{name}", permission: "manager_config_put", scope: anyTenant, summary: "Change an item of the configuration", body: fields("value*:any force:boolean"), result: one("Config"), handle: s.putConfig},
		{method: "GET", path: "/provider/context", permission: "provider_context_get", scope: anyTenant, summary: "The provider context", result: one(""), handle: s.getProviderContext},
		{method: "POST", path: "/provider/context", permission: "provider_context_create", scope: anyTenant, summary: "Set the provider context", query: fields("update:boolean"), body: fields("name* context*:object"), result: created(""), handle: s.postProviderContext},
		{method: "GET", path: "/managers", permission: "manager_get", scope: anyTenant, summary: "List the managers", query: listQuery("hostname"), result: listOf("Manager"), handle: s.listManagers},
		{method: "GET", path: "/brokers", permission: "broker_get", scope: anyTenant, summary: "List the message brokers", query: listQuery(""), result: listOf(""), handle: s.listBrokers},
		{method: "GET", path: "/db-nodes", permission: "db_nodes_get", scope: anyTenant, summary: "List the database nodes", query: listQuery(""), result: listOf(""), handle: s.listDBNodes},
		{method: "GET", path: "/cluster-status", permission: "cluster_status_get", scope: anyTenant, summary: "Whether the cluster works", query: fields("summary:boolean"), result: one(""), handle: s.getClusterStatus},
		{method: "GET", path: "/maintenance", permission: "maintenance_mode_get", scope: anyTenant, summary: "Whether maintenance mode is on", result: one(""), handle: s.getMaintenance},
		{method: "POST", path: "/maintenance/{action}", permission: "maintenance_mode_set", scope: anyTenant, summary: "Switch maintenance mode", result: one(""), handle: s.changeMaintenance},
		{method: "GET", path: "/license-check", permission: "license_list", scope: anyTenant, summary: "Whether there is a licence; none is needed", result: one(""), handle: s.checkLicense},
		{method: "GET", path: "/license", permission: "license_list", scope: anyTenant, summary: "List licences; there are none", query: listQuery(""), result: listOf(""), handle: s.emptyList},
		{method: "GET", path: "/idp", permission: "identity_provider_get", scope: anyTenant, summary: "Who keeps the users", result: one(""), handle: s.getIDP},
		{method: "GET", path: "/ldap", permission: "ldap_status_get", scope: anyTenant, summary: "Whether LDAP is used", result: one(""), handle: s.getLDAP},
		{method: "GET", path: "/snapshot-status", scope: open, summary: "Whether a snapshot is being restored", result: one(""), handle: s.getSnapshotStatus},

		// Blueprints.
		{method: "GET", path: "/blueprints", permission: "blueprint_list", summary: "List blueprints", query: listQuery("_filter_id"), result: listOf("Blueprint"), handle: s.listBlueprints},
		{method: "GET", path: "/blueprints/{id}", permission: "blueprint_get", summary: "One blueprint", query: objectQuery(""), result: one("Blueprint"), handle: s.getBlueprint},
		{method: "PUT", path: "/blueprints/{id}", permission: "blueprint_upload", summary: "Upload a blueprint", raw: true, query: fields("visibility application_file_name blueprint_archive_url async_upload:boolean private_resource:boolean labels"), result: created("Blueprint"), handle: s.uploadBlueprint},
		{method: "PUT", path: "/blueprints/{id}/validate", permission: "blueprint_upload", summary: "Check a blueprint without keeping it", raw: true, query: fields("visibility application_file_name blueprint_archive_url"), result: created("Blueprint"), handle: s.validateBlueprint},
		{method: "PATCH", path: "/blueprints/{id}", permission: "blueprint_update", summary: "Change a blueprint", body: fields("plan:object requirements:object description main_file_name visibility state error error_traceback labels:array creator created_at upload_execution:any"), result: one("Blueprint"), handle: s.patchBlueprint},
		{method: "DELETE", path: "/blueprints/{id}", permission: "blueprint_delete", summary: "Delete a blueprint", query: fields("force:boolean"), result: nothing(), handle: s.deleteBlueprint},
		{method: "GET", path: "/blueprints/{id}/archive", permission: "blueprint_download", summary: "The archive as uploaded", result: file(), handle: s.getBlueprintArchive},
		{method: "PATCH", path: "/blueprints/{id}/set-visibility", permission: "resource_set_visibility", summary: "Widen a blueprint's visibility", body: fields("visibility*"), result: one("Blueprint"), handle: s.setBlueprintVisibility},

		// Deployments.
		{method: "GET", path: "/deployments", permission: "deployment_list", summary: "List deployments", query: listQuery("_search_name _filter_id _group_id _dependencies_of _environments_only:boolean"), result: listOf("Deployment"), handle: s.listDeployments},
		{method: "GET", path: "/deployments/{id}", permission: "deployment_get", summary: "One deployment", query: objectQuery("all_sub_deployments:boolean include_workdir:boolean"), result: one("Deployment"), handle: s.getDeployment},
		{method: "PUT", path: "/deployments/{id}", permission: "deployment_create", summary: "Create a deployment and wait for its environment", query: fields("async_create:boolean private_resource:boolean"), body: fields("blueprint_id* inputs:object visibility site_name labels:array display_name skip_plugins_validation:boolean runtime_only_evaluation:boolean created_at created_by"), result: created("Deployment"), handle: s.putDeployment},
		{method: "PATCH", path: "/deployments/{id}", permission: "deployment_update", summary: "Change a deployment", body: fields("labels:array display_name creator created_at description workflows:object inputs:object policy_types:object policy_triggers:object groups:object scaling_groups:object outputs:object capabilities:object runtime_only_evaluation:boolean resource_tags:object create_execution latest_execution blueprint_id"), result: one("Deployment"), handle: s.patchDeployment},
		{method: "DELETE", path: "/deployments/{id}", permission: "deployment_delete", summary: "Start deleting a deployment", query: fields("force:boolean delete_logs:boolean recursive:boolean"), result: nothing(), handle: s.deleteDeployment},
		{method: "GET", path: "/deployments/{id}/outputs", permission: "deployment_get", summary: "The outputs' values", result: one(""), handle: s.getOutputs},
		{method: "GET", path: "/deployments/{id}/capabilities", permission: "deployment_get", summary: "The capabilities' values", result: one(""), handle: s.getCapabilities},
		{method: "PATCH", path: "/deployments/{id}/set-visibility", permission: "deployment_set_visibility", summary: "Widen a deployment's visibility", body: fields("visibility*"), result: one("Deployment"), handle: s.setDeploymentVisibility},
		{method: "GET", path: "/workflows", permission: "deployment_list", summary: "List the workflows of deployments", query: listQuery("_filter_id _group_id _common_only:boolean"), result: listOf("Workflow"), handle: s.listWorkflows},
		{method: "POST", path: "/evaluate/functions", permission: "functions_evaluate", summary: "Evaluate intrinsic functions", body: fields("deployment_id* payload*:object context:object"), result: one(""), handle: s.evaluateFunctions},

		// Executions.
		{method: "GET", path: "/executions", permission: "execution_list", summary: "List executions", query: listQuery("_include_system_workflows:boolean _group_id"), result: listOf("Execution"), handle: s.listExecutions},
		{method: "POST", path: "/executions", permission: "execution_start", summary: "Start a workflow", body: fields("deployment_id* workflow_id* parameters:object allow_custom_parameters:boolean force:boolean dry_run:boolean queue:boolean wait_after_fail:integer scheduled_time force_status created_by created_at started_at ended_at id is_system_workflow:boolean error"), result: created("Execution"), handle: s.startExecution},
		{method: "DELETE", path: "/executions", permission: "execution_delete", summary: "Delete ended executions", query: listQuery("_include_system_workflows:boolean"), body: fields("to_datetime keep_last:integer"), result: listOf(""), handle: s.deleteExecutions},
		{method: "GET", path: "/executions/{id}", permission: "execution_get", summary: "One execution", query: objectQuery(""), result: one("Execution"), handle: s.getExecution},
		{method: "POST", path: "/executions/{id}", permission: "execution_get", summary: "Cancel or resume an execution", body: fields("action*"), result: one("Execution"), handle: s.actOnExecution},
		{method: "PATCH", path: "/executions/{id}", permission: "execution_status_update", summary: "Report an execution's status", body: fields("status* error"), result: one("Execution"), handle: s.patchExecution},
		{method: "GET", path: "/executions/{id}/why", permission: "execution_get", summary: "Where an execution stands and what it waits for", result: one(""), handle: s.explainExecution},
		{method: "GET", path: "/executions/{id}/events/stream", permission: "event_list", summary: "Events and logs as they are stored, as server-sent events", query: fields("from:integer"), result: stream("text/event-stream"), handle: s.streamEvents},

		// Requests for a person's yes or no.
		{method: "GET", path: "/approvals", permission: "execution_list", summary: "List what operations ask people for", query: listQuery(""), result: listOf("Approval"), handle: s.listApprovals},
		{method: "GET", path: "/approvals/{id}", permission: "execution_get", summary: "One approval", query: objectQuery(""), result: one("Approval"), handle: s.getApproval},
		{method: "POST", path: "/approvals/{id}", permission: "approval_answer", summary: "Answer an approval: action is approve or reject", body: fields("action* comment"), result: one("Approval"), handle: s.answerApproval},

		// Events and logs.
		{method: "GET", path: "/events", permission: "event_list", summary: "List events and logs", query: listQuery("_range"), result: listOf("Event"), handle: s.listEvents},
		{method: "POST", path: "/events", permission: "event_create", summary: "Store events and logs of an execution", body: fields("events:array logs:array execution_id execution_group_id manager_name agent_name"), result: created(""), handle: s.postEvents},
		{method: "DELETE", path: "/events", permission: "event_delete", summary: "Delete a deployment's events", query: fields("type* deployment_id* store_before _range"), result: listOf(""), handle: s.deleteEvents},

		// Nodes and node instances.
		{method: "GET", path: "/nodes", permission: "node_list", summary: "List nodes", query: listQuery("_evaluate_functions:boolean _instance_context"), result: listOf("Node"), handle: s.listNodes},
		{method: "POST", path: "/nodes", permission: "node_create", summary: "Store nodes of a deployment", body: fields("deployment_id* nodes*:array"), result: created(""), handle: s.postNodes},
		{method: "PATCH", path: "/nodes/{deployment}/{id}", permission: "node_update", summary: "Change a node during an update", body: fields("plugins:array operations:object relationships:array properties:object capabilities:object"), result: nothing(), handle: s.patchNode},
		{method: "GET", path: "/node-instances", permission: "node_instance_list", summary: "List node instances", query: listQuery("_evaluate_functions:boolean"), result: listOf("NodeInstance"), handle: s.listInstances},
		{method: "POST", path: "/node-instances", permission: "node_instance_create", summary: "Store instances of a deployment's nodes", body: fields("deployment_id* node_instances*:array"), result: created(""), handle: s.postInstances},
		{method: "GET", path: "/node-instances/{id}", permission: "node_instance_get", summary: "One node instance", query: objectQuery("_evaluate_functions:boolean"), result: one("NodeInstance"), handle: s.getInstance},
		{method: "PATCH", path: "/node-instances/{id}", permission: "node_instance_update", summary: "Change a node instance", query: fields("force:boolean"), body: fields("version*:integer state runtime_properties:object system_properties:object relationships:array"), result: one("NodeInstance"), handle: s.patchInstance},
		{method: "DELETE", path: "/node-instances/{id}", permission: "node_instance_delete", summary: "Remove a node instance during an update", result: nothing(), handle: s.deleteInstance},

		// What the engine stores.
		{method: "GET", path: "/tasks_graphs", permission: "operations", summary: "List an execution's task graphs", query: listQuery(""), result: listOf("TasksGraph"), handle: s.listGraphs},
		{method: "POST", path: "/tasks_graphs/{id}", permission: "operations", summary: "Store a task graph with its operations", body: fields("name* execution_id* operations:array created_at graph_id"), result: created("TasksGraph"), handle: s.postGraph},
		{method: "PATCH", path: "/tasks_graphs/{id}", permission: "operations", summary: "Change a task graph; nothing of it is kept", body: fields("state*"), result: one("TasksGraph"), handle: s.patchGraph},
		{method: "GET", path: "/operations", permission: "operations", summary: "List the operations of a graph or an execution", query: listQuery("skip_internal:boolean"), result: listOf("Operation"), handle: s.listOperations},
		{method: "GET", path: "/operations/{id}", permission: "operations", summary: "One operation", query: objectQuery(""), result: one("Operation"), handle: s.getOperation},
		{method: "PUT", path: "/operations/{id}", permission: "operations", summary: "Add an operation to a graph", body: fields("name* graph_id* dependencies*:array parameters*:object type*"), result: created("Operation"), handle: s.putOperation},
		{method: "PATCH", path: "/operations/{id}", permission: "operations", summary: "Report an operation's state", body: fields("state* result:any exception:any exception_causes:any manager_name agent_name"), result: one(""), handle: s.patchOperation},
		{method: "DELETE", path: "/operations/{id}", permission: "operations", summary: "Remove an operation", result: one("Operation"), handle: s.deleteOperation},

		// Plugins.
		{method: "GET", path: "/plugins", permission: "plugin_list", summary: "List plugins", query: listQuery(""), result: listOf("Plugin"), handle: s.listPlugins},
		{method: "POST", path: "/plugins", permission: "plugin_upload", summary: "Upload a plugin, or a bundle of plugins", raw: true, query: fields("visibility title id uploaded_at created_by private_resource:boolean plugin_archive_url"), result: created("Plugin"), handle: s.uploadPlugin},
		{method: "GET", path: "/plugins/{id}", permission: "plugin_get", summary: "One plugin", query: objectQuery(""), result: one("Plugin"), handle: s.getPlugin},
		{method: "DELETE", path: "/plugins/{id}", permission: "plugin_delete", summary: "Delete a plugin", body: fields("force:boolean"), result: nothing(), handle: s.deletePlugin},
		{method: "PUT", path: "/plugins/{id}", permission: "plugin_upload", summary: "Report how far a plugin's installation is", body: fields("state* agent manager error"), result: one("Plugin"), handle: s.putPlugin},
		{method: "PATCH", path: "/plugins/{id}", permission: "plugin_update", summary: "Change a plugin", body: fields("creator title labels:object blueprint_labels:object resource_tags:object"), result: one("Plugin"), handle: s.patchPlugin},
		{method: "POST", path: "/plugins/{id}", permission: "plugin_upload", summary: "Have a plugin installed before it is needed", body: fields("action* managers:array agents:array"), result: one("Plugin"), handle: s.installPlugin},
		{method: "GET", path: "/plugins/{id}/archive", permission: "plugin_download", summary: "A plugin's archive, or all that was uploaded with it", query: fields("full_archive:boolean"), result: file(), handle: s.getPluginArchive},
		{method: "GET", path: "/plugins/{id}/yaml", permission: "plugin_download", summary: "A plugin's document for blueprints", query: fields("dsl_version"), result: file(), handle: s.getPluginYAML},
		{method: "PATCH", path: "/plugins/{id}/set-visibility", permission: "resource_set_visibility", summary: "Widen a plugin's visibility", body: fields("visibility*"), result: one("Plugin"), handle: s.setPluginVisibility},
		{method: "GET", path: "/plugins-updates", permission: "plugins_update_list", summary: "List updates of plugins", query: listQuery(""), result: listOf("PluginsUpdate"), handle: s.listPluginsUpdates},
		{method: "GET", path: "/plugins-updates/{id}", permission: "plugins_update_get", summary: "One update of plugins", query: objectQuery(""), result: one("PluginsUpdate"), handle: s.getPluginsUpdate},
		{method: "POST", path: "/plugins-updates/{id}/update/initiate", permission: "plugins_update_create", summary: "Move the deployments of a blueprint to other versions of its plugins", body: fields("plugin_names:array to_latest:array all_to_latest:boolean to_minor:array all_to_minor:boolean mapping:object force:boolean auto_correct_types:boolean reevaluate_active_statuses:boolean all_tenants:boolean"), result: one("PluginsUpdate"), handle: s.initiatePluginsUpdate},
		{method: "POST", path: "/plugins-updates/{id}/update/finalize", permission: "plugins_update_create", summary: "The end of an update, which comes by itself", result: one("PluginsUpdate"), handle: s.passPluginsUpdate},

		// Secrets.
		{method: "GET", path: "/secrets", permission: "secret_list", summary: "List secrets, without their values", query: listQuery("_filter_id"), result: listOf("ListedSecret"), handle: s.listSecrets},
		{method: "GET", path: "/secrets/share/export", permission: "secret_export", summary: "Secrets with their values, for another manager", query: listQuery("_passphrase _include_metadata:boolean"), result: one(""), handle: s.exportSecrets},
		{method: "POST", path: "/secrets/share/import", permission: "secret_import", summary: "Take in exported secrets", body: fields("secrets_list*:array override_collisions*:boolean tenant_map:object passphrase"), result: one(""), handle: s.importSecrets},
		{method: "GET", path: "/secrets/{key}", permission: "secret_get", summary: "One secret with its value", query: objectQuery("_skip_value:boolean"), result: one("Secret"), handle: s.getSecret},
		{method: "PUT", path: "/secrets/{key}", permission: "secret_create", summary: "Store a secret", body: fields("value*:any update_if_exists:boolean is_hidden_value:boolean visibility schema:object provider_name provider_options:object"), result: one("Secret"), handle: s.putSecret},
		{method: "PATCH", path: "/secrets/{key}", permission: "secret_update", summary: "Change a secret", body: fields("value:any visibility is_hidden_value:boolean creator provider_name provider_options:object"), result: one("Secret"), handle: s.patchSecret},
		{method: "DELETE", path: "/secrets/{key}", permission: "secret_delete", summary: "Delete a secret", result: nothing(), handle: s.deleteSecret},
		{method: "PATCH", path: "/secrets/{key}/set-visibility", permission: "resource_set_visibility", summary: "Widen a secret's visibility", body: fields("visibility*"), result: one("Secret"), handle: s.setSecretVisibility},

		// Users, tenants, tokens, permissions.
		{method: "GET", path: "/user", permission: "user_get_self", scope: anyTenant, summary: "The caller", query: objectQuery(""), result: one("User"), handle: s.getSelf},
		{method: "GET", path: "/users", permission: "user_list", scope: anyTenant, summary: "List users", query: listQuery(""), result: listOf("User"), handle: s.listUsers},
		{method: "PUT", path: "/users", permission: "user_create", scope: anyTenant, summary: "Create a user", body: fields("username* password* role is_prehashed:boolean created_at first_login_at last_login_at"), result: created("User"), handle: s.putUser},
		{method: "GET", path: "/users/{name}", permission: "user_get_self", scope: anyTenant, summary: "One user: the caller, or any for admins", query: objectQuery(""), result: one("User"), handle: s.getUser},
		{method: "POST", path: "/users/{name}", permission: "user_get_self", scope: anyTenant, summary: "Change a user's password or role; own ones as well", body: fields("password role show_getting_started:boolean"), result: one("User"), handle: s.postUser},
		{method: "DELETE", path: "/users/{name}", permission: "user_delete", scope: anyTenant, summary: "Delete a user", result: nothing(), handle: s.deleteUser},
		{method: "POST", path: "/users/active/{name}", permission: "user_set_activated", scope: anyTenant, summary: "Let a user in or keep it out", body: fields("action*"), result: one("User"), handle: s.activateUser},
		{method: "POST", path: "/users/unlock/{name}", permission: "user_unlock", scope: anyTenant, summary: "End the lock after failed logins", result: one("User"), handle: s.unlockUser},
		{method: "GET", path: "/tenants", permission: "tenant_list", scope: anyTenant, summary: "List tenants", query: listQuery(""), result: listOf("Tenant"), handle: s.listTenants},
		{method: "GET", path: "/tenants/{name}", permission: "tenant_list", scope: anyTenant, summary: "One tenant", query: objectQuery(""), result: one("Tenant"), handle: s.getTenant},
		{method: "POST", path: "/tenants/{name}", permission: "tenant_create", scope: anyTenant, summary: "Create a tenant", body: fields("rabbitmq_password"), result: created("Tenant"), handle: s.postTenant},
		{method: "DELETE", path: "/tenants/{name}", permission: "tenant_delete", scope: anyTenant, summary: "Delete an empty tenant", result: nothing(), handle: s.deleteTenant},
		{method: "PUT", path: "/tenants/users", permission: "tenant_add_user", scope: anyTenant, summary: "Add a user to a tenant", body: fields("tenant_name* username* role"), result: one("Tenant"), handle: s.addMember},
		{method: "PATCH", path: "/tenants/users", permission: "tenant_update_user", scope: anyTenant, summary: "Change a user's role in a tenant", body: fields("tenant_name* username* role*"), result: one("Tenant"), handle: s.changeMember},
		{method: "DELETE", path: "/tenants/users", permission: "tenant_remove_user", scope: anyTenant, summary: "Remove a user from a tenant", body: fields("tenant_name* username*"), result: nothing(), handle: s.removeMember},
		{method: "GET", path: "/user-groups", permission: "user_group_list", scope: anyTenant, summary: "List user groups", query: listQuery(""), result: listOf(""), handle: s.emptyList},
		{method: "POST", path: "/user-groups", permission: "user_group_create", scope: anyTenant, summary: "Create a user group", body: fields("group_name* ldap_group_dn role"), result: created(""), handle: s.refuseGroups},
		{method: "POST", path: "/tokens", permission: "token_create", scope: anyTenant, summary: "Make an API token", body: fields("description expiration_date"), result: one("Token"), handle: s.postToken},
		{method: "GET", path: "/tokens", permission: "token_list", scope: anyTenant, summary: "List API tokens", query: listQuery(""), result: listOf("Token"), handle: s.listTokens},
		{method: "GET", path: "/tokens/{id}", permission: "token_get", scope: anyTenant, summary: "One API token", query: objectQuery(""), result: one("Token"), handle: s.getToken},
		{method: "DELETE", path: "/tokens/{id}", permission: "token_delete", scope: anyTenant, summary: "Delete an API token", result: nothing(), handle: s.deleteToken},
		{method: "GET", path: "/permissions", scope: anyTenant, summary: "What each role may do", query: listQuery(""), result: listOf("Permission"), handle: s.listPermissions},
		{method: "GET", path: "/permissions/{role}", scope: anyTenant, summary: "What a role may do", query: listQuery(""), result: listOf("Permission"), handle: s.listPermissions},
		{method: "PUT", path: "/permissions/{role}/{permission}", scope: anyTenant, summary: "Give a role a permission", result: one("Permission"), handle: s.putPermission},
		{method: "DELETE", path: "/permissions/{role}/{permission}", scope: anyTenant, summary: "Take a permission from a role", result: nothing(), handle: s.deletePermission},

		// Labels, searches, summaries.
		{method: "GET", path: "/labels/{kind}", permission: "label_list", summary: "List the keys of labels", query: listQuery("_reserved:boolean"), result: listOf(""), handle: s.listLabelKeys},
		{method: "GET", path: "/labels/{kind}/{key}", permission: "label_list", summary: "List the values of a label", query: listQuery(""), result: listOf(""), handle: s.listLabelValues},
		{method: "POST", path: "/searches/deployments", permission: "deployment_list", summary: "Search deployments", query: listQuery("_search_name _filter_id"), body: fields("filter_rules:array constraints:object"), result: listOf("Deployment"), handle: s.searchDeployments},
		{method: "POST", path: "/searches/blueprints", permission: "blueprint_list", summary: "Search blueprints", query: listQuery("_filter_id"), body: fields("filter_rules:array constraints:object"), result: listOf("Blueprint"), handle: s.searchBlueprints},
		{method: "POST", path: "/searches/workflows", permission: "deployment_list", summary: "Search workflows of deployments", query: listQuery("_common_only:boolean _filter_id"), body: fields("filter_rules:array constraints:object"), result: listOf("Workflow"), handle: s.searchWorkflows},
		{method: "POST", path: "/searches/nodes", permission: "node_list", summary: "Search nodes", query: listQuery("_evaluate_functions:boolean"), body: fields("filter_rules:array constraints:object"), result: listOf("Node"), handle: s.searchNodes},
		{method: "POST", path: "/searches/node-types", permission: "node_list", summary: "Search types of nodes", query: listQuery(""), body: fields("constraints:object"), result: listOf(""), handle: s.searchNodeTypes},
		{method: "POST", path: "/searches/node-instances", permission: "node_instance_list", summary: "Search node instances", query: listQuery("_evaluate_functions:boolean"), body: fields("filter_rules:array constraints:object"), result: listOf("NodeInstance"), handle: s.searchInstances},
		{method: "POST", path: "/searches/secrets", permission: "secret_list", summary: "Search secrets", query: listQuery(""), body: fields("filter_rules:array constraints:object"), result: listOf("ListedSecret"), handle: s.searchSecrets},
		{method: "POST", path: "/searches/capabilities", permission: "deployment_get", summary: "Search the capabilities of a deployment", query: listQuery(""), body: fields("constraints:object"), result: listOf(""), handle: s.searchCapabilities},
		{method: "POST", path: "/searches/scaling-groups", permission: "deployment_list", summary: "Search scaling groups", query: listQuery(""), body: fields("constraints:object"), result: listOf(""), handle: s.searchScalingGroups},
		{method: "GET", path: "/summary/{kind}", scope: inTenant, summary: "Count records by a field", query: listQuery("_target_field* _sub_field"), result: listOf(""), handle: s.getSummary},

		// Things that there are none of yet: lists are empty.
		{method: "GET", path: "/deployment-groups", permission: "deployment_group_list", summary: "List deployment groups", query: listQuery(""), result: listOf("DeploymentGroup"), handle: s.listDeploymentGroups},
		{method: "GET", path: "/deployment-groups/{id}", permission: "deployment_group_get", summary: "One deployment group", query: objectQuery(""), result: one("DeploymentGroup"), handle: s.getDeploymentGroup},
		{method: "PUT", path: "/deployment-groups/{id}", permission: "deployment_group_create", summary: "Make or change a deployment group", body: fields("description visibility labels:array blueprint_id default_inputs:object filter_id filter_rules:array deployment_ids:array new_deployments:array deployments_from_group created_by created_at creation_counter:integer"), result: one("DeploymentGroup"), handle: s.putDeploymentGroup},
		{method: "PATCH", path: "/deployment-groups/{id}", permission: "deployment_group_update", summary: "Add deployments to a group and take them out", body: fields("add:object remove:object"), result: one("DeploymentGroup"), handle: s.patchDeploymentGroup},
		{method: "DELETE", path: "/deployment-groups/{id}", permission: "deployment_group_delete", summary: "Delete a deployment group, with its deployments if asked to", query: fields("delete_deployments:boolean force:boolean delete_logs:boolean recursive:boolean"), result: one(""), handle: s.deleteDeploymentGroup},
		{method: "GET", path: "/execution-groups", permission: "execution_group_list", summary: "List execution groups", query: listQuery("_get_data:boolean"), result: listOf("ExecutionGroup"), handle: s.listExecutionGroups},
		{method: "POST", path: "/execution-groups", permission: "execution_group_create", summary: "Start a workflow on all deployments of a group, or on those chosen", body: fields("deployment_group_id deployment_ids:array filter_id filter_rules:array workflow_id* default_parameters:object parameters:object force:boolean concurrency:integer associated_executions:array id created_by created_at"), result: one("ExecutionGroup"), handle: s.postExecutionGroup},
		{method: "GET", path: "/execution-groups/{id}", permission: "execution_group_get", summary: "One execution group with its members", query: objectQuery(""), result: one("ExecutionGroup"), handle: s.getExecutionGroup},
		{method: "POST", path: "/execution-groups/{id}", permission: "execution_group_update", summary: "Cancel or resume the executions of a group", body: fields("action*"), result: one("ExecutionGroup"), handle: s.actOnExecutionGroup},
		{method: "PATCH", path: "/execution-groups/{id}", permission: "execution_group_update", summary: "Change how many run at once, and the groups that deployments join", body: fields("success_group_id failure_group_id concurrency:integer"), result: one("ExecutionGroup"), handle: s.patchExecutionGroup},
		{method: "GET", path: "/execution-schedules", permission: "execution_schedule_list", summary: "List execution schedules", query: listQuery("_filter_id"), result: listOf("ExecutionSchedule"), handle: s.listSchedules},
		{method: "GET", path: "/execution-schedules/{id}", permission: "execution_schedule_get", summary: "One execution schedule", query: objectQuery("deployment_id"), result: one("ExecutionSchedule"), handle: s.getSchedule},
		{method: "PUT", path: "/execution-schedules/{id}", permission: "execution_schedule_create", summary: "Start a workflow at set times", query: fields("deployment_id*"), body: fields("workflow_id* since* until recurrence count:integer weekdays:array rrule slip:integer catch_up stop_on_fail:boolean enabled:boolean time_zone parameters:object execution_arguments:object"), result: created("ExecutionSchedule"), handle: s.putSchedule},
		{method: "PATCH", path: "/execution-schedules/{id}", permission: "execution_schedule_create", summary: "Change an execution schedule", query: fields("deployment_id*"), body: fields("workflow_id since until recurrence count:integer weekdays:array rrule slip:integer catch_up stop_on_fail:boolean enabled:boolean time_zone parameters:object execution_arguments:object"), result: created("ExecutionSchedule"), handle: s.patchSchedule},
		{method: "DELETE", path: "/execution-schedules/{id}", permission: "execution_schedule_create", summary: "Delete an execution schedule", query: fields("deployment_id*"), result: nothing(), handle: s.deleteSchedule},
		{method: "GET", path: "/deployment-updates", permission: "deployment_update_list", summary: "List deployment updates", query: listQuery(""), result: listOf("DeploymentUpdate"), handle: s.listUpdates},
		{method: "GET", path: "/deployment-updates/{id}", permission: "deployment_update_get", summary: "One deployment update", query: objectQuery(""), result: one("DeploymentUpdate"), handle: s.getUpdate},
		{method: "POST", path: "/deployment-updates/{id}/update/initiate", permission: "deployment_update_create", summary: "Update a deployment to another blueprint or other inputs", body: fields("blueprint_id inputs:object reinstall_list:array workflow_id force:boolean preview:boolean runtime_only_evaluation:boolean update_plugins:boolean skip_install:boolean skip_uninstall:boolean skip_reinstall:boolean skip_drift_check:boolean skip_heal:boolean force_reinstall:boolean ignore_failure:boolean install_first:boolean auto_correct_types:boolean reevaluate_active_statuses:boolean"), result: one("DeploymentUpdate"), handle: s.initiateUpdate},
		{method: "POST", path: "/deployment-updates/{id}/update/{stage}", permission: "deployment_update_update", summary: "A stage of an update, which passes by itself", result: one("DeploymentUpdate"), handle: s.passUpdate},
		{method: "PUT", path: "/deployment-updates/{id}", permission: "deployment_update_create", summary: "Make the record of an update that an execution carries out", body: fields("deployment_id* execution_id blueprint_id new_blueprint_id old_blueprint_id inputs:object new_inputs:object old_inputs:object runtime_only_evaluation:boolean visibility created_by created_at state plan:object deployment_plan:object steps:array nodes:object deployment_update_nodes:object node_instances:object deployment_update_node_instances:object modified_entity_ids:object central_plugins_to_install:array central_plugins_to_uninstall:array keep_old_deployment_dependencies:boolean"), result: one("DeploymentUpdate"), handle: s.putUpdate},
		{method: "PATCH", path: "/deployment-updates/{id}", permission: "deployment_update_update", summary: "Change what is known of an update", body: fields("state plan:object deployment_plan:object steps:array nodes:object deployment_update_nodes:object node_instances:object deployment_update_node_instances:object modified_entity_ids:object central_plugins_to_install:array central_plugins_to_uninstall:array keep_old_deployment_dependencies:boolean"), result: one("DeploymentUpdate"), handle: s.patchUpdate},
		{method: "POST", path: "/deployment-updates", permission: "deployment_update_create", summary: "Restore the records of updates", body: fields("deployment_updates*:array"), result: created(""), handle: s.postUpdates},
		{method: "GET", path: "/deployment-modifications", permission: "deployment_modification_list", summary: "List deployment modifications", query: listQuery(""), result: listOf("DeploymentModification"), handle: s.listModifications},
		{method: "POST", path: "/deployment-modifications", permission: "deployment_modification_start", summary: "Start to change how many instances there are", body: fields("deployment_id* nodes:object context:object"), result: created("DeploymentModification"), handle: s.startModification},
		{method: "GET", path: "/deployment-modifications/{id}", permission: "deployment_modification_get", summary: "One deployment modification", query: objectQuery(""), result: one("DeploymentModification"), handle: s.getModification},
		{method: "POST", path: "/deployment-modifications/{id}/finish", permission: "deployment_modification_finish", summary: "Finish a deployment modification", result: one("DeploymentModification"), handle: s.finishModification},
		{method: "POST", path: "/deployment-modifications/{id}/rollback", permission: "deployment_modification_rollback", summary: "Roll a deployment modification back", result: one("DeploymentModification"), handle: s.rollbackModification},
		{method: "GET", path: "/deployments/inter-deployment-dependencies", permission: "inter_deployment_dependency_list", summary: "List dependencies between deployments", query: listQuery(""), result: listOf("InterDeploymentDependency"), handle: s.listDependencies},
		{method: "PUT", path: "/deployments/inter-deployment-dependencies", permission: "inter_deployment_dependency_create", summary: "Store that a deployment depends on another", body: fields("dependency_creator* source_deployment* target_deployment target_deployment_func:any external_source:object external_target:object id visibility created_at created_by"), result: one("InterDeploymentDependency"), handle: s.putDependency},
		{method: "POST", path: "/deployments/inter-deployment-dependencies", permission: "inter_deployment_dependency_create", summary: "Store what a deployment depends on", body: fields("source_deployment_id* inter_deployment_dependencies*:array"), result: one(""), handle: s.postDependencies},
		{method: "DELETE", path: "/deployments/inter-deployment-dependencies", permission: "inter_deployment_dependency_delete", summary: "Remove a dependency between deployments", body: fields("dependency_creator* source_deployment* target_deployment target_deployment_func:any external_source:object external_target:object is_component_deletion:boolean"), result: nothing(), handle: s.deleteDependency},
		{method: "PUT", path: "/deployments/{id}/inter-deployment-dependencies", permission: "inter_deployment_dependency_create", summary: "Replace what a deployment depends on", body: fields("inter_deployment_dependencies*:array"), result: one(""), handle: s.replaceDependencies},
		{method: "GET", path: "/filters/{kind}", permission: "filter_list", summary: "List stored filters of blueprints, deployments or workflows", query: listQuery(""), result: listOf("Filter"), handle: s.listFilters},
		{method: "GET", path: "/filters/{kind}/{id}", permission: "filter_get", summary: "One stored filter", query: objectQuery(""), result: one("Filter"), handle: s.getFilter},
		{method: "PUT", path: "/filters/{kind}/{id}", permission: "filter_create", summary: "Store a filter", body: fields("filter_rules*:array visibility created_by created_at"), result: one("Filter"), handle: s.putFilter},
		{method: "PATCH", path: "/filters/{kind}/{id}", permission: "filter_create", summary: "Change a stored filter; rules replace those of their types", body: fields("filter_rules:array visibility"), result: one("Filter"), handle: s.patchFilter},
		{method: "DELETE", path: "/filters/{kind}/{id}", permission: "filter_delete", summary: "Delete a stored filter", result: nothing(), handle: s.deleteFilter},
		{method: "GET", path: "/sites", permission: "site_list", summary: "List sites", query: listQuery(""), result: listOf("Site"), handle: s.listSites},
		{method: "GET", path: "/sites/{name}", permission: "site_get", summary: "One site", query: objectQuery(""), result: one("Site"), handle: s.getSite},
		{method: "PUT", path: "/sites/{name}", permission: "site_create", summary: "Make a site", body: fields("location visibility created_by created_at"), result: one("Site"), handle: s.putSite},
		{method: "POST", path: "/sites/{name}", permission: "site_update", summary: "Change or rename a site", body: fields("location visibility new_name"), result: one("Site"), handle: s.postSite},
		{method: "DELETE", path: "/sites/{name}", permission: "site_delete", summary: "Delete a site; its deployments stay without one", result: nothing(), handle: s.deleteSite},
		{method: "POST", path: "/deployments/{id}/set-site", permission: "deployment_set_site", summary: "Move a deployment to a site, or away from it", body: fields("site_name detach_site:boolean"), result: one("Deployment"), handle: s.setSite},
		{method: "GET", path: "/agents", permission: "agent_list", summary: "List agents", query: listQuery(""), result: listOf(""), handle: s.emptyList},
		{method: "GET", path: "/snapshots", permission: "snapshot_list", scope: anyTenant, summary: "List snapshots", query: listQuery(""), result: listOf("Snapshot"), handle: s.listSnapshots},
		{method: "GET", path: "/snapshots/{id}", permission: "snapshot_get", scope: anyTenant, summary: "One snapshot", query: objectQuery(""), result: one("Snapshot"), handle: s.getSnapshot},
		{method: "PUT", path: "/snapshots/{id}", permission: "snapshot_create", scope: anyTenant, summary: "Start making a snapshot of everything", body: fields("include_credentials:boolean include_logs:boolean include_events:boolean queue:boolean legacy:boolean tempdir_path listener_timeout:integer visibility"), result: created("Execution"), handle: s.putSnapshot},
		{method: "PATCH", path: "/snapshots/{id}", permission: "snapshot_status_update", scope: anyTenant, summary: "Report a snapshot's status", body: fields("status* error"), result: one(""), handle: s.patchSnapshot},
		{method: "DELETE", path: "/snapshots/{id}", permission: "snapshot_delete", scope: anyTenant, summary: "Delete a snapshot", result: one("Snapshot"), handle: s.deleteSnapshot},
		{method: "GET", path: "/snapshots/{id}/archive", permission: "snapshot_download", scope: anyTenant, summary: "A snapshot's archive", result: file(), handle: s.getSnapshotArchive},
		{method: "PUT", path: "/snapshots/{id}/archive", permission: "snapshot_upload", scope: anyTenant, summary: "Upload a snapshot's archive", raw: true, query: fields("snapshot_archive_url visibility private_resource:boolean"), result: created("Snapshot"), handle: s.putSnapshotArchive},
		{method: "POST", path: "/snapshots/{id}/restore", permission: "snapshot_restore", scope: anyTenant, summary: "Start replacing everything by a snapshot", body: fields("force*:boolean restore_certificates:boolean no_reboot:boolean ignore_plugin_failure:boolean timeout:any"), result: one("Execution"), handle: s.restoreSnapshot},
		{method: "GET", path: "/secrets-providers", permission: "secrets_provider_list", summary: "List secrets providers", query: listQuery(""), result: listOf(""), handle: s.emptyList},

		// The files of blueprints and deployments.
		{method: "GET", path: "/resources/{path...}", permission: "", scope: anyTenant, summary: "A file, or an index of a folder", query: fields("archive:boolean"), result: file(), handle: s.getResource},
		{method: "PUT", path: "/resources/{path...}", scope: anyTenant, summary: "Store a file of a deployment", raw: true, query: fields("extract"), result: one(""), handle: s.putResource},
		{method: "POST", path: "/resources/{path...}", scope: anyTenant, summary: "Store files of a deployment", raw: true, result: one(""), handle: s.postResource},
		{method: "DELETE", path: "/resources/{path...}", scope: anyTenant, summary: "Remove a file of a deployment", result: nothing(), handle: s.deleteResource},
	}
}

// shapes are the objects that the OpenAPI document describes.
func shapes() map[string][]param {
	all := map[string][]param{}
	add := func(name string, ps []param) { all[name] = ps }
	add(blueprintShape.describe())
	add(deploymentShape.describe())
	add(executionShape.describe())
	add(eventShape.describe())
	add(nodeShape.describe())
	add(instanceShape.describe())
	add(graphShape.describe())
	add(operationShape.describe())
	add(secretShape.describe())
	add(listedSecretShape.describe())
	add(scheduleShape.describe())
	add(modificationShape.describe())
	add(approvalShape.describe())
	add(updateShape.describe())
	add(pluginsUpdateShape.describe())
	add(snapshotShape.describe())
	add(filterShape.describe())
	add(siteShape.describe())
	add(pluginShape.describe())
	add(dependencyShape.describe())
	add(deploymentGroupShape.describe())
	add(executionGroupShape.describe())
	add(exportedShape.describe())
	add(userShape.describe())
	add(tenantShape.describe())
	add(tokenShape.describe())
	add(grantShape.describe())
	add(workflowShape.describe())
	add(settingShape.describe())
	add(managerShape.describe())
	return all
}
