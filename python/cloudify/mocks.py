"""Contexts for the unit tests of plugins."""
from typing import Any, Optional

from cloudify import _gaps
from cloudify.context import BootstrapContext, CloudifyContext, ContextCapabilities
from cloudify.utils import setup_logger

__getattr__ = _gaps.filler(__name__)


class MockContext(dict):
    """A dictionary whose keys are attributes."""

    def __init__(self, values=None):
        super(MockContext, self).__init__(values or {})

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name)


class MockRelationshipSubjectContext(object):

    def __init__(self, node, instance):
        self.node = node
        self.instance = instance


class MockRelationshipContext(object):

    def __init__(self, target, type=None):
        self.target = target
        self.type = type
        self.type_hierarchy = [type] if type else []


class MockNodeContext(object):

    id: Optional[str]
    name: Optional[str]
    properties: Any
    type: Optional[str]

    def __init__(self, id=None, properties=None, type=None):
        self.id = self.name = id
        self.properties = properties
        self.type = type
        self.type_hierarchy = [type] if type else []


class MockNodeInstanceContext(object):

    id: Optional[str]
    runtime_properties: Any
    relationships: list
    index: int

    def __init__(self, id=None, runtime_properties=None, relationships=None, index=None):
        self.id = id
        self.runtime_properties = runtime_properties
        self.relationships = relationships if relationships is not None else []
        self.index = index or 0

    def update(self, on_conflict=None):
        pass

    def refresh(self, force=False):
        pass


class MockOperationContext(MockContext):
    """ctx.operation: the given keys, and retry."""

    def retry(self, message=None, retry_after=None):
        from cloudify.exceptions import OperationRetry
        self['retried'] = OperationRetry(message=message, retry_after=retry_after)


class MockCloudifyContext(CloudifyContext):
    """A context that needs no manager: everything is given or empty.

    node_id is the instance's id and node_name the node's, as in the original.
    """

    def __init__(self, node_id=None, node_name=None, node_type=None, blueprint_id=None, deployment_id=None,
                 execution_id=None, properties=None, runtime_properties=None, relationships=None, capabilities=None,
                 related=None, source=None, target=None, operation=None, resources=None, tenant=None, rest_token=None,
                 provider_context=None, bootstrap_context=None, config=None, brokers=None, managers=None, index=None):
        if capabilities and not isinstance(capabilities, ContextCapabilities):
            raise ValueError('capabilities must be ContextCapabilities, not {0}'.format(capabilities))
        tenant = tenant or {}
        kind = 'node-instance' if node_id else 'relationship-instance' if source or target else 'deployment'
        self._told = {'rest_url': None}
        self._bridge = None
        self._facts = {
            'type': kind, 'task_type': 'operation', 'execution_id': execution_id, 'workflow_id': None, 'task_id': None,
            'task_name': None, 'task_target': None, 'task_queue': None, 'tenant_name': tenant.get('name'),
            'rest_host': None, 'rest_port': None, 'rest_token': rest_token, 'execution_token': None,
            'rest_ssl_cert': None, 'execution_creator_username': None, 'bypass_maintenance': False, 'timeout': None,
            'timeout_recoverable': False, 'resume': False,
        }
        self.inputs = {}
        self.workflow_parameters = {}
        self.execution_env = {}
        self.blueprint = MockContext({'id': blueprint_id})
        self.deployment = MockContext({
            'id': deployment_id, 'tenant_name': tenant.get('name'), 'display_name': deployment_id, 'creator': None,
            'resource_tags': {}, 'runtime_only_evaluation': False})
        self.operation = MockOperationContext(dict(
            {'name': None, 'retry_number': 0, 'max_retries': 0, 'relationship': None}, **(operation or {})))
        self.plugin = MockContext({'name': None, 'properties': {}, 'prefix': None, 'workdir': None})
        self.provider_context = provider_context or {}
        self.bootstrap_context = bootstrap_context or BootstrapContext()
        self._tenant = tenant
        self._logger = setup_logger('mock-context-logger')
        self._properties = properties if properties is not None else {}
        self._runtime_properties = runtime_properties if runtime_properties is not None else {}
        self._resources = resources or {}
        self._config, self._brokers, self._managers = config, brokers, managers
        self._related = related
        self._self = None
        if node_id:
            self._self = MockRelationshipSubjectContext(
                MockNodeContext(node_name, self._properties, node_type),
                MockNodeInstanceContext(node_id, self._runtime_properties, relationships, index))
        self._target = target
        self._source = source if source is not None or target is None else MockContext({'instance': None, 'node': None})
        self._capabilities = capabilities

    @property
    def tenant(self):
        return self._tenant

    def send_event(self, event):
        self.logger.info('event: %s', event)

    def _resource(self, path):
        if path not in self._resources:
            raise RuntimeError("Resource '{0}' was not found. Available resources: {1}".format(
                path, list(self._resources)))
        return self._resources[path]

    def get_resource(self, resource_path):
        return self._resource(resource_path)

    def download_resource(self, resource_path, target_path=None):
        if target_path:
            raise RuntimeError('MockCloudifyContext does not support download_resource() with target_path')
        return self._resource(resource_path)

    def __contains__(self, key):
        return key in self._properties or key in self._runtime_properties

    def __getitem__(self, key):
        return self._properties[key] if key in self._properties else self._runtime_properties[key]

    def __setitem__(self, key, value):
        self._runtime_properties[key] = value

    def get_config(self, scope=None, name=None):
        return self._config or []

    def get_managers(self, network='default'):
        return self._managers or [{'networks': {'default': 'localhost'}}]

    def get_brokers(self, network='default'):
        return self._brokers or [{'networks': {'default': 'localhost'}, 'ca_cert_content': ''}]

    def upload_deployment_file(self, target_file_path, src_file, src_file_mtime=None):
        pass

    def delete_deployment_file(self, file_path):
        pass
