"""Access to the manager beyond ctx."""
from typing import Any, Optional
from urllib.parse import urlsplit

from cloudify import _gaps, exceptions
from cloudify._properties import RuntimeProperties
from cloudify.state import current_ctx

__getattr__ = _gaps.filler(__name__)


# Runtime properties that know whether they were changed.
DirtyTrackingDict = RuntimeProperties


class NodeInstance(object):
    """A node instance of any node of the deployment.

    What is changed of its runtime properties, by key or by put and delete, is
    stored by update_node_instance.
    """

    id: str
    node_id: str
    host_id: Optional[str]
    state: Optional[str]
    version: Optional[int]
    index: Optional[int]
    relationships: Any
    scaling_groups: Any
    system_properties: Any

    def __init__(self, node_instance_id, node_id, runtime_properties=None, state=None, version=None, host_id=None,
                 relationships=None, index=None, scaling_groups=None, system_properties=None):
        self._properties = RuntimeProperties(runtime_properties)
        self.id = node_instance_id
        self.node_id = node_id
        self.host_id = host_id
        self.state = state
        self.version = version
        self.index = index
        self.relationships = relationships
        self.scaling_groups = scaling_groups
        self.system_properties = system_properties

    @property
    def runtime_properties(self):
        return self._properties

    @runtime_properties.setter
    def runtime_properties(self, values):
        self._properties.replace(values)

    @property
    def dirty(self):
        return self._properties.dirty

    def get(self, key):
        return self._properties.get(key)

    def put(self, key, value):
        self._properties[key] = value

    def delete(self, key):
        del self._properties[key]

    __getitem__ = get
    __setitem__ = put
    __delitem__ = delete

    def __contains__(self, key):
        return key in self._properties


def get_rest_client(tenant=None, api_token=None):
    """A client of the manager's REST API."""
    from cloudify.utils import _current_context
    ctx = _current_context()
    if not ctx._told.get('rest_url'):
        raise exceptions.NonRecoverableError(
            'no REST API is served here (local profile): use a manager, see cfy manager start')
    from cloudify_rest_client import CloudifyClient
    address = urlsplit(ctx._told['rest_url'])
    headers = {}
    if not api_token:
        headers['Execution-Token'] = ctx.execution_token
    return CloudifyClient(
        host=address.hostname, port=address.port or {'https': 443}.get(address.scheme, 80), protocol=address.scheme,
        headers=headers, token=api_token, tenant=tenant or ctx.tenant_name)


def update_execution_status(execution_id, status, error=None, client=None):
    """Sets the status of an execution."""
    return (client or get_rest_client()).executions.update(execution_id, status, error)


def get_node_instance(node_instance_id, evaluate_functions=False, client=None):
    """A node instance as it is stored now."""
    told = current_ctx.get_ctx()._bridge.call('instance', id=node_instance_id)
    return NodeInstance(told.pop('id'), told.pop('node_id'), **told)


def update_node_instance(node_instance, client=None):
    """Stores the runtime properties of an instance that the operation works on."""
    changed, removed = node_instance.runtime_properties.changes()
    if changed or removed:
        current_ctx.get_ctx()._bridge.call('save_instance', id=node_instance.id, set=changed, remove=removed)


def get_node_instance_ip(node_instance_id, client=None):
    """The address of the machine that an instance is on."""
    bridge = current_ctx.get_ctx()._bridge
    node_id = bridge.call('instance', id=node_instance_id)['node_id']
    return bridge.call('host_ip', instance_id=node_instance_id, node_id=node_id)


def get_resource(blueprint_id, deployment_id, tenant_name, resource_path):
    """A file of the current deployment or blueprint, as bytes."""
    return current_ctx.get_ctx().get_resource(resource_path)


def get_resource_from_manager(resource_path, base_url=None, base_urls=None):
    """A file that the manager shares, by its path, as bytes."""
    return current_ctx.get_ctx().get_resource(resource_path)


def download_resource_from_manager(resource_path, logger, target_path=None):
    """Writes a file that the manager shares to a file; returns its path."""
    return current_ctx.get_ctx().download_resource(resource_path, target_path)


def get_resource_directory_index(blueprint_id, deployment_id, tenant_name, resource_path):
    """The paths of all files below a folder of the deployment or blueprint."""
    import os
    folder = current_ctx.get_ctx().download_directory(resource_path)
    return [os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names]


def download_resource(blueprint_id, deployment_id, tenant_name, resource_path, logger, target_path=None):
    """Writes a file of the current deployment or blueprint to a file; returns its path."""
    return current_ctx.get_ctx().download_resource(resource_path, target_path)


def get_bootstrap_context(client=None):
    """What is known of how the manager was installed: nothing."""
    return {}


def get_provider_context(client=None):
    """What is known of where the manager runs: nothing."""
    return {}
