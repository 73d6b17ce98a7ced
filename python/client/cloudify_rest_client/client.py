"""The client: one attribute for each noun of the API."""
from cloudify_rest_client import blueprints, deployments, executions, nodes
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_rest_client.http import HTTPClient
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import ListResponse, Resource

__all__ = ['CloudifyClient', 'CloudifyClientError', 'HTTPClient']


class PluginsClient(Nouns):

    path = '/plugins'

    def upload(self, plugin_path, plugin_title=None, visibility='tenant', **_):
        """Uploads a plugin's archive: a file, or the URL of one."""
        params = given(title=plugin_title, visibility=visibility)
        if '://' in plugin_path:
            return self.one(self.api.post(self.path, params=dict(params, plugin_archive_url=plugin_path)))
        with open(plugin_path, 'rb') as archive:
            return self.one(self.api.post(self.path, data=archive, params=params))

    def delete(self, plugin_id, force=False):
        return self.api.delete(self.at(plugin_id), data={'force': force})

    def download(self, plugin_id, output_file, progress_callback=None):
        return self.api.download(self.at(plugin_id, 'archive'), output_file)

    def set_visibility(self, plugin_id, visibility):
        return self.one(self.api.patch(self.at(plugin_id, 'set-visibility'), data={'visibility': visibility}))


class SecretsClient(Nouns):

    path = '/secrets'

    def create(self, key, value, update_if_exists=False, is_hidden_value=False, visibility='tenant', **fields):
        return self.one(self.api.put(self.at(key), data=dict(
            given(**fields), value=value, update_if_exists=update_if_exists, is_hidden_value=is_hidden_value,
            visibility=visibility)))

    def update(self, key, value=None, visibility=None, is_hidden_value=None, **fields):
        return self.one(self.api.patch(self.at(key), data=given(
            value=value, visibility=visibility, is_hidden_value=is_hidden_value, **fields)))

    def set_visibility(self, key, visibility):
        return self.one(self.api.patch(self.at(key, 'set-visibility'), data={'visibility': visibility}))


class EventsClient(Nouns):

    path = '/events'

    def list(self, include_logs=False, message=None, from_datetime=None, to_datetime=None, _include=None,
             sort='reported_timestamp', **params):
        params['type'] = ['cloudify_event', 'cloudify_log'] if include_logs else ['cloudify_event']
        params.update(given(message=message, _sort=sort))
        if from_datetime or to_datetime:
            ends = [getattr(end, 'isoformat', lambda end=end: end or '')() for end in (from_datetime, to_datetime)]
            params['_range'] = 'reported_timestamp,{0},{1}'.format(*ends)
        return self.many(self.api.get(self.path, _include=_include, params=params))

    def delete(self, deployment_id, include_logs=False, **params):
        params['type'] = ['cloudify_event', 'cloudify_log'] if include_logs else ['cloudify_event']
        return self.api.delete(self.path, params=dict(params, deployment_id=deployment_id))


class EvaluateClient(Nouns):

    def functions(self, deployment_id, context, payload):
        """The payload with its intrinsic functions evaluated."""
        return Resource(self.api.post('/evaluate/functions', data={
            'deployment_id': deployment_id, 'context': context, 'payload': payload}))


class TenantsClient(Nouns):

    path = '/tenants'

    def create(self, tenant_name, **fields):
        return self.one(self.api.post(self.at(tenant_name), data=fields or None))

    def add_user(self, username, tenant_name, role):
        return self.one(self.api.put(self.at('users'), data={
            'username': username, 'tenant_name': tenant_name, 'role': role}))

    def remove_user(self, username, tenant_name):
        return self.api.delete(self.at('users'), data={'username': username, 'tenant_name': tenant_name})


class SitesClient(Nouns):

    path = '/sites'

    def create(self, name, location=None, visibility='tenant', **_):
        return self.one(self.api.put(self.at(name), data=given(location=location, visibility=visibility)))

    def update(self, name, location=None, visibility=None, new_name=None):
        return self.one(self.api.post(self.at(name), data=given(
            location=location, visibility=visibility, new_name=new_name)))


class UsersClient(Nouns):

    path = '/users'

    def create(self, username, password, role, **_):
        return self.one(self.api.put(self.path, data={'username': username, 'password': password, 'role': role}))

    def get_self(self, **params):
        return self.one(self.api.get('/user', params=params))

    def set_password(self, username, new_password):
        return self.one(self.api.post(self.at(username), data={'password': new_password}))

    def set_role(self, username, new_role):
        return self.one(self.api.post(self.at(username), data={'role': new_role}))


class UserGroupsClient(Nouns):

    path = '/user-groups'


class TokensClient(Nouns):

    path = '/tokens'

    def create(self, description=None, expiration=None):
        return self.one(self.api.post(self.path, data=given(description=description, expiration_date=expiration)))


class AgentsClient(Nouns):

    path = '/agents'

    def create(self, name, node_instance_id, state='creating', **fields):
        return self.one(self.api.put(self.at(name), data=dict(fields, node_instance_id=node_instance_id, state=state)))

    def update(self, name, state=None, **fields):
        return self.one(self.api.patch(self.at(name), data=dict(fields, **given(state=state))))


class InterDeploymentDependencyClient(Nouns):

    path = '/deployments/inter-deployment-dependencies'

    @staticmethod
    def _fields(dependency_creator, source_deployment, target_deployment, **fields):
        return given(dependency_creator=dependency_creator, source_deployment=source_deployment,
                     target_deployment=target_deployment, **fields)

    def create(self, dependency_creator, source_deployment, target_deployment=None, external_source=None,
               external_target=None, target_deployment_func=None, **_):
        return self.one(self.api.put(self.path, data=self._fields(
            dependency_creator, source_deployment, target_deployment, external_source=external_source,
            external_target=external_target, target_deployment_func=target_deployment_func)))

    def update_all(self, source_deployment_id, inter_deployment_dependencies):
        """Replaces all that the deployment depends on."""
        return self.api.put('/deployments/{0}/inter-deployment-dependencies'.format(source_deployment_id), data={
            'inter_deployment_dependencies': inter_deployment_dependencies})

    def delete(self, dependency_creator, source_deployment, target_deployment=None, is_component_deletion=False,
               external_source=None, external_target=None, **_):
        return self.api.delete(self.path, data=self._fields(
            dependency_creator, source_deployment, target_deployment, is_component_deletion=is_component_deletion,
            external_source=external_source, external_target=external_target))


class ManagerClient(Nouns):

    def get_status(self):
        return self.api.get('/status')

    def get_version(self):
        return self.api.get('/version', versioned_url=False)

    def get_context(self, _include=None):
        return self.api.get('/provider/context', _include=_include)

    def get_config(self, name=None, scope=None):
        if name:
            return Resource(self.api.get('/config/{0}.{1}'.format(scope, name) if scope else '/config/{0}'.format(name)))
        answer = self.api.get('/config', params=given(scope=scope))
        return ListResponse([Resource(item) for item in answer['items']], answer.get('metadata'))

    def put_config(self, name, value, force=False):
        return Resource(self.api.put('/config/{0}'.format(name), data={'value': value, 'force': force}))

    def get_managers(self, hostname=None, _include=None):
        return self.many(self.api.get('/managers', _include=_include, params=given(hostname=hostname)))

    def get_brokers(self):
        return self.many(self.api.get('/brokers'))


class LabelsClient(object):

    def __init__(self, api, noun):
        self.api = api
        self.path = '/labels/' + noun

    def list_keys(self):
        return ListResponse(self.api.get(self.path)['items'])

    def list_key_values(self, label_key):
        answer = self.api.get('{0}/{1}'.format(self.path, label_key))
        return ListResponse([Resource(item) for item in answer['items']], answer.get('metadata'))


class FiltersClient(Nouns):

    def __init__(self, api, noun):
        super(FiltersClient, self).__init__(api)
        self.path = '/filters/' + noun

    def create(self, filter_id, filter_rules, visibility='tenant', **_):
        return self.one(self.api.put(self.at(filter_id), data={'filter_rules': filter_rules, 'visibility': visibility}))

    def update(self, filter_id, new_filter_rules=None, new_visibility=None):
        return self.one(self.api.patch(self.at(filter_id), data=given(
            filter_rules=new_filter_rules, visibility=new_visibility)))


class SummaryClient(object):

    def __init__(self, api, noun):
        self.api = api
        self.path = '/summary/' + noun

    def get(self, _target_field, _sub_field=None, **params):
        params.update(given(_target_field=_target_field, _sub_field=_sub_field))
        answer = self.api.get(self.path, params=params)
        return ListResponse([Resource(item) for item in answer['items']], answer.get('metadata'))


class SummariesClient(object):

    def __init__(self, api):
        for noun in ('blueprints', 'deployments', 'executions', 'nodes', 'node_instances', 'execution_schedules'):
            setattr(self, noun, SummaryClient(api, noun))


class MaintenanceModeClient(Nouns):

    path = '/maintenance'

    def status(self):
        return self.one(self.api.get(self.path))

    def activate(self):
        return self.one(self.api.post(self.at('activate')))

    def deactivate(self):
        return self.one(self.api.post(self.at('deactivate')))


class CloudifyClient(object):
    """Speaks to a manager; takes what HTTPClient takes."""

    client_class = HTTPClient

    def __init__(self, host='localhost', port=None, protocol='http', api_version='v3.1', headers=None,
                 query_params=None, cert=None, trust_all=False, username=None, password=None, token=None, tenant=None,
                 kerberos_env=None, timeout=None, session=None):
        self.host = host
        self._client = api = self.client_class(
            host, port or (443 if protocol == 'https' else 80), protocol, api_version, headers, query_params, cert,
            trust_all, username, password, token, tenant, kerberos_env, timeout, session)
        self.blueprints = blueprints.BlueprintsClient(api)
        self.deployments = deployments.DeploymentsClient(api)
        self.deployment_groups = deployments.DeploymentGroupsClient(api)
        self.deployment_modifications = deployments.DeploymentModificationsClient(api)
        self.deployment_updates = deployments.DeploymentUpdatesClient(api)
        self.executions = executions.ExecutionsClient(api)
        self.execution_groups = executions.ExecutionGroupsClient(api)
        self.execution_schedules = executions.ExecutionSchedulesClient(api)
        self.operations = executions.OperationsClient(api)
        self.tasks_graphs = executions.TasksGraphClient(api)
        self.nodes = nodes.NodesClient(api)
        self.node_instances = nodes.NodeInstancesClient(api)
        self.plugins = PluginsClient(api)
        self.secrets = SecretsClient(api)
        self.events = EventsClient(api)
        self.evaluate = EvaluateClient(api)
        self.tenants = TenantsClient(api)
        self.sites = SitesClient(api)
        self.users = UsersClient(api)
        self.user_groups = UserGroupsClient(api)
        self.tokens = TokensClient(api)
        self.agents = AgentsClient(api)
        self.inter_deployment_dependencies = InterDeploymentDependencyClient(api)
        self.manager = ManagerClient(api)
        self.maintenance_mode = MaintenanceModeClient(api)
        self.blueprints_labels = LabelsClient(api, 'blueprints')
        self.deployments_labels = LabelsClient(api, 'deployments')
        self.blueprints_filters = FiltersClient(api, 'blueprints')
        self.deployments_filters = FiltersClient(api, 'deployments')
        self.summary = SummariesClient(api)
