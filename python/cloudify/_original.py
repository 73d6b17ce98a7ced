"""Operations on the original's own package, where an environment brings it.

Then `cloudify` is that package, as it was installed, and what is in it is what
plugins import. Only modules that begin with an underscore are ours: they were
added to its path (run_worker.py) and do what its worker processes would do.
The context is the original's; all it asks for goes over our connection.
"""
import inspect
import os
import sys

from cloudify import _logging, context, endpoint, exceptions, manager
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_rest_client.executions import Execution
from cloudify_rest_client.nodes import Node


class _Node(Node):
    """A node; its relationships are those of the instance in question."""

    def __init__(self, told, relationships):
        super(_Node, self).__init__(told)
        self._relationships = relationships

    @property
    def relationships(self):
        if 'relationships' not in self:
            self['relationships'] = self._relationships()
        return self['relationships']


class _Endpoint(endpoint.ManagerEndpoint):
    """What the context asks the manager for."""

    def __init__(self, ctx, bridge, told):
        super(_Endpoint, self).__init__(ctx)
        self._bridge = bridge
        self._told = told
        self._instances = {}  # of nodes: one instance each
        for subject in ('self', 'source', 'target'):
            if subject in told:
                self._instances[told[subject]['node_id']] = told[subject]['instance_id']
        self._loaded = {}  # what instances were loaded with, and as which dictionary

    def get_node(self, node_id, instance_context=None, **_):
        instance_id = instance_context or self._instances.get(node_id)
        told = self._bridge.call('node', node_id=node_id, instance_id=instance_id)
        return _Node(told, lambda: [
            {'type': r['type'], 'type_hierarchy': r['type_hierarchy'], 'target_id': r['target']['node_id']}
            for r in self._bridge.call('instance', id=instance_id)['relationships']])

    def get_node_instance(self, node_instance_id, **_):
        method = 'instance' if node_instance_id not in self._loaded else 'refresh_instance'
        told = self._bridge.call(method, id=node_instance_id)
        self._instances.setdefault(told['node_id'], told['id'])
        for relationship in told['relationships']:
            target = relationship['target']
            self._instances.setdefault(target['node_id'], target['instance_id'])
        instance = manager.NodeInstance(told['id'], told['node_id'], **_known(manager.NodeInstance, {
            'runtime_properties': told['runtime_properties'], 'state': told['state'], 'version': told['version'],
            'host_id': told['host_id'], 'index': told['index'], 'system_properties': told['system_properties'],
            'relationships': [
                {'type': r['type'], 'target_name': r['target']['node_id'], 'target_id': r['target']['instance_id']}
                for r in told['relationships']],
            'scaling_groups': [{'id': i, 'name': name} for i, name in told['scaling_groups'].items()],
        }))
        self._loaded[told['id']] = instance.runtime_properties, _copy(told['runtime_properties'])
        return instance

    def update_node_instance(self, node_instance):
        """Stores runtime properties.

        Those that were changed one by one are put over what is stored now, as
        the ctx command may have changed others. A dictionary that was put in the
        place of the one that was loaded is stored as a whole, or not at all if
        somebody else stored something meanwhile.
        """
        now = node_instance.runtime_properties
        loaded, before = self._loaded.get(node_instance.id, (None, None))
        if now is loaded:
            self._bridge.call(
                'save_instance', id=node_instance.id,
                set={key: value for key, value in now.items() if key not in before or not _same(before[key], value)},
                remove=[key for key in before if key not in now])
            return
        reply = self._bridge.call('store_instance', id=node_instance.id, version=node_instance.version,
                                  runtime_properties=dict(now))
        if reply['conflict']:
            raise CloudifyClientError('Node instance update conflict: {0} was stored by somebody else since version {1}'.format(
                node_instance.id, node_instance.version), status_code=409, error_code='conflict_error')

    def get_resource(self, blueprint_id, deployment_id, resource_path, template_variables=None, **_):
        return self._render_resource_if_needed(
            resource=_decode(self._bridge.call('resource', path=resource_path)), template_variables=template_variables)

    def download_resource(self, blueprint_id, deployment_id, resource_path, logger, target_path=None,
                          template_variables=None, **_):
        data = _decode(self._bridge.call('resource', path=resource_path))
        if not target_path:
            target_path = self._bridge.call('place', path=resource_path)
        with open(target_path, 'wb') as target:
            target.write(data)
        logger.info('Downloaded %s to %s', resource_path, target_path)
        return self._render_resource_if_needed(
            resource=target_path, template_variables=template_variables, download=True)

    def download_directory(self, blueprint_id, deployment_id, resource_path, logger, target_path=None, **_):
        if target_path:
            target_path = os.path.abspath(target_path)
        return self._bridge.command('download_directory', resource_path, target_path)

    def get_provider_context(self):
        return {}

    def get_bootstrap_context(self):
        return {}

    def get_logging_handler(self):
        return _logging._Handler(self._bridge, {})

    def send_plugin_event(self, message=None, args=None, additional_context=None):
        self._bridge.tell('event', message=str(message))

    def get_workdir(self):
        return self._told['work_dir']

    # What follows is the manager's, and there may be none.

    def get_managers(self, network='default'):
        return self._over_rest('get_managers', network) if self._told['rest_url'] else []

    def get_brokers(self, network='default'):
        return self._over_rest('get_brokers', network) if self._told['rest_url'] else []

    def get_config(self, name=None, scope=None):
        return self._over_rest('get_config', name, scope) if self._told['rest_url'] else []

    def get_operation(self, operation_id):
        return self._over_rest('get_operation', operation_id) if self._told['rest_url'] else None

    def update_operation(self, operation_id, state):
        return self._over_rest('update_operation', operation_id, state) if self._told['rest_url'] else None

    def get_execution(self, execution_id):
        if self._told['rest_url']:
            return self._over_rest('get_execution', execution_id)
        return Execution(self._bridge.command('get_execution', execution_id))

    def _over_rest(self, method, *args):
        return getattr(super(_Endpoint, self), method)(*args)


class _Plugin(context.PluginContext):
    """ctx.plugin; where it is installed is where this runs."""

    @property
    def prefix(self):
        return sys.prefix


class _Context(context.CloudifyContext):

    def __init__(self, bridge):
        told = bridge.call('context')
        self._bridge = bridge
        self._told = told
        self._asked = _Endpoint(self, bridge, told)
        super(_Context, self).__init__(_described(told))
        self.inputs = told['inputs']
        self._plugin = _Plugin(told['plugin']['name'] or '')
        self._plugin._plugin_context = told['plugin']
        self._plugin._deployment_id = told['deployment']['id']
        self._plugin._tenant_name = told['deployment']['tenant_name']
        self._plugin._endpoint = self._asked

    @property
    def rest_host(self):
        """Where the REST API is; the original's clients ask for it last."""
        if self._rest_host is None:
            raise exceptions.NonRecoverableError('no REST API is served here (local profile): use a manager, see cfy manager start')
        return self._rest_host

    # The original makes an endpoint of its own, which this one stands for.
    @property
    def _endpoint(self):
        return self._asked

    @_endpoint.setter
    def _endpoint(self, _):
        pass

    def _save(self):
        """Stores what the operation changed of its instances."""
        subjects = [self._instance] if self._source is None else [self._source.instance, self._target.instance]
        for instance in subjects:
            if instance is not None:
                instance.update()


def operation_context(bridge):
    """The original's context for the operation that the orchestrator tells of."""
    return _Context(bridge)


def _described(told):
    """The dictionary that the original's contexts are made of."""
    facts, deployment = told['facts'], told['deployment']
    described = {
        key: facts[key] for key in (
            'task_id', 'task_name', 'task_target', 'task_queue', 'execution_id', 'workflow_id', 'rest_host', 'rest_port',
            'rest_token', 'rest_ssl_cert', 'execution_token', 'execution_creator_username', 'bypass_maintenance',
            'timeout', 'timeout_recoverable', 'resume')
    }
    described.update({
        'type': 'operation', 'tenant': {'name': facts['tenant_name']}, 'local': False,
        'workflow_parameters': told['workflow_parameters'], 'blueprint_id': told['blueprint']['id'],
        'deployment_id': deployment['id'], 'deployment_display_name': deployment['display_name'],
        'deployment_creator': deployment['creator'], 'deployment_resource_tags': deployment['resource_tags'],
        'runtime_only_evaluation': deployment['runtime_only_evaluation'],
        'operation': {key: told['operation'][key] for key in ('name', 'retry_number', 'max_retries', 'relationship')},
        'plugin': told['plugin'], 'execution_env': {},
    })
    if 'self' in told:
        described.update(node_name=told['self']['node_id'], node_id=told['self']['instance_id'])
    elif 'source' in told:
        on_target = told['operation']['relationship'] == 'target'
        own, other = ('target', 'source') if on_target else ('source', 'target')
        described.update(node_name=told[own]['node_id'], node_id=told[own]['instance_id'])
        described['related'] = {'node_name': told[other]['node_id'], 'node_id': told[other]['instance_id'],
                                'is_target': not on_target}
    return described


def _known(function, values):
    """Those of the values that the function, which may be older, takes."""
    taken = inspect.signature(function).parameters
    return {name: value for name, value in values.items() if name in taken}


def _copy(properties):
    import copy
    return copy.deepcopy(properties)


def _same(one, other):
    """Whether both are stored as the same: 1, 1.0 and True are not."""
    import json
    return one == other and json.dumps(one, sort_keys=True, default=repr) == json.dumps(other, sort_keys=True, default=repr)


def _decode(text):
    import base64
    return base64.b64decode(text)
