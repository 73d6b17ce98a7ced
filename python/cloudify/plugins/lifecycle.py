"""What installs and uninstalls node instances, for workflows to build on.

    lifecycle.install_node_instances(graph=ctx.graph_mode(), node_instances=...)

The order of steps, states and events is that of the built-in workflows.
"""
from cloudify import _gaps, constants, exceptions
from cloudify.state import workflow_ctx
from cloudify.workflows.tasks import HandlerResult
from cloudify.workflows.tasks_graph import forkjoin, make_or_get_graph

__getattr__ = _gaps.filler(__name__)

_LIFE = 'cloudify.interfaces.lifecycle.'
_VALIDATION = 'cloudify.interfaces.validation.'
_MONITORING = 'cloudify.interfaces.monitoring.'
_AGENT = 'cloudify.interfaces.cloudify_agent.'
_MONITORING_AGENT = 'cloudify.interfaces.monitoring_agent.'
_RELATIONSHIP = 'cloudify.interfaces.relationship_lifecycle.'
_BY_OPERATION = 'cloudify.relationships.depends_on_lifecycle_operation'


def install_node_instances(graph, node_instances, related_nodes=None, name_prefix=''):
    """Brings instances up, each after those that it is related to."""
    LifecycleProcessor(graph, node_instances, related_nodes, name_prefix=name_prefix).install()


def uninstall_node_instances(graph, node_instances, ignore_failure=False, related_nodes=None, name_prefix=''):
    """Takes instances down, each before those that it is related to."""
    LifecycleProcessor(graph, node_instances, related_nodes, ignore_failure=ignore_failure,
                       name_prefix=name_prefix).uninstall()


def reinstall_node_instances(graph, node_instances, ignore_failure=False, related_nodes=None):
    """Takes instances down, then brings them up again."""
    uninstall_node_instances(graph, node_instances, ignore_failure, related_nodes, 'reinstall-')
    # The graph has run; what follows is another one.
    fresh = _fresh_graph(graph)
    for instance in node_instances:
        instance._node_instance['state'] = 'deleted'
    install_node_instances(fresh, node_instances, related_nodes, 'reinstall-')


def _fresh_graph(graph):
    return type(graph)(graph.ctx, default_subgraph_task_config=graph.default_subgraph_task_config)


def rollback_node_instances(graph, node_instances, related_nodes=None, name_prefix='', ignore_failure=False):
    """Takes instances back that were left on their way up."""
    LifecycleProcessor(graph, node_instances, related_nodes, ignore_failure=ignore_failure,
                       name_prefix=name_prefix).rollback()


def heal_node_instances(graph, node_instances, related_nodes=None, name_prefix='', ignore_failure=False):
    """Runs the heal operations of instances."""
    LifecycleProcessor(graph, node_instances, related_nodes, ignore_failure=ignore_failure,
                       name_prefix=name_prefix).heal()


def update_node_instances(graph, node_instances, related_nodes=None, name_prefix=''):
    """Runs the update operations of instances."""
    LifecycleProcessor(graph, node_instances, related_nodes, name_prefix=name_prefix).update()


def heal_node_instance_subgraph(instance, graph, ignore_failure=False):
    """The subgraph that runs an instance's heal operation."""
    subgraph = _single(instance, graph, 'heal_', _LIFE + 'heal', 'Healing node instance', 'Node instance healed')
    if ignore_failure:
        _ignore_failures(subgraph, instance)
    return subgraph


def update_node_instance_subgraph(instance, graph):
    """The subgraph that runs an instance's update operations."""
    return _single(instance, graph, 'update_', [
        _LIFE + name for name in ('preupdate', 'update', 'postupdate', 'update_config', 'update_apply', 'update_postapply')],
        'Updating node instance', 'Node instance updated')


def execute_establish_relationships(graph, node_instances, related_nodes=None, modified_relationship_ids=None):
    """Runs establish of instances that stay towards those given."""
    LifecycleProcessor(graph, related_nodes, node_instances, modified_relationship_ids, name_prefix='establish-').install()


def execute_unlink_relationships(graph, node_instances, related_nodes=None, modified_relationship_ids=None):
    """Runs unlink of instances that stay from those given."""
    LifecycleProcessor(graph, related_nodes, node_instances, modified_relationship_ids, name_prefix='unlink-').uninstall()


class LifecycleProcessor(object):
    """Runs the lifecycle of instances in the order of their relationships."""

    def __init__(self, graph, node_instances=None, related_nodes=None, modified_relationship_ids=None,
                 ignore_failure=False, name_prefix=''):
        self.graph = graph
        self.node_instances = list(node_instances or ())
        self.intact_nodes = list(related_nodes or ())
        self.modified_relationship_ids = modified_relationship_ids or {}
        self.ignore_failure = ignore_failure
        self._name_prefix = name_prefix

    def install(self):
        self._run('install', install_node_instance_subgraph, True, 'establish')

    def uninstall(self):
        self._run('uninstall', self._with_failures(uninstall_node_instance_subgraph), False, 'unlink')

    def rollback(self):
        self._run('rollback', self._with_failures(rollback_node_instance_subgraph), False, 'unlink')

    def heal(self):
        self._run('heal', self._with_failures(heal_node_instance_subgraph), True)

    def update(self):
        self._run('update', update_node_instance_subgraph, True)

    def _with_failures(self, function):
        return lambda instance, graph: function(instance, graph, ignore_failure=self.ignore_failure)

    def _run(self, name, steps, up, intact=None):
        self._built(workflow_ctx, steps, up, intact, name=self._name_prefix + name).execute()

    def _built(self, ctx, *args, **kwargs):
        @make_or_get_graph
        def build(ctx, steps, up, intact):
            subgraphs = {i.id: steps(i, self.graph) for i in self.node_instances}
            subgraphs.update((i.id, self.graph.subgraph('stub_' + i.id)) for i in self.intact_nodes if i.id not in subgraphs)
            for instance in self.node_instances + self.intact_nodes:
                self._order(subgraphs, instance, up)
            if intact:
                for instance in self.intact_nodes:
                    self._reconnect(subgraphs[instance.id], instance, _RELATIONSHIP + intact, up)
            return self.graph
        return build(ctx, *args, **kwargs)

    def _order(self, subgraphs, instance, up):
        """Lets the instance wait for its targets, or they for it."""
        for r in instance.relationships:
            own, target = subgraphs.get(instance.id), subgraphs.get(r.target_id)
            if own is None or target is None:
                continue
            after, before = (own, target) if up else (target, own)
            declared = r.relationship
            if declared is not None and declared.is_derived_from(_BY_OPERATION):
                for task in _following(self.graph, before, _LIFE + (declared.properties.get('operation') or '')):
                    self.graph.add_dependency(after, task)
            else:
                self.graph.add_dependency(after, before)

    def _reconnect(self, subgraph, instance, operation, up):
        acted = set(i.id for i in self.node_instances)
        relationships = list(instance.relationships)
        sequence = subgraph.sequence()
        for r in relationships if up else reversed(relationships):
            target = r.target_node_instance
            if r.target_id not in acted and target is not None and target.node_id not in self.modified_relationship_ids.get(
                    instance.node_id, ()):
                continue
            for task in _both_sides(r, operation):
                if not up:
                    set_send_node_event_on_error_handler(task, instance)
                sequence.add(task)


def _following(graph, subgraph, operation):
    """The tasks of a subgraph that wait for its task of the operation."""
    for task in subgraph.tasks.values():
        if (task.cloudify_context.get('operation') or {}).get('name') == operation:
            return [other for other in subgraph.tasks.values() if task.id in graph._waits[other.id]]
    return []


class _Steps(object):
    """The steps of one instance, in its subgraph."""

    def __init__(self, instance, graph, name):
        self.instance = instance
        self.subgraph = graph.subgraph(name)
        self.items = []
        self.real = False

    def add(self, *tasks):
        tasks = [task for task in tasks if task is not None]
        if tasks:
            self.items.append(tasks)
            self.real = self.real or any(task.kind != 'SendNodeEventTask' for task in tasks)

    def event(self, text):
        return self.instance.send_event(text)

    def state(self, state):
        task = self.instance.set_state(state)
        return None if task.kind == 'NOPLocalWorkflowTask' else task

    def operation(self, name):
        task = self.instance.execute_operation(name)
        return None if task.is_nop() else task

    def framed(self, name, before, after=None, nothing=None):
        """An operation with events around it, or the event that there is none."""
        task = self.operation(name)
        if task is None:
            self.add(self.event(nothing) if nothing else None)
            return
        self.add(self.event(before))
        self.add(task)
        self.add(self.event(after) if after else None)

    def stated(self, name, doing, before, done, after, nothing):
        """An operation that changes the state."""
        task = self.operation(name)
        if task is None:
            self.add(self.event(nothing))
            return
        self.add(self.event(before), self.state(doing))
        self.add(task)
        if done:
            self.add(self.event(after), self.state(done))

    def relationships(self, name, before, after, backwards=False):
        groups, at = [], {}
        found = list(self.instance.relationships)
        for r in reversed(found) if backwards else found:
            tasks = _both_sides(r, _RELATIONSHIP + name)
            node = r.relationship.target_id if r.relationship is not None else r.target_id
            if tasks and at.get('node') == node:
                groups[-1].extend(tasks)
            elif tasks:
                groups.append(tasks)
                at['node'] = node
        if not groups:
            return
        self.add(self.event(before))
        inner = self.subgraph.subgraph(_RELATIONSHIP + name + '_subgraph')
        sequence = inner.sequence()
        for tasks in groups:
            sequence.add(forkjoin(*tasks))
        self.add(inner)
        self.add(self.event(after))

    def done(self):
        sequence = self.subgraph.sequence()
        for tasks in self.items:
            sequence.add(forkjoin(*tasks))
        return self.subgraph


def _both_sides(relationship, operation):
    if relationship.relationship is None or relationship.target_node_instance is None:
        return []
    tasks = [relationship.execute_source_operation(operation), relationship.execute_target_operation(operation)]
    return [task for task in tasks if not task.is_nop()]


def is_host_node(node_instance):
    return constants.COMPUTE_NODE_TYPE in node_instance.node.type_hierarchy


def _is(instance, *states):
    return instance.state in states


def install_node_instance_subgraph(instance, graph, **_):
    """The subgraph that brings an instance up, from the state it is in."""
    steps = _Steps(instance, graph, 'install_' + instance.id)
    _up(steps)
    subgraph = steps.done()
    if subgraph.total_retries != 0:
        subgraph.on_failure = _SubgraphOnFailure(instance)
    return subgraph


def _up(steps):
    i = steps.instance
    before, steps.items, steps.real = steps.items, [], False
    if not _is(i, 'started', 'starting', 'created', 'creating', 'configured', 'configuring'):
        steps.framed(_VALIDATION + 'create', 'Validating node instance before creation',
                     'Node instance validated before creation', 'Validating node instance before creation: nothing to do')
        steps.framed(_LIFE + 'precreate', 'Precreating node instance', 'Node instance precreated',
                     'Precreating node instance: nothing to do')
    else:
        steps.add(steps.event('Validating node instance before creation: nothing to do'))
        steps.add(steps.event('Precreating node instance: nothing to do'))
    if not _is(i, 'started', 'starting', 'created', 'configuring', 'configured'):
        steps.stated(_LIFE + 'create', 'creating', 'Creating node instance', 'created', 'Node instance created',
                     'Creating node instance: nothing to do')
    else:
        steps.add(steps.event('Creating node instance: nothing to do'))
    if not _is(i, 'started', 'starting', 'configured'):
        steps.relationships('preconfigure', 'Pre-configuring relationships', 'Relationships pre-configured')
        steps.stated(_LIFE + 'configure', 'configuring', 'Configuring node instance', 'configured',
                     'Node instance configured', 'Configuring node instance: nothing to do')
    else:
        steps.add(steps.event('Configuring node instance: nothing to do'))
    if not _is(i, 'started'):
        steps.relationships('postconfigure', 'Post-configuring relationships', 'Relationships post-configured')
        steps.stated(_LIFE + 'start', 'starting', 'Starting node instance', None, None,
                     'Starting node instance: nothing to do')
        if is_host_node(i):
            _host_started(steps)
        steps.framed(_LIFE + 'poststart', 'Poststarting node instance', 'Node instance poststarted',
                     'Poststarting node instance: nothing to do')
        steps.add(steps.operation(_MONITORING + 'start'))
        steps.relationships('establish', 'Establishing relationships', 'Relationships established')
    if not steps.real and (not is_host_node(i) or _is(i, 'started')):
        steps.items = before
        steps.add(steps.state('started'), steps.event('Node instance started (nothing to do)'))
        return
    doing, steps.items = steps.items, before
    steps.add(steps.state('initializing'))
    steps.items.extend(doing)
    steps.add(steps.state('started'), steps.event('Node instance started'))


def uninstall_node_instance_subgraph(instance, graph, ignore_failure=False):
    """The subgraph that takes an instance down, from the state it is in."""
    steps = _Steps(instance, graph, instance.id)
    _down(steps)
    subgraph = steps.done()
    if ignore_failure:
        _ignore_failures(subgraph, instance)
    elif subgraph.total_retries != 0:
        subgraph.on_failure = _SubgraphOnFailure(instance, on_retry='uninstall')
    return subgraph


def _down(steps):
    i = steps.instance
    if _is(i, 'stopped', 'deleting', 'deleted', 'uninitialized', 'configured'):
        steps.add(steps.event('Validating node instance after deletion: nothing to do'))
        steps.add(steps.event('Stop: instance already ' + i.state))
    else:
        _stop(steps)
    if not _is(i, 'stopped', 'deleting', 'deleted'):
        steps.add(steps.state('stopped'))
    _remove(steps)
    if not _is(i, 'deleted'):
        steps.add(steps.state('deleted'), steps.event('Deleted node instance'))


def _stop(steps):
    steps.add(steps.state('stopping'), steps.event('Stopping node instance'))
    steps.framed(_VALIDATION + 'delete', 'Validating node instance before deletion',
                 'Node instance validated before deletion', 'Validating node instance after deletion: nothing to do')
    steps.add(steps.operation(_MONITORING + 'stop'))
    steps.framed(_LIFE + 'prestop', 'Prestopping node instance', 'Node instance prestopped')
    if is_host_node(steps.instance):
        _host_stopping(steps)
    task = steps.operation(_LIFE + 'stop')
    steps.add(task)
    steps.add(steps.event('Stopped node instance' if task else 'Stopped node instance: nothing to do'))


def _remove(steps):
    if _is(steps.instance, 'deleted', 'uninitialized'):
        steps.add(steps.event('Delete: instance already ' + steps.instance.state))
        return
    steps.relationships('unlink', 'Unlinking relationships', 'Relationships unlinked', backwards=True)
    steps.stated(_LIFE + 'delete', 'deleting', 'Deleting node instance', None, None,
                 'Deleting node instance: nothing to do')
    steps.framed(_LIFE + 'postdelete', 'Postdeleting node instance', 'Node instance postdeleted')


def rollback_node_instance_subgraph(instance, graph, ignore_failure=False):
    """The subgraph that takes an instance back from a state it was left in."""
    steps = _Steps(instance, graph, instance.id)
    nothing = 'nothing to do, instance state is ' + (instance.state or '')
    if _is(instance, 'starting'):
        _stop(steps)
        steps.add(steps.state('configured'))
        steps.add(steps.event('Rollback Delete: ' + nothing))
        steps.add(steps.event('Rollbacked node instance'))
    else:
        steps.add(steps.event('Validating node instance after deletion: nothing to do'))
        steps.add(steps.event('Rollback Stop: ' + nothing))
        if _is(instance, 'creating', 'configuring'):
            _remove(steps)
            steps.add(steps.state('uninitialized'))
            steps.add(steps.event('Rollbacked node instance'))
        else:
            steps.add(steps.event('Rollback Delete: ' + nothing))
    subgraph = steps.done()
    if ignore_failure:
        _ignore_failures(subgraph, instance)
    return subgraph


def reinstall_node_instance_subgraph(instance, graph):
    """The subgraph that takes an instance down and brings it up again."""
    steps = _Steps(instance, graph, 'reinstall_' + instance.id)
    known = instance._node_instance['state']
    # What it was in is history: all of it goes down and comes up.
    instance._node_instance['state'] = ''
    steps.add(steps.event('Node lifecycle failed. Attempting to re-run node lifecycle'))
    _down(steps)
    instance._node_instance['state'] = ''
    _up(steps)
    instance._node_instance['state'] = known
    subgraph = steps.done()
    if subgraph.total_retries != 0:
        subgraph.on_failure = _SubgraphOnFailure(instance)
    return subgraph


def _single(instance, graph, prefix, operations, before, after):
    steps = _Steps(instance, graph, prefix + instance.id)
    tasks = [steps.operation(name) for name in ([operations] if isinstance(operations, str) else operations)]
    tasks = [task for task in tasks if task is not None]
    if tasks:
        steps.add(steps.event(before))
        for task in tasks:
            steps.add(task)
        steps.add(steps.event(after))
    return steps.done()


def _install_method(node):
    if 'install_agent' in node.properties:
        if node.properties['install_agent'] is False:
            return 'none'
        if node.properties['install_agent'] is True:
            return 'remote'
    return (node.properties.get('agent_config') or {}).get('install_method') or 'none'


def _host_started(steps):
    task = steps.operation('cloudify.interfaces.host.get_state')
    if task is not None:
        task.on_success = _node_get_state_handler
    steps.add(task)
    method = _install_method(steps.instance.node)
    if method != 'none':
        steps.framed(_AGENT + 'create', 'Creating agent', 'Agent created')
        if method in ('plugin', 'init_script'):
            steps.framed(_AGENT + 'start', 'Waiting for agent to start', 'Agent started')
    steps.add(steps.operation(_MONITORING_AGENT + 'install'))
    steps.add(steps.operation(_MONITORING_AGENT + 'start'))


def _host_stopping(steps):
    steps.add(steps.operation(_MONITORING_AGENT + 'stop'))
    steps.add(steps.operation(_MONITORING_AGENT + 'uninstall'))
    method = _install_method(steps.instance.node)
    if method != 'none':
        steps.framed(_AGENT + ('stop' if method == 'remote' else 'stop_amqp'), 'Stopping agent')
        steps.framed(_AGENT + 'delete', 'Deleting agent', 'Agent deleted')


def _node_get_state_handler(task):
    """Asks again until the host says that it has started."""
    if task.async_result.result:
        return HandlerResult.cont()
    return HandlerResult.retry(ignore_total_retries=True)


class _SendNodeEventHandler(object):
    """Goes on after a failure, and tells of it."""

    always_ignores = True

    def __init__(self, instance=None, instance_id=None):
        self.instance_id = instance.id if instance is not None else instance_id

    def dump(self):
        return {'instance_id': self.instance_id}

    def __call__(self, task):
        result = HandlerResult.ignore()
        result.events = [{'node_instance_id': self.instance_id, 'event': 'Ignoring task {0} failure'.format(task.name)}]
        return result


def set_send_node_event_on_error_handler(task, instance):
    task.on_failure = _SendNodeEventHandler(instance)


def _ignore_failures(subgraph, instance):
    for task in subgraph.tasks.values():
        if task.is_subgraph:
            _ignore_failures(task, instance)
        elif task.kind in ('RemoteWorkflowTask', 'DryRunLocalWorkflowTask'):
            set_send_node_event_on_error_handler(task, instance)


def ignore_subgraph_on_task_failure(subgraph):
    """Lets a subgraph go on whatever of it fails."""
    for task in subgraph.tasks.values():
        if task.is_subgraph:
            ignore_subgraph_on_task_failure(task)
        else:
            task.on_failure = _ignore_task_failure


def _ignore_task_failure(task):
    return HandlerResult.ignore()


_ignore_task_failure.always_ignores = True


class _SubgraphOnFailure(object):
    """Puts a new subgraph in the place of one that failed, while retries are left."""

    def __init__(self, instance=None, on_retry='reinstall', instance_id=None):
        self.instance_id = instance.id if instance is not None else instance_id
        self.on_retry = on_retry

    def dump(self):
        return {'instance_id': self.instance_id, 'on_retry': self.on_retry}

    def __call__(self, subgraph):
        instance = workflow_ctx.get_node_instance(self.instance_id)
        total = subgraph.total_retries
        if instance is None or (total != -1 and subgraph.current_retries >= total):
            return HandlerResult.fail()
        result = HandlerResult.retry()
        if self.on_retry == 'reinstall':
            result.retried_task = reinstall_node_instance_subgraph(instance, subgraph.graph)
        elif self.on_retry == 'uninstall':
            known, instance._node_instance['state'] = instance._node_instance['state'], ''
            result.retried_task = uninstall_node_instance_subgraph(instance, subgraph.graph)
            instance._node_instance['state'] = known
        else:
            raise exceptions.NonRecoverableError('subgraph {0} on_failure: unknown action: {1}'.format(subgraph, self.on_retry))
        result.retried_task.on_failure = self
        return result
