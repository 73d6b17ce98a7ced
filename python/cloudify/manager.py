"""Access to the manager beyond ctx."""
from urllib.parse import urlsplit

from cloudify import _gaps, exceptions
from cloudify._properties import RuntimeProperties
from cloudify.state import current_ctx

__getattr__ = _gaps.filler(__name__)


class NodeInstance(object):
    """A node instance of any node of the deployment."""

    def __init__(self, bridge, loaded):
        self._bridge = bridge
        self._properties = RuntimeProperties(loaded['runtime_properties'])
        self.id = loaded['id']
        self.node_id = loaded['node_id']
        self.host_id = loaded['host_id']
        self.state = loaded['state']
        self.version = loaded['version']
        self.index = loaded['index']
        self.relationships = loaded['relationships']
        self.scaling_groups = loaded['scaling_groups']
        self.system_properties = loaded['system_properties']

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
    return (client or get_rest_client()).executions.update(execution_id, status, error)


def get_node_instance(node_instance_id, evaluate_functions=False, client=None):
    bridge = current_ctx.get_ctx()._bridge
    return NodeInstance(bridge, bridge.call('instance', id=node_instance_id))


def update_node_instance(node_instance, client=None):
    """Stores the runtime properties of an instance that the operation works on."""
    changed, removed = node_instance.runtime_properties.changes()
    if changed or removed:
        node_instance._bridge.call('save_instance', id=node_instance.id, set=changed, remove=removed)


def get_node_instance_ip(node_instance_id, client=None):
    bridge = current_ctx.get_ctx()._bridge
    node_id = bridge.call('instance', id=node_instance_id)['node_id']
    return bridge.call('host_ip', instance_id=node_instance_id, node_id=node_id)


def get_resource(blueprint_id, deployment_id, tenant_name, resource_path):
    """A file of the current deployment or blueprint, as bytes."""
    return current_ctx.get_ctx().get_resource(resource_path)


def download_resource(blueprint_id, deployment_id, tenant_name, resource_path, logger, target_path=None):
    return current_ctx.get_ctx().download_resource(resource_path, target_path)


def get_bootstrap_context(client=None):
    return {}


def get_provider_context(client=None):
    return {}
