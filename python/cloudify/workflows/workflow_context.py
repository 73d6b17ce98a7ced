"""The context of a workflow: what `from cloudify.workflows import ctx` leads to."""
import hashlib
import json
import os
import tempfile
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

from cloudify import _gaps, exceptions, utils
from cloudify.state import current_workflow_ctx
from cloudify.workflows import tasks
from cloudify.workflows._nodes import (  # noqa: F401
    CloudifyWorkflowNode, CloudifyWorkflowNodeInstance, CloudifyWorkflowRelationship,
    CloudifyWorkflowRelationshipInstance, Modification, ModificationNodes, WorkflowNodesAndInstancesContainer)
from cloudify.workflows._running import Run, raise_failure
from cloudify.workflows.tasks import (  # noqa: F401
    DEFAULT_RETRY_INTERVAL, DEFAULT_SEND_TASK_EVENTS, DEFAULT_SUBGRAPH_TOTAL_RETRIES, DEFAULT_TOTAL_RETRIES)
from cloudify.workflows.tasks_graph import TaskDependencyGraph

__getattr__ = _gaps.filler(__name__)

DEFAULT_LOCAL_TASK_THREAD_POOL_SIZE = 8

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


class _Facts(object):

    def __init__(self, facts):
        self.__dict__.update(facts)


class WorkflowDeploymentContext(_Facts):
    """ctx.deployment."""

    id: str
    tenant_name: str
    display_name: str
    creator: str
    runtime_only_evaluation: bool
    resource_tags: Dict[str, Any]
    scaling_groups: Dict[str, dict]

    def __init__(self, ctx, facts):
        super(WorkflowDeploymentContext, self).__init__(facts)
        self.workflow_ctx = self._ctx = ctx

    def start_modification(self, nodes: Dict[str, dict]) -> Modification:
        """Begins to change how many instances there are.

        nodes gives the new number by the name of a node or a scaling group:

            {'web': {'instances': 3, 'removed_ids_include_hint': ['web_a1b2c3']}}

        The instances in added exist now; those in removed go with finish(). One
        modification of a deployment can be under way at a time. A workflow that
        runs again after a crash is given the one that it had started.
        """
        return Modification(self._ctx, self._ctx._bridge.call('start_modification', changes=nodes))

    def list_started_modifications(self) -> List[Modification]:
        """The modifications of the deployment that are under way."""
        return [Modification(self._ctx, m) for m in self._ctx._bridge.call('list_modifications')]


# What ctx.internal.handler offers of what the context itself has.
_HANDLED = frozenset((
    'get_operations', 'update_operation', 'get_tasks_graph', 'store_tasks_graph', 'store_operation', 'remove_operation',
    'get_execution', 'update_node_instance', 'set_deployment_attributes', 'get_deployment_update',
    'set_deployment_update_attributes', 'get_blueprint', 'get_deployment', 'list_nodes', 'list_node_instances',
    'update_node', 'delete_node', 'delete_node_instance', 'create_nodes', 'create_node_instances',
    'list_execution_schedules', 'update_execution_schedule', 'create_execution_schedule', 'get_managers', 'list_idds',
    'update_idds', 'get_secret', 'start_execution', 'cleanup',
))


class CloudifyWorkflowContextHandler(object):
    """ctx.internal.handler: what the orchestrator stores."""

    def __init__(self, ctx):
        self.workflow_ctx = ctx

    def __getattr__(self, name):
        if name in _HANDLED:
            return getattr(self.workflow_ctx, name)
        raise AttributeError('the handler of the workflow context has no attribute {0!r}'.format(name))

    @property
    def rest_client(self):
        """A client of the manager's REST API, with the rights of the execution."""
        from cloudify import manager
        return manager.get_rest_client()

    @property
    def bootstrap_context(self) -> dict:
        """The manager's settings."""
        return self.workflow_ctx.internal.bootstrap_context

    @property
    def scaling_groups(self) -> dict:
        """The deployment's scaling groups."""
        return self.workflow_ctx.deployment.scaling_groups

    @property
    def operation_cloudify_context(self) -> dict:
        """What the contexts of operations have in common."""
        ctx = self.workflow_ctx
        return {'local': ctx.local, 'rest_token': ctx.rest_token, 'rest_host': ctx.rest_host, 'rest_port': ctx.rest_port,
                'bypass_maintenance': ctx.bypass_maintenance, 'workflow_parameters': ctx.parameters,
                'execution_token': ctx.execution_token, 'execution_creator_username': ctx.execution_creator_username}

    def get_nodes(self):
        """The nodes as the REST API shows them."""
        return self.rest_client.nodes.list(deployment_id=self.workflow_ctx.deployment.id, _get_all_results=True)

    def get_node_instances(self):
        """The node instances as the REST API shows them."""
        return self.rest_client.node_instances.list(
            deployment_id=self.workflow_ctx.deployment.id, _get_all_results=True)

    def send_workflow_event(self, event_type, message=None, args=None, additional_context=None):
        """Stores an event of the execution."""
        self.workflow_ctx.internal.send_workflow_event(event_type, message, args, additional_context)

    def evaluate_functions(self, deployment_id, ctx, payload):
        """The payload with its intrinsic functions evaluated."""
        return self.workflow_ctx.internal.evaluate_functions(deployment_id, ctx, payload)


class LocalTasksProcessing(object):
    """ctx.internal.local_tasks_processor."""

    def __init__(self, ctx):
        self.workflow_ctx = ctx
        self.stopped = False

    def add_task(self, task):
        """Runs a task of the workflow itself, or any function, in a thread of its own."""
        if isinstance(task, tasks.WorkflowTask):
            return task.apply_async()
        threading.Thread(target=task, daemon=True).start()

    def start(self):
        """There is nothing to start."""

    def stop(self):
        """There is nothing to stop."""


class CloudifyWorkflowContextInternal(object):
    """ctx.internal: what custom workflows reach below the context for."""

    def __init__(self, ctx, settings):
        self.workflow_context = ctx
        self.handler = CloudifyWorkflowContextHandler(ctx)
        self.local_tasks_processor = LocalTasksProcessing(ctx)
        self.graph_mode = False
        self._settings = settings
        self._task_graph = None
        self.bootstrap_context = {'workflows': {
            'task_retries': settings['task_retries'], 'task_retry_interval': settings['retry_interval'],
            'subgraph_retries': settings['subgraph_retries']}}

    def get_task_configuration(self) -> dict:
        """The manager's total_retries and retry_interval of tasks."""
        return {'total_retries': self._settings['task_retries'], 'retry_interval': self._settings['retry_interval']}

    def get_subgraph_task_configuration(self) -> dict:
        """The manager's total_retries of subgraphs."""
        return {'total_retries': self._settings['subgraph_retries']}

    @property
    def task_graph(self) -> TaskDependencyGraph:
        """The workflow's graph, which ctx.graph_mode() returns, too."""
        if self._task_graph is None:
            self._task_graph = TaskDependencyGraph(
                self.workflow_context, default_subgraph_task_config=self.get_subgraph_task_configuration())
        return self._task_graph

    def add_local_task(self, task):
        """Runs a task of the workflow itself, or any function, in a thread of its own."""
        return self.local_tasks_processor.add_task(task)

    def send_workflow_event(self, event_type, message=None, args=None, additional_context=None):
        """Stores an event of the execution, at once."""
        self.workflow_context._bridge.tell('event', message=str(message), event_type=event_type)

    def send_task_event(self, state, task, event=None):
        """The orchestrator tells of tasks itself."""

    def evaluate_functions(self, deployment_id, ctx, payload):
        """The payload with its intrinsic functions evaluated."""
        return self.handler.rest_client.evaluate.functions(deployment_id, ctx, payload)['payload']


class CloudifyWorkflowContext(object):
    """The context of one workflow.

    A method that makes a task starts it at once and returns what becomes of it
    (see tasks.WorkflowTaskResult); after graph_mode() it returns the task, to be
    put into the graph.
    """

    execution_id: str
    workflow_id: str
    tenant_name: str
    execution_creator_username: str
    dry_run: bool
    resume: bool
    local: bool
    bypass_maintenance: bool
    wait_after_fail: int
    rest_host: Optional[str]
    rest_port: Optional[int]
    rest_token: Optional[str]
    execution_token: Optional[str]
    amqp_handlers = ()

    def __init__(self, bridge):
        self._bridge = bridge
        told = self._told = bridge.call('context')
        self._facts = told['facts']
        self.parameters = told['parameters']
        self.blueprint = _Facts(told['blueprint'])
        self.deployment = WorkflowDeploymentContext(self, told['deployment'])
        self.internal = CloudifyWorkflowContextInternal(self, told['settings'])
        self._container = WorkflowNodesAndInstancesContainer(self, {'nodes': told['nodes'], 'instances': told['instances']})
        self._logger = None
        self._lock = threading.Lock()
        self._named = {}  # how many there are of each name
        self._runs = []  # graphs that run
        self._alone = []  # threads of tasks that run by themselves, with the tasks

    def __getattr__(self, name):
        facts = self.__dict__.get('_facts') or {}
        if name in facts:
            return facts[name]
        raise AttributeError('the workflow context has no attribute {0!r}'.format(name))

    # Nodes and instances.

    @property
    def nodes(self) -> Iterator[CloudifyWorkflowNode]:
        """The deployment's nodes. It can be gone through once; ask again for another time."""
        return self._container.nodes

    @property
    def node_instances(self) -> Iterator[CloudifyWorkflowNodeInstance]:
        """The deployment's node instances, as nodes are given."""
        return self._container.node_instances

    def get_node(self, node_id: str) -> Optional[CloudifyWorkflowNode]:
        """The node of that name, or None."""
        return self._container.get_node(node_id)

    def get_node_instance(self, node_instance_id: str) -> Optional[CloudifyWorkflowNodeInstance]:
        """The node instance of that id, or None."""
        return self._container.get_node_instance(node_instance_id)

    def refresh_node_instances(self) -> None:
        """Loads all nodes and instances again; there are new objects then."""
        told = self._bridge.call('deployment')
        self.deployment.scaling_groups = told['scaling_groups']
        self._container = WorkflowNodesAndInstancesContainer(self, told)

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
                node_instance_id, state=state, runtime_properties=runtime_properties, system_properties=system_properties,
                relationships=relationships, version=version, force=force)
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

    def graph_mode(self) -> TaskDependencyGraph:
        """From now on tasks are made for a graph, which is returned.

        It is an error while there are tasks that were started without one, and
        that nobody has waited for.
        """
        if any(not task.async_result._taken for _, task in self._alone):
            raise RuntimeError('Cannot switch to graph mode when tasks have already been executed')
        self.internal.graph_mode = True
        return self.internal.task_graph

    def _process_task(self, task):
        if self.internal.graph_mode:
            return task
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

    def local_task(self, local_task: Callable, node=None, info=None, kwargs=None, task_id=None, name=None, send_task_events=True,
                   override_task_config=False, total_retries=None, retry_interval=None):
        """Runs a function in the workflow's process; see task_config for its defaults.

        Its result must be JSON. A graph that is found again after a crash keeps the
        task, but not the function.
        """
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
        """Runs an operation of a plugin as the context says."""
        configured = self.internal.get_task_configuration()
        return self._process_task(tasks.RemoteWorkflowTask(
            kwargs, cloudify_context, self, task_id=task_id, send_task_events=send_task_events,
            total_retries=_chosen(total_retries, configured['total_retries']),
            retry_interval=_chosen(retry_interval, configured['retry_interval'])))

    def send_event(self, event: str, event_type: str = 'workflow_stage', args: Optional[dict] = None,
                   additional_context: Optional[dict] = None):
        """Tells something of the workflow in the execution's events."""
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
        described = graph._describe()
        name = name or self._next_name('graph', described)
        run = Run(self, graph, name)
        for entry, task in zip(described, graph.tasks):
            entry['key'] = run.key(task)
        with self._lock:
            self._runs.append(run)
        try:
            ended = self._bridge.call('execute', name=name, tasks=described)
        finally:
            with self._lock:
                self._runs.remove(run)
        run.settle(ended)

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
                    if not task.async_result._done.is_set():
                        task.async_result._settle(None, error)
        thread = threading.Thread(target=execute, daemon=True)
        with self._lock:
            self._alone.append((thread, task))
        thread.start()
        return task.async_result

    def _wait_for_alone(self, seconds=None):
        """Waits for what was started by itself, and not waited for yet.

        Without a limit it raises the first error of these.
        """
        end = None if seconds is None else time.monotonic() + seconds
        for thread, task in self._alone:
            thread.join(None if end is None else max(0, end - time.monotonic()))
            if end is None and not task.async_result._taken:
                task.async_result.get()

    def _run_of(self, key):
        """The graph that runs and has the task of that key, or None."""
        with self._lock:
            return next((run for run in self._runs if key in run.by_key), None)

    def _task(self, key):
        run = self._run_of(key)
        return None if run is None else run.by_key[key]

    def _run_builtin(self, workflow_id, parameters):
        """Runs one of the orchestrator's own workflows as a part of this one."""
        name = self._next_name('workflow', [workflow_id, parameters])
        raise_failure(self._bridge.call('builtin', name=name, workflow=workflow_id, parameters=parameters))
        self.refresh_node_instances()

    # The rest of what the manager offers.

    @property
    def logger(self):
        """A logger whose lines belong to the execution."""
        if self._logger is None:
            from cloudify import _logging
            self._logger = _logging.logger(self._bridge, self.execution_id)
        return self._logger

    @property
    def tenant(self) -> dict:
        """The tenant: its name."""
        return {'name': self.tenant_name}

    @property
    def bootstrap_context(self) -> dict:
        """The manager's settings."""
        return self.internal.bootstrap_context

    def get_resource(self, resource_path: str) -> bytes:
        """A file of the deployment, the blueprint or the shared resources."""
        import base64
        return base64.b64decode(self._bridge.call('resource', path=resource_path))

    def download_resource(self, resource_path: str, target_path: Optional[str] = None) -> str:
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

    def get_execution(self, execution_id: Optional[str] = None):
        """An execution as the REST API shows it; this one by default."""
        return self._client.executions.get(execution_id or self.execution_id)

    def start_execution(self, deployment_id: str, workflow_id: str, **kwargs):
        """Starts a workflow of any deployment; it does not wait for it.

        kwargs are those of the REST client's executions.start.
        """
        return self._client.executions.start(deployment_id, workflow_id, **kwargs)

    def get_deployment(self, deployment_id: str):
        """A deployment as the REST API shows it."""
        return self._client.deployments.get(deployment_id)

    def get_blueprint(self, blueprint_id: str):
        """A blueprint as the REST API shows it."""
        return self._client.blueprints.get(blueprint_id)

    def get_secret(self, key: str):
        """A secret as the REST API shows it."""
        return self._client.secrets.get(key)

    def get_managers(self):
        """The managers as the REST API shows them."""
        return self._client.manager.get_managers()

    def set_deployment_attributes(self, deployment_id: str, **kwargs):
        """Changes what is stored of a deployment."""
        return self._client.deployments.set_attributes(deployment_id, **kwargs)

    def get_deployment_update(self, update_id: str):
        """A deployment update as the REST API shows it."""
        return self._client.deployment_updates.get(update_id)

    def set_deployment_update_attributes(self, update_id: str, **kwargs):
        """Changes what is stored of a deployment update."""
        return self._client.deployment_updates.set_attributes(update_id, **kwargs)

    def list_nodes(self, **kwargs):
        """Nodes as the REST API shows them; kwargs are filters."""
        return self._client.nodes.list(**kwargs)

    def create_nodes(self, deployment_id: str, nodes: List[dict]):
        """Stores new nodes of a deployment."""
        return self._client.nodes.create_many(deployment_id, nodes)

    def update_node(self, deployment_id: str, node_id: str, **kwargs):
        """Changes what is stored of a node."""
        return self._client.nodes.update(deployment_id, node_id, **kwargs)

    def delete_node(self, deployment_id: str, node_id: str):
        """Deletes a node."""
        return self._client.nodes.delete(deployment_id, node_id)

    def list_node_instances(self, **kwargs):
        """Node instances as the REST API shows them; kwargs are filters."""
        return self._client.node_instances.list(**kwargs)

    def create_node_instances(self, deployment_id: str, node_instances: List[dict]):
        """Stores new node instances of a deployment."""
        return self._client.node_instances.create_many(deployment_id, node_instances)

    def delete_node_instance(self, node_id: str):
        """Deletes a node instance, by its id."""
        return self._client.node_instances.delete(node_id)

    def list_execution_schedules(self, **kwargs):
        """Schedules as the REST API shows them; kwargs are filters."""
        return self._client.execution_schedules.list(**kwargs)

    def create_execution_schedule(self, schedule_id: str, deployment_id: str, **kwargs):
        """Stores a new schedule."""
        return self._client.execution_schedules.create(schedule_id, deployment_id, **kwargs)

    def update_execution_schedule(self, schedule_id: str, deployment_id: str, **kwargs):
        """Changes a schedule."""
        return self._client.execution_schedules.update(schedule_id, deployment_id, **kwargs)

    def list_idds(self, **kwargs):
        """Inter-deployment dependencies as the REST API shows them; kwargs are filters."""
        return self._client.inter_deployment_dependencies.list(**kwargs)

    def update_idds(self, deployment_id: str, idds: List[dict]):
        """Replaces the inter-deployment dependencies of a deployment."""
        return self._client.inter_deployment_dependencies.update_all(deployment_id, idds)

    # Graphs as they are stored. The orchestrator stores and runs graphs itself;
    # see tasks_graph.make_or_get_graph.

    def get_tasks_graph(self, name: str):
        """The stored graph of that name of this execution, or None."""
        return next(iter(self._client.tasks_graphs.list(self.execution_id, name)), None)

    def store_tasks_graph(self, name: str, operations: Optional[List[dict]] = None):
        """Stores a graph with its operations."""
        return self._client.tasks_graphs.create(self.execution_id, name, operations)

    def get_operations(self, graph_id: str):
        """The operations of a stored graph."""
        return self._client.operations.list(graph_id=graph_id)

    def store_operation(self, task: tasks.WorkflowTask, dependencies: List[str], graph_id: str) -> bool:
        """Adds an operation to a stored graph; tells whether that was possible."""
        described = task._describe(None, True)
        self._client.operations.create(
            operation_id=task.id, graph_id=graph_id, name=task.name, type=task.task_type, dependencies=dependencies,
            parameters={'info': described['info'], 'task_kwargs': described['payload']})
        return True

    def update_operation(self, operation_id: str, state: str, result: Any = None, exception: Any = None):
        """Reports the state of a stored operation."""
        return self._client.operations.update(operation_id, state, result=result, exception=exception)

    def remove_operation(self, operation_id: str):
        """Deletes a stored operation."""
        return self._client.operations.delete(operation_id)

    def cleanup(self, finished: bool = True) -> None:
        """There is nothing to clean up."""


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
