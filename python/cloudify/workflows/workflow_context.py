"""The context of a workflow: what `from cloudify.workflows import ctx` leads to."""
import copy
import hashlib
import json
import os
import tempfile
import threading
import time
import uuid

from cloudify import _gaps, exceptions, utils
from cloudify.state import current_workflow_ctx
from cloudify.workflows import tasks, workflow_api
from cloudify.workflows.tasks_graph import TaskDependencyGraph

__getattr__ = _gaps.filler(__name__)

DEFAULT_LOCAL_TASK_THREAD_POOL_SIZE = 8

_CONTAINED_IN = 'cloudify.relationships.contained_in'

# What inputs with declared types may be.
_TYPES = {
    'string': lambda v: isinstance(v, str), 'integer': lambda v: isinstance(v, int) and not isinstance(v, bool),
    'float': lambda v: isinstance(v, (int, float)) and not isinstance(v, bool), 'boolean': lambda v: isinstance(v, bool),
    'list': lambda v: isinstance(v, (list, tuple)), 'dict': lambda v: isinstance(v, dict),
}


def task_config(function=None, **config):
    """Marks a function for local_task with what its task shall be like."""
    def mark(function):
        function.workflow_task_config = config
        return function
    return mark(function) if function is not None else mark


class CloudifyWorkflowRelationship(object):
    """A relationship of a node."""

    def __init__(self, ctx, node, facts):
        self.ctx = ctx
        self.node = node
        self._relationship = facts

    type = property(lambda self: self._relationship['type'])
    target_id = property(lambda self: self._relationship['target_id'])
    target_node = property(lambda self: self.ctx.get_node(self.target_id))
    source_operations = property(lambda self: self._relationship.get('source_operations') or {})
    target_operations = property(lambda self: self._relationship.get('target_operations') or {})
    properties = property(lambda self: self._relationship.get('properties') or {})

    def is_derived_from(self, other_relationship):
        return other_relationship in (self._relationship.get('type_hierarchy') or [])


class CloudifyWorkflowRelationshipInstance(object):
    """A relationship of a node instance."""

    def __init__(self, ctx, node_instance, facts):
        self.ctx = ctx
        self.node_instance = node_instance
        self._facts = facts

    type = property(lambda self: self._facts['type'])
    source_id = property(lambda self: self.node_instance.id)
    target_id = property(lambda self: self._facts['target_id'])
    target_node_instance = property(lambda self: self.ctx.get_node_instance(self.target_id))
    relationship = property(lambda self: self.node_instance.node._declared(self._facts))

    def __repr__(self):
        return '<Relationship {0} -> {1}>'.format(self.source_id, self.target_id)

    def execute_source_operation(self, operation, kwargs=None, allow_kwargs_override=False, send_task_events=True):
        return self.ctx._execute_operation(
            operation, self.node_instance, self.relationship.source_operations, self.target_node_instance, True,
            kwargs, allow_kwargs_override, send_task_events)

    def execute_target_operation(self, operation, kwargs=None, allow_kwargs_override=False, send_task_events=True):
        return self.ctx._execute_operation(
            operation, self.target_node_instance, self.relationship.target_operations, self.node_instance, False,
            kwargs, allow_kwargs_override, send_task_events)


class CloudifyWorkflowNodeInstance(object):
    """A node instance as it was when it was loaded."""

    def __init__(self, ctx, node, facts):
        self.ctx = ctx
        self.node = node
        self._node_instance = facts
        self._details = None
        self._logger = None
        # Of several relationships to one instance the last one counts.
        self._relationship_instances = {
            r['target_id']: CloudifyWorkflowRelationshipInstance(ctx, self, r) for r in facts['relationships']}

    def __eq__(self, other):
        return isinstance(other, CloudifyWorkflowNodeInstance) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return '<NodeInstance {0} ({1})>'.format(self.id, self.state)

    id = property(lambda self: self._node_instance['id'])
    node_id = property(lambda self: self._node_instance['node_id'])
    state = property(lambda self: self._node_instance['state'])
    deployment_id = property(lambda self: self.ctx.deployment.id)
    modification = property(lambda self: self._node_instance.get('modification'))
    scaling_groups = property(lambda self: self._node_instance.get('scaling_groups') or [])
    system_properties = property(lambda self: self._node_instance.get('system_properties') or {})

    @property
    def relationships(self):
        return iter(self._relationship_instances.values())

    def _detail(self, name):
        if self._details is None:
            self._details = self.ctx._bridge.call('instance', id=self.id)
        return self._details[name]

    version = property(lambda self: self._detail('version'))
    index = property(lambda self: self._detail('index'))

    @property
    def runtime_properties(self):
        return copy.deepcopy(self._detail('runtime_properties'))

    @property
    def logger(self):
        if self._logger is None:
            from cloudify import _logging
            self._logger = _logging.logger(
                self.ctx._bridge, '{0}-{1}'.format(self.ctx.execution_id, self.id), node_id=self.id)
        return self._logger

    @property
    def contained_instances(self):
        """The instances that are contained in this one directly."""
        return [instance for instance in self.ctx.node_instances if any(
            r.target_id == self.id and r.relationship.is_derived_from(_CONTAINED_IN)
            for r in instance.relationships)]

    def get_contained_subgraph(self):
        """This instance and all that are contained in it."""
        found, look = set(), [self]
        while look:
            instance = look.pop()
            if instance not in found:
                found.add(instance)
                look.extend(instance.contained_instances)
        return found

    def set_state(self, state):
        if self.ctx.dry_run:
            return self.ctx._process_task(tasks.NOPLocalWorkflowTask(self.ctx))
        self._node_instance['state'] = state
        return self.ctx._process_task(tasks.SetNodeInstanceStateTask(
            self.id, state, workflow_context=self.ctx, info=state))

    def get_state(self):
        return self.ctx._process_task(tasks.GetNodeInstanceStateTask(self.id, workflow_context=self.ctx))

    def send_event(self, event, additional_context=None):
        return self.ctx._process_task(tasks.SendNodeEventTask(
            self.id, event, additional_context, workflow_context=self.ctx, info=str(event)))

    def execute_operation(self, operation, kwargs=None, allow_kwargs_override=False, send_task_events=True):
        return self.ctx._execute_operation(
            operation, self, self.node.operations, None, None, kwargs, allow_kwargs_override, send_task_events)


class CloudifyWorkflowNode(object):
    """A node as it was when it was loaded."""

    def __init__(self, ctx, facts):
        self.ctx = ctx
        self._node = facts
        self._relationships = {
            r['target_id']: CloudifyWorkflowRelationship(ctx, self, r) for r in facts['relationships']}
        self._node_instances = {}

    def __repr__(self):
        return '<Node {0}>'.format(self.id)

    id = property(lambda self: self._node['id'])
    type = property(lambda self: self._node['type'])
    type_hierarchy = property(lambda self: self._node['type_hierarchy'])
    properties = property(lambda self: self._node['properties'])
    plugins = property(lambda self: self._node['plugins'])
    plugins_to_install = property(lambda self: [p for p in self._node['plugins'] if p.get('install')])
    host_id = property(lambda self: self._node['host_id'])
    host_node = property(lambda self: self.ctx.get_node(self.host_id))
    number_of_instances = property(lambda self: self._node['number_of_instances'])
    planned_number_of_instances = property(lambda self: self._node['number_of_instances'])
    operations = property(lambda self: self._node['operations'])

    @property
    def relationships(self):
        return iter(self._relationships.values())

    @property
    def instances(self):
        return iter(self._node_instances.values())

    def has_operation(self, operation_interface):
        return bool((self.operations.get(operation_interface) or {}).get('operation'))

    def get_relationship(self, target_id):
        return self._relationships.get(target_id)

    def _declared(self, instance_relationship):
        """The node's relationship that an instance's was made from."""
        for r in self._node['relationships']:
            if r['target_id'] == instance_relationship['target_name'] and r['type'] == instance_relationship['type']:
                return CloudifyWorkflowRelationship(self.ctx, self, r)
        return self._relationships.get(instance_relationship['target_name'])


class _Container(object):
    """Nodes and instances that belong together."""

    def __init__(self, ctx, facts):
        self._nodes = {n['id']: CloudifyWorkflowNode(ctx, n) for n in facts['nodes']}
        self._instances = {}
        for i in facts['instances']:
            node = self._nodes.get(i['node_id'])
            if node is None:
                continue
            instance = CloudifyWorkflowNodeInstance(ctx, node, i)
            self._instances[instance.id] = node._node_instances[instance.id] = instance

    @property
    def nodes(self):
        return iter(self._nodes.values())

    @property
    def node_instances(self):
        return iter(self._instances.values())

    def get_node(self, node_id):
        return self._nodes.get(node_id)

    def get_node_instance(self, node_instance_id):
        return self._instances.get(node_instance_id)


class Modification(object):
    """A change of how many instances there are."""

    def __init__(self, ctx, facts):
        self.ctx = ctx
        self.id = facts['id']
        nodes = [n._node for n in ctx.nodes]
        self.added = _Part(ctx, {'nodes': nodes, 'instances': facts['added']})
        self.removed = _Part(ctx, {'nodes': nodes, 'instances': facts['removed']})

    def finish(self):
        self.ctx._bridge.call('finish_modification', id=self.id)

    def rollback(self):
        self.ctx._bridge.call('rollback_modification', id=self.id)


class _Part(_Container):
    """The instances that come, or go, with those around them."""

    def __init__(self, ctx, facts):
        view = copy.copy(ctx)  # looks instances up here
        view._container = self
        super(_Part, self).__init__(view, facts)


class _Facts(object):

    def __init__(self, facts):
        self.__dict__.update(facts)


class WorkflowDeploymentContext(_Facts):
    """ctx.deployment."""

    def __init__(self, ctx, facts):
        super(WorkflowDeploymentContext, self).__init__(facts)
        self._ctx = ctx

    def start_modification(self, nodes):
        return Modification(self._ctx, self._ctx._bridge.call('start_modification', changes=nodes))

    def list_started_modifications(self):
        return [Modification(self._ctx, m) for m in self._ctx._bridge.call('list_modifications')]


class _Handler(object):
    """ctx.internal.handler."""

    def __init__(self, ctx):
        self._ctx = ctx

    @property
    def rest_client(self):
        from cloudify import manager
        return manager.get_rest_client()

    bootstrap_context = property(lambda self: self._ctx.internal.bootstrap_context)
    scaling_groups = property(lambda self: self._ctx.deployment.scaling_groups)


class CloudifyWorkflowContextInternal(object):
    """ctx.internal."""

    def __init__(self, ctx, settings):
        self.workflow_context = ctx
        self.handler = _Handler(ctx)
        self.graph_mode = False
        self._settings = settings
        self._task_graph = None
        self.bootstrap_context = {'workflows': {
            'task_retries': settings['task_retries'], 'task_retry_interval': settings['retry_interval'],
            'subgraph_retries': settings['subgraph_retries']}}

    def get_task_configuration(self):
        return {'total_retries': self._settings['task_retries'], 'retry_interval': self._settings['retry_interval']}

    def get_subgraph_task_configuration(self):
        return {'total_retries': self._settings['subgraph_retries']}

    @property
    def task_graph(self):
        if self._task_graph is None:
            self._task_graph = TaskDependencyGraph(
                self.workflow_context, default_subgraph_task_config=self.get_subgraph_task_configuration())
        return self._task_graph

    def send_workflow_event(self, event_type, message=None, args=None, additional_context=None):
        self.workflow_context._bridge.tell('event', message=str(message), event_type=event_type)

    def send_task_event(self, state, task, event=None):
        """The orchestrator tells of tasks itself."""

    def evaluate_functions(self, deployment_id, ctx, payload):
        return self.handler.rest_client.evaluate.functions(deployment_id, ctx, payload)['payload']


class CloudifyWorkflowContext(object):
    """The context of one workflow."""

    def __init__(self, bridge):
        self._bridge = bridge
        told = self._told = bridge.call('context')
        self._facts = told['facts']
        self.parameters = told['parameters']
        self.blueprint = _Facts(told['blueprint'])
        self.deployment = WorkflowDeploymentContext(self, told['deployment'])
        self.internal = CloudifyWorkflowContextInternal(self, told['settings'])
        self._container = _Container(self, {'nodes': told['nodes'], 'instances': told['instances']})
        self._logger = None
        self._lock = threading.Lock()
        self._named = {}  # how many there are of each name
        self._running = {}  # tasks of graphs that run, by the id that the orchestrator has
        self._alone = []
        self._used = False

    def __getattr__(self, name):
        facts = self.__dict__.get('_facts') or {}
        if name in facts:
            return facts[name]
        raise AttributeError('the workflow context has no attribute {0!r}'.format(name))

    # Nodes and instances.

    nodes = property(lambda self: self._container.nodes)
    node_instances = property(lambda self: self._container.node_instances)

    def get_node(self, node_id):
        return self._container.get_node(node_id)

    def get_node_instance(self, node_instance_id):
        return self._container.get_node_instance(node_instance_id)

    def refresh_node_instances(self):
        """Loads all nodes and instances again; there are new objects then."""
        told = self._bridge.call('deployment')
        self.deployment.scaling_groups = told['scaling_groups']
        self._container = _Container(self, told)

    def _state_of(self, node_instance_id):
        for instance in self._bridge.call('deployment')['instances']:
            if instance['id'] == node_instance_id:
                return instance['state']
        raise exceptions.NonRecoverableError('there is no node instance {0}'.format(node_instance_id))

    def update_node_instance(self, node_instance_id, version=0, state=None, runtime_properties=None,
                             system_properties=None, relationships=None, force=False):
        """Stores what is given of an instance now."""
        if system_properties is not None or relationships is not None:
            self.internal.handler.rest_client.node_instances.update(
                node_instance_id, state, runtime_properties, system_properties, relationships, version, force)
        else:
            if state is not None:
                self._run_alone(tasks.SetNodeInstanceStateTask(node_instance_id, state, workflow_context=self)).get()
            if runtime_properties is not None:
                self._bridge.call('update_instance', id=node_instance_id, version=version or None,
                                  runtime_properties=runtime_properties)
        cached = self.get_node_instance(node_instance_id)
        if cached is not None:
            cached._details = None
            if state is not None:
                cached._node_instance['state'] = state

    # Tasks.

    def graph_mode(self):
        """From now on tasks are put into a graph that is returned."""
        if self._used:
            raise RuntimeError('Cannot switch to graph mode when tasks have already been executed')
        self.internal.graph_mode = True
        return self.internal.task_graph

    def _process_task(self, task):
        if self.internal.graph_mode:
            return task
        self._used = True
        return task.apply_async()

    def _execute_operation(self, operation, instance, operations, related, on_source, kwargs, allow_kwargs_override,
                           send_task_events):
        op = operations.get(operation) or {}
        if not op.get('operation'):
            return self._process_task(tasks.NOPLocalWorkflowTask(self))
        plugin = next((p for p in instance.node.plugins if p['name'] == op['plugin']), None)
        if plugin is None:
            raise RuntimeError('Plugin not found: {0}'.format(op['plugin']))
        inputs = dict(op.get('inputs') or {})
        for key, value in (kwargs or {}).items():
            if key in inputs and not allow_kwargs_override:
                raise RuntimeError(
                    'Duplicate definition of {0} in operation properties and in kwargs. To allow redefinition, pass '
                    '"allow_kwargs_override" to "execute_operation"'.format(key))
            inputs[key] = value
        _check_types(op.get('inputs_types') or {}, inputs)
        configured = self.internal.get_task_configuration()
        total = op.get('max_retries')
        interval = op.get('retry_interval')
        context = {
            'task_name': op['operation'], 'node_id': instance.id, 'node_name': instance.node_id, 'plugin': dict(plugin),
            'operation': {'name': operation, 'retry_number': 0}, 'executor': op.get('executor'),
            'has_intrinsic_functions': bool(op.get('has_intrinsic_functions')) or bool(kwargs),
        }
        if related is not None:
            context['related'] = {'node_id': related.id, 'node_name': related.node_id, 'is_target': on_source}
        kind = tasks.DryRunLocalWorkflowTask if self.dry_run else tasks.RemoteWorkflowTask
        return self._process_task(kind(
            kwargs=inputs, cloudify_context=context, workflow_context=self, send_task_events=send_task_events,
            total_retries=configured['total_retries'] if total is None else total,
            retry_interval=configured['retry_interval'] if interval is None else interval,
            timeout=op.get('timeout'), timeout_recoverable=op.get('timeout_recoverable')))

    def execute_task(self, task_name, local=True, task_queue=None, task_target=None, kwargs=None, node_context=None,
                     send_task_events=True, total_retries=None, retry_interval=None, timeout=None,
                     timeout_recoverable=None):
        """Runs any function that can be imported, in the workflow's process."""
        return self.local_task(utils.get_func(task_name), info=task_name, name=task_name, kwargs=kwargs,
                               send_task_events=send_task_events, total_retries=total_retries,
                               retry_interval=retry_interval)

    def local_task(self, local_task, node=None, info=None, kwargs=None, task_id=None, name=None, send_task_events=True,
                   override_task_config=False, total_retries=None, retry_interval=None):
        """Runs a function in the workflow's process."""
        settings = {'kwargs': kwargs, 'name': name, 'node': node, 'info': info, 'task_id': task_id,
                    'send_task_events': send_task_events}
        marked = dict(getattr(local_task, 'workflow_task_config', None) or {})
        if override_task_config:
            settings = dict(marked, **{k: v for k, v in settings.items() if v is not None})
        else:
            settings.update({k: v for k, v in marked.items() if v is not None})
        configured = self.internal.get_task_configuration()
        settings['total_retries'] = _chosen(total_retries, settings.get('total_retries'), configured['total_retries'])
        settings['retry_interval'] = _chosen(retry_interval, settings.get('retry_interval'), configured['retry_interval'])
        return self._process_task(tasks.LocalWorkflowTask(local_task, self, **settings))

    def remote_task(self, kwargs, cloudify_context, task_id, task_queue=None, task_target=None, send_task_events=True,
                    total_retries=None, retry_interval=None):
        configured = self.internal.get_task_configuration()
        return self._process_task(tasks.RemoteWorkflowTask(
            kwargs, cloudify_context, self, task_id=task_id, send_task_events=send_task_events,
            total_retries=_chosen(total_retries, configured['total_retries']),
            retry_interval=_chosen(retry_interval, configured['retry_interval'])))

    def send_event(self, event, event_type='workflow_stage', args=None, additional_context=None):
        return self._process_task(tasks.SendWorkflowEventTask(
            event, event_type, args, additional_context, workflow_context=self))

    def update_execution_status(self, new_status):
        """The status of an execution is the orchestrator's; this does nothing."""
        return self._process_task(tasks.NOPLocalWorkflowTask(self))

    # Graphs, run by the orchestrator.

    def _recall(self, name):
        return self._bridge.call('recall', name=name)

    def _keep(self, name, value):
        self._bridge.call('keep', name=name, value=value)

    def _next_name(self, kind, what):
        """The name of the next thing like this that the workflow does.

        A workflow that runs again after a crash finds what it did by the name. So
        the name tells what is done, and how often it was before: what the
        workflow leaves out this time does not shift the rest.
        """
        text = json.dumps([kind, what], sort_keys=True, default=repr)
        name = '{0} {1}'.format(kind, hashlib.sha256(text.encode('utf-8')).hexdigest()[:12])
        with self._lock:
            count = self._named[name] = self._named.get(name, 0) + 1
        return '{0} {1}'.format(name, count)

    def _execute_graph(self, graph, name):
        """Runs a graph. Without a name it is found again by what it does."""
        made = graph.tasks
        described = graph._describe()
        name = name or self._next_name('graph', described)
        run = _Run(self, name, made)
        for entry, task in zip(described, made):
            entry['key'] = run.key(task)
        with self._lock:
            self._running.update(run.by_key)
        try:
            ended = self._bridge.call('execute', name=name, tasks=described)
        finally:
            with self._lock:
                for key in run.by_key:
                    self._running.pop(key, None)
        run.settle(ended)
        return ended

    def _run_alone(self, task):
        """Starts one task; its result can be waited for."""
        graph = TaskDependencyGraph(self)
        graph.add_task(task)
        name = self._next_name('task', graph._describe())

        def execute():
            with current_workflow_ctx.push(self, self.parameters):
                try:
                    self._execute_graph(graph, name)
                except BaseException as error:
                    task.async_result._settle(None, error)
        thread = threading.Thread(target=execute, daemon=True)
        with self._lock:
            self._alone.append(thread)
        thread.start()
        return task.async_result

    def _wait_for_alone(self, seconds=None):
        end = None if seconds is None else time.monotonic() + seconds
        for thread in self._alone:
            thread.join(None if end is None else max(0, end - time.monotonic()))

    def _task(self, key):
        with self._lock:
            return self._running.get(key)

    def _run_builtin(self, workflow_id, parameters):
        """Runs one of the orchestrator's own workflows as a part of this one."""
        name = self._next_name('workflow', [workflow_id, parameters])
        _raise(self._bridge.call('builtin', name=name, workflow=workflow_id, parameters=parameters))
        self.refresh_node_instances()

    # The rest of what the manager offers.

    @property
    def logger(self):
        if self._logger is None:
            from cloudify import _logging
            self._logger = _logging.logger(self._bridge, self.execution_id)
        return self._logger

    tenant = property(lambda self: {'name': self.tenant_name})
    bootstrap_context = property(lambda self: self.internal.bootstrap_context)

    def get_resource(self, resource_path):
        import base64
        return base64.b64decode(self._bridge.call('resource', path=resource_path))

    def download_resource(self, resource_path, target_path=None):
        """Writes a resource to a file and returns its path."""
        if not target_path:
            target_path = os.path.join(tempfile.mkdtemp(), os.path.basename(resource_path))
        data = self.get_resource(resource_path)
        with open(target_path, 'wb') as target:
            target.write(data)
        return target_path

    @property
    def _client(self):
        return self.internal.handler.rest_client

    def get_execution(self, execution_id=None):
        return self._client.executions.get(execution_id or self.execution_id)

    def start_execution(self, deployment_id, workflow_id, **kwargs):
        return self._client.executions.start(deployment_id, workflow_id, **kwargs)

    def get_deployment(self, deployment_id):
        return self._client.deployments.get(deployment_id)

    def get_blueprint(self, blueprint_id):
        return self._client.blueprints.get(blueprint_id)

    def set_deployment_attributes(self, deployment_id, **kwargs):
        return self._client.deployments.set_attributes(deployment_id, **kwargs)

    def get_deployment_update(self, update_id):
        return self._client.deployment_updates.get(update_id)

    def set_deployment_update_attributes(self, update_id, **kwargs):
        return self._client.deployment_updates.set_attributes(update_id, **kwargs)

    def list_nodes(self, **kwargs):
        return self._client.nodes.list(**kwargs)

    def list_node_instances(self, **kwargs):
        return self._client.node_instances.list(**kwargs)

    def list_execution_schedules(self, **kwargs):
        return self._client.execution_schedules.list(**kwargs)

    def create_execution_schedule(self, schedule_id, deployment_id, **kwargs):
        return self._client.execution_schedules.create(schedule_id, deployment_id, **kwargs)

    def update_execution_schedule(self, schedule_id, deployment_id, **kwargs):
        return self._client.execution_schedules.update(schedule_id, deployment_id, **kwargs)

    def list_idds(self, **kwargs):
        return self._client.inter_deployment_dependencies.list(**kwargs)

    def get_managers(self):
        return self._client.manager.get_managers()

    def get_secret(self, key):
        return self._client.secrets.get(key)

    def get_operations(self, graph_id):
        return self._client.operations.list(graph_id=graph_id)

    def get_tasks_graph(self, name):
        return self._client.tasks_graphs.list(self.execution_id, name).one()

    def cleanup(self, finished=True):
        """There is nothing to clean up."""


class _Run(object):
    """A graph that is being run."""

    _namespace = uuid.UUID('8d6d2a4e-6d5c-4a55-9d8e-0f1c3b2a7e90')

    def __init__(self, ctx, name, made):
        self._ctx = ctx
        self._keys = {}
        self.by_key = {}
        for index, task in enumerate(made):
            # The same graph of the same execution gets the same ids again.
            text = '{0}/{1}/{2}'.format(ctx.execution_id, name, index)
            key = str(uuid.uuid5(self._namespace, text))
            self._keys[task.id] = key
            self.by_key[key] = task

    def key(self, task):
        return self._keys[task.id]

    def settle(self, ended):
        """Tells the tasks what became of them; raises what became of the graph."""
        results = ended.get('results') or {}
        failures = ended.get('failures') or {}
        for key, task in self.by_key.items():
            if key in failures:
                task.set_state(tasks.TASK_FAILED)
                task.error = failures[key]
                task.async_result._settle(None, error_of(failures[key]))
            elif ended['outcome'] == 'succeeded':
                task.set_state(tasks.TASK_SUCCEEDED)
                task.async_result._settle(results.get(key), None)
            elif ended['outcome'] == 'cancelled':
                task.async_result._settle(None, workflow_api.ExecutionCancelled())
            elif key in results:
                task.set_state(tasks.TASK_SUCCEEDED)
                task.async_result._settle(results[key], None)
        _raise(ended)


def error_of(failure):
    """A failure of an operation as the exception that it means."""
    message = failure.get('message') or ''
    if failure.get('verdict') == 'non_recoverable':
        return exceptions.NonRecoverableError(message)
    if failure.get('verdict') == 'reschedule':
        return exceptions.OperationRetry(message)
    return exceptions.RecoverableError(message)


def _raise(ended):
    if ended['outcome'] == 'cancelled':
        raise workflow_api.ExecutionCancelled()
    if ended['outcome'] == 'failed':
        error = exceptions.WorkflowFailed(ended['error'], hide_traceback=True)
        error.outcome = ended['token']
        raise error


def _chosen(*values):
    return next((value for value in values if value is not None), None)


def _check_types(types, inputs):
    for name, wanted in types.items():
        if name in inputs and wanted in _TYPES and not _has_function(inputs[name]) and not _TYPES[wanted](inputs[name]):
            raise exceptions.NonRecoverableError("Value {0} of '{1}' does not match the definition: {2}".format(
                inputs[name], name, wanted))


def _has_function(value):
    if isinstance(value, dict):
        if len(value) == 1 and (next(iter(value)).startswith('get_') or next(iter(value)) in ('concat', 'merge', 'string_find')):
            return True
        return any(_has_function(v) for v in value.values())
    return isinstance(value, list) and any(_has_function(v) for v in value)
