"""The context of an operation: what `from cloudify import ctx` leads to."""
import base64
import contextlib
import os
import sys
from typing import Any, Dict, List, Optional

from cloudify import _gaps, constants, exceptions
from cloudify._properties import ImmutableProperties, RuntimeProperties

__getattr__ = _gaps.filler(__name__)

NODE_INSTANCE = constants.NODE_INSTANCE
RELATIONSHIP_INSTANCE = constants.RELATIONSHIP_INSTANCE
DEPLOYMENT = constants.DEPLOYMENT


class _Facts(object):
    """Attributes that are known from the start."""

    def __init__(self, facts):
        self._facts = facts

    def __getattr__(self, name):
        try:
            return self.__dict__['_facts'][name]
        except KeyError:
            raise AttributeError('{0} has no attribute {1}'.format(type(self).__name__, name))


class BlueprintContext(_Facts):
    """ctx.blueprint."""

    id: str


class DeploymentContext(_Facts):
    """ctx.deployment."""

    id: str
    tenant_name: str
    display_name: str
    creator: str
    resource_tags: Dict[str, Any]
    runtime_only_evaluation: bool


class OperationContext(_Facts):
    """ctx.operation.

    retry_number is 0 for the first attempt, max_retries is -1 for no limit, and
    relationship is 'source', 'target' or None.
    """

    name: str
    retry_number: int
    max_retries: int
    relationship: Optional[str]

    def __init__(self, facts):
        super(OperationContext, self).__init__(facts)
        self._operation_retry = None

    def retry(self, message=None, retry_after=None):
        """Asks for another try, to be had when the operation ends well."""
        self._operation_retry = exceptions.OperationRetry(message=message, retry_after=retry_after)


class PluginContext(str):
    """ctx.plugin: the plugin's name, with name, package_name, package_version,
    source, properties, prefix, workdir."""

    def __new__(cls, bridge, facts):
        plugin = super(PluginContext, cls).__new__(cls, facts.get('name') or '')
        plugin._bridge = bridge
        plugin._facts = facts
        return plugin

    name = property(lambda self: self._facts.get('name'))
    package_name = property(lambda self: self._facts.get('package_name'))
    package_version = property(lambda self: self._facts.get('package_version'))
    source = property(lambda self: self._facts.get('source'))
    properties = property(lambda self: self._facts.get('properties') or {})
    prefix = property(lambda self: self._facts.get('prefix'))

    @property
    def workdir(self):
        return self._bridge.command('plugin', 'workdir')


class NodeContext(object):
    """A node; its properties are read-only."""

    def __init__(self, bridge, subject):
        self._bridge = bridge
        self._subject = subject
        self._loaded = None

    @property
    def id(self):
        return self._subject['node_id']

    name = id

    def _node(self):
        if self._loaded is None:
            loaded = self._bridge.call('node', **self._subject)
            loaded['properties'] = ImmutableProperties(loaded['properties'])
            self._loaded = loaded
        return self._loaded

    properties = property(lambda self: self._node()['properties'])
    type = property(lambda self: self._node()['type'])
    type_hierarchy = property(lambda self: self._node()['type_hierarchy'])
    number_of_instances = property(lambda self: self._node()['number_of_instances'])


class NodeInstanceContext(object):
    """A node instance, loaded when first looked at."""

    node: NodeContext

    def __init__(self, bridge, subject, node, modifiable):
        self._bridge = bridge
        self._subject = subject
        self._modifiable = modifiable
        self._loaded = None
        self._properties = None
        self.node = node

    @property
    def id(self):
        return self._subject['instance_id']

    def _instance(self):
        if self._loaded is None:
            self._take(self._bridge.call('instance', id=self.id))
        return self._loaded

    def _take(self, loaded):
        self._properties = RuntimeProperties(loaded['runtime_properties'], self._modifiable)
        self._loaded = loaded

    @property
    def runtime_properties(self):
        self._instance()
        return self._properties

    @runtime_properties.setter
    def runtime_properties(self, values):
        self._instance()
        self._properties.replace(values)

    def update(self, on_conflict=None):
        """Stores changed runtime properties now, not when the operation ends.

        Without a handler, changes of different properties by different
        operations are merged; a property that both changed is a conflict, unless
        both set the same text or flag.
        on_conflict(local, latest) returns what to store instead, and is called
        again when others have stored something meanwhile.
        """
        if on_conflict is None:
            if self._loaded is not None:
                changed, removed = self._properties.changes()
                if changed or removed:
                    self._properties._check()
                    self._bridge.call('save_instance', id=self.id, set=changed, remove=removed)
        else:
            self._update_by(on_conflict)
        self._loaded = self._properties = None

    def _update_by(self, on_conflict):
        local = self.runtime_properties.copy()
        latest = local
        while True:
            merged = on_conflict(local, latest)
            reply = self._bridge.call('store_instance', id=self.id,
                                      version=self._instance()['version'], runtime_properties=dict(merged))
            if not reply['conflict']:
                return
            self.refresh(force=True)
            latest = self.runtime_properties.copy()

    def refresh(self, force=False):
        """Loads the instance again."""
        if not force and self._loaded is not None and self._properties.dirty:
            raise exceptions.NonRecoverableError(
                'runtime_properties are dirty: refreshing now would destroy local changes')
        self._take(self._bridge.call('refresh_instance', id=self.id))

    @property
    def host_ip(self):
        own = self._instance()
        if own['host_id'] == self.id and self.runtime_properties.get('ip'):
            return self.runtime_properties['ip']
        return self._bridge.call('host_ip', **self._subject)

    scaling_groups = property(lambda self: self._instance()['scaling_groups'])
    index = property(lambda self: self._instance()['index'])

    @property
    def drift(self):
        drift = self._instance()['system_properties'].get('configuration_drift') or {}
        return drift.get('result') if drift.get('ok') else None

    @property
    def relationships(self):
        return [RelationshipContext(self._bridge, r) for r in self._instance()['relationships']]


class RelationshipSubjectContext(object):
    """One end of a relationship."""

    node: NodeContext
    instance: NodeInstanceContext

    def __init__(self, bridge, subject, modifiable):
        self.node = NodeContext(bridge, subject)
        self.instance = NodeInstanceContext(bridge, subject, self.node, modifiable)


class RelationshipContext(object):
    """A relationship of an instance."""

    type: str
    type_hierarchy: List[str]
    target: RelationshipSubjectContext

    def __init__(self, bridge, facts):
        self.type = facts['type']
        self.type_hierarchy = facts['type_hierarchy']
        self.target = RelationshipSubjectContext(bridge, facts['target'], modifiable=False)


class ContextCapabilities(object):
    """The runtime properties of all that an instance is related to."""

    def __init__(self, instance):
        self._instance = instance
        self._all = None

    def get_all(self):
        if self._all is None:
            self._all = {r.target.instance.id: r.target.instance.runtime_properties
                         for r in self._instance.relationships}
        return self._all

    def _holders(self, key):
        holders = [held for held in self.get_all().values() if key in held]
        if len(holders) > 1:
            raise exceptions.NonRecoverableError(
                "'{0}' capability ambiguity [capabilities={1}]".format(key, self.get_all()))
        return holders

    def __contains__(self, key):
        return bool(self._holders(key))

    def __getitem__(self, key):
        for holder in self._holders(key):
            return holder[key]
        raise exceptions.NonRecoverableError(
            "capability '{0}' not found [capabilities={1}]".format(key, self.get_all()))


class CloudifyAgentContext(object):
    """ctx.agent; agents are not installed from scripts here."""

    script_path = None

    def clean_script(self):
        """There is no script to remove."""

    def init_script(self, agent_config=None):
        return None

    def install_script_download_link(self, agent_config=None, clean=True):
        raise exceptions.NonRecoverableError(
            'ctx.agent.install_script_download_link is not available on this manager')


class BootstrapContext(object):
    """ctx.bootstrap_context; empty, since this manager is not bootstrapped."""

    class _Empty(object):
        def __getattr__(self, name):
            if name.startswith('__'):
                raise AttributeError(name)
            return None

    CloudifyAgent = PolicyEngine = _Empty
    cloudify_agent = _Empty()
    policy_engine = _Empty()
    resources_prefix = ''

    def broker_config(self, *_, **__):
        return dict.fromkeys(
            ['broker_ip', 'broker_user', 'broker_pass', 'broker_vhost', 'broker_ssl_enabled', 'cluster'])


class CloudifyContext(object):
    """The context of one operation.

    type is that of what it acts on: node-instance, relationship-instance or
    deployment. resume tells that an earlier attempt was interrupted.
    """

    type: str
    task_type: str
    execution_id: str
    workflow_id: str
    task_id: str
    task_name: str
    task_target: Optional[str]
    task_queue: Optional[str]
    tenant_name: str
    rest_host: Optional[str]
    rest_port: Optional[int]
    rest_token: Optional[str]
    rest_ssl_cert: Optional[str]
    execution_token: Optional[str]
    execution_creator_username: Optional[str]
    bypass_maintenance: bool
    timeout: Optional[float]
    timeout_recoverable: bool
    resume: bool
    blueprint: BlueprintContext
    deployment: DeploymentContext
    operation: OperationContext
    plugin: PluginContext
    workflow_parameters: Dict[str, Any]
    bootstrap_context: BootstrapContext
    provider_context: Dict[str, Any]
    execution_env: Dict[str, str]

    def __init__(self, bridge):
        self._bridge = bridge
        told = self._told = bridge.call('context')
        self._facts = told['facts']
        self.inputs = told['inputs']
        self.blueprint = BlueprintContext(told['blueprint'])
        self.deployment = DeploymentContext(told['deployment'])
        self.operation = OperationContext(told['operation'])
        self.plugin = PluginContext(bridge, told['plugin'])
        self.workflow_parameters = told['workflow_parameters']
        self.bootstrap_context = BootstrapContext()
        self.provider_context = {}
        self.execution_env = {}
        self._logger = None
        self._capabilities = None
        self._self = self._source = self._target = None
        if 'self' in told:
            self._self = RelationshipSubjectContext(bridge, told['self'], modifiable=True)
        elif 'source' in told:
            self._source = RelationshipSubjectContext(bridge, told['source'], modifiable=True)
            self._target = self._source
            if told['target'] != told['source']:
                self._target = RelationshipSubjectContext(bridge, told['target'], modifiable=True)

    def __getattr__(self, name):
        facts = self.__dict__.get('_facts') or {}
        if name in facts:
            return facts[name]
        raise AttributeError('ctx has no attribute {0!r}'.format(name))

    def _of_node(self, subject):
        if subject is None:
            raise exceptions.NonRecoverableError(
                'ctx.node/ctx.instance can only be used in a {0} context but '
                'used in a {1} context.'.format(NODE_INSTANCE, self.type))
        return subject

    def _of_relationship(self, subject):
        if subject is None:
            raise exceptions.NonRecoverableError(
                'ctx.source/ctx.target can only be used in a {0} context but '
                'used in a {1} context.'.format(RELATIONSHIP_INSTANCE, self.type))
        return subject

    node = property(lambda self: self._of_node(self._self).node)
    instance = property(lambda self: self._of_node(self._self).instance)
    source = property(lambda self: self._of_relationship(self._source))
    target = property(lambda self: self._of_relationship(self._target))

    def _save(self):
        """Stores what the operation changed of its instances."""
        subjects = []
        for subject in (self._self, self._source, self._target):
            if subject is not None and subject not in subjects:
                subjects.append(subject)
        for subject in subjects:
            subject.instance.update()

    @property
    def capabilities(self):
        if self._capabilities is None:
            if self._self is not None:
                instance = self._self.instance
            elif self._source is not None:
                on_target = self.operation.relationship == 'target'
                instance = (self._target if on_target else self._source).instance
            else:
                raise exceptions.NonRecoverableError(
                    'capabilities can only be used in a {0}/{1} context but used in a {2} context.'.format(
                        NODE_INSTANCE, RELATIONSHIP_INSTANCE, self.type))
            self._capabilities = ContextCapabilities(instance)
        return self._capabilities

    @property
    def agent(self):
        if constants.COMPUTE_NODE_TYPE not in self.node.type_hierarchy:
            raise exceptions.NonRecoverableError(
                'ctx.agent can only be used with compute nodes but current '
                'node is of type: {0}'.format(self.node.type))
        return CloudifyAgentContext()

    @property
    def tenant(self):
        return {'name': self.tenant_name}

    @property
    def logger(self):
        """A logging.Logger whose lines go to the execution's log."""
        if self._logger is None:
            from cloudify import _logging
            self._logger = _logging.logger(self._bridge, self.task_id or 'cloudify')
        return self._logger

    def send_event(self, event):
        self._bridge.tell('event', message=str(event))

    def get_resource(self, resource_path):
        """A file of the deployment or the blueprint, as bytes."""
        return base64.b64decode(self._bridge.call('resource', path=resource_path))

    def get_resource_and_render(self, resource_path, template_variables=None):
        return self._rendered(self.get_resource(resource_path), template_variables)

    def _rendered(self, data, template_variables):
        from cloudify import _render
        if template_variables and 'ctx' in template_variables:
            raise exceptions.NonRecoverableError('Key not allowed - a key named ctx is in template_variables')
        if not any(mark in data for mark in (b'{{', b'{%', b'{#')):
            return data
        return _render.render(data.decode('utf-8'), template_variables, self).encode('utf-8')

    def download_resource(self, resource_path, target_path=None):
        """Writes a resource to a file and returns its path."""
        return self._write(resource_path, target_path, self.get_resource(resource_path))

    def download_resource_and_render(self, resource_path, target_path=None, template_variables=None):
        return self._write(resource_path, target_path,
                           self.get_resource_and_render(resource_path, template_variables))

    def _write(self, resource_path, target_path, data):
        if not target_path:
            target_path = self._bridge.call('place', path=resource_path)
        with open(target_path, 'wb') as target:
            target.write(data)
        self.logger.info('Downloaded %s to %s', resource_path, target_path)
        return target_path

    def download_directory(self, directory_path, target_path=None):
        if target_path:
            target_path = os.path.abspath(target_path)
        return self._bridge.command('download_directory', directory_path, target_path)

    def _rest(self):
        """A client of the REST API, or None where none is served."""
        if not self._told.get('rest_url'):
            return None
        from cloudify import manager
        return manager.get_rest_client()

    def get_execution(self, execution_id=None):
        """An execution, of which the current one is known without a manager, too."""
        rest = self._rest()
        if rest is not None:
            return rest.executions.get(execution_id or self.execution_id)
        from cloudify_rest_client.executions import Execution
        return Execution(self._bridge.command('get_execution', execution_id))

    def get_operation(self):
        """The stored operation that this is an attempt of; None without a manager."""
        rest = self._rest()
        return rest.operations.get(self.task_id) if rest is not None else None

    def update_operation(self, state):
        """Sets the state of the stored operation."""
        rest = self._rest()
        if rest is not None:
            rest.operations.update(self.task_id, state=state)

    def get_managers(self, network='default'):
        """The managers that can be reached in a network."""
        rest = self._rest()
        return [] if rest is None else [m for m in rest.manager.get_managers() if network in (m.networks or {})]

    def get_brokers(self, network='default'):
        """The message brokers that can be reached in a network: there are none here."""
        rest = self._rest()
        return [] if rest is None else [b for b in rest.manager.get_brokers() if network in (b.networks or {})]

    def get_config(self, name=None, scope=None):
        """Items of the manager's configuration; with a name, that one."""
        rest = self._rest()
        return [] if rest is None else rest.manager.get_config(name=name, scope=scope)

    # Operations run beside the deployment's work directory, so there is nothing
    # to copy.
    def local_deployment_workdir(self):
        return self._told.get('work_dir') or None

    def download_deployment_workdir(self):
        return None

    def upload_deployment_workdir(self):
        return None

    @contextlib.contextmanager
    def sync_deployment_workdir(self):
        yield

    def upload_deployment_file(self, target_file_path, src_file, src_file_mtime=None):
        """Puts a file into the deployment's work directory."""
        target = self._inside_workdir(target_file_path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        data = src_file.read() if hasattr(src_file, 'read') else None
        if data is None:
            with open(src_file, 'rb') as source:
                data = source.read()
        with open(target, 'wb') as out:
            out.write(data if isinstance(data, bytes) else data.encode('utf-8'))
        if src_file_mtime is not None:
            os.utime(target, (src_file_mtime, src_file_mtime))

    def delete_deployment_file(self, file_path):
        os.remove(self._inside_workdir(file_path))

    def _inside_workdir(self, path):
        root = self.local_deployment_workdir()
        if not root:
            raise exceptions.NonRecoverableError('the deployment has no work directory')
        root = os.path.realpath(root)
        full = os.path.realpath(os.path.join(root, path))
        if not full.startswith(root + os.sep):
            raise exceptions.NonRecoverableError('{0} leads out of the deployment directory'.format(path))
        return full


def operation_context(bridge):
    """The context of the operation of a plugin that the orchestrator tells of."""
    ctx = CloudifyContext(bridge)
    ctx.plugin._facts['prefix'] = sys.prefix
    return ctx
