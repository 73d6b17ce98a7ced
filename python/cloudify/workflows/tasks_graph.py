"""Graphs of tasks. They are built here and run by the orchestrator."""
from __future__ import annotations

import functools
from typing import List, Optional

from cloudify import _gaps, state
from cloudify.workflows import tasks, workflow_api

__getattr__ = _gaps.filler(__name__)


def make_or_get_graph(function):
    """Makes function's graph once for an execution: a resumed one finds it again.

    The name of the graph is given as the keyword name, which the function does
    not get. It may be a method.
    """
    @functools.wraps(function)
    def make(*args, **kwargs):
        name = kwargs.pop('name')
        ctx = state.current_workflow_ctx.get_ctx()
        if ctx.dry_run:
            return function(*args, **kwargs)
        stored = ctx._recall('stored graph ' + name)
        if stored is not None:
            return TaskDependencyGraph._rebuilt(ctx, name, stored)
        graph = function(*args, **kwargs)
        graph.store(name)
        return graph
    return make


class forkjoin(object):
    """Tasks of a sequence that run side by side."""

    def __init__(self, *tasks):
        self.tasks = tasks


class TaskSequence(object):
    """Tasks one after the other, in a graph or a subgraph."""

    def __init__(self, graph):
        self.graph = graph
        self.last_fork_join_tasks = None

    def add(self, *items):
        for item in items:
            together = item.tasks if isinstance(item, forkjoin) else [item]
            for task in together:
                self.graph.add_task(task)
                for before in self.last_fork_join_tasks or ():
                    self.graph.add_dependency(task, before)
            if together:
                self.last_fork_join_tasks = list(together)


class TaskDependencyGraph(object):
    """Tasks and which of them wait for which."""

    def __init__(self, workflow_context, graph_id=None, default_subgraph_task_config=None):
        self.ctx = workflow_context
        self.id = graph_id
        self.default_subgraph_task_config = default_subgraph_task_config or {}
        self._tasks = {}
        self._waits = {}
        self._name = None
        self._described = None
        self._runs = False

    @property
    def tasks(self) -> List[tasks.WorkflowTask]:
        """The tasks that have not run."""
        return list(self._tasks.values())

    def add_task(self, task: tasks.WorkflowTask) -> None:
        """Adds a task. It runs as soon as all that it depends on have ended.

        A handler may add tasks to the graph that is running.
        """
        if task.id not in self._tasks:
            self._tasks[task.id] = task
            self._waits[task.id] = {}

    def get_task(self, task_id: str) -> Optional[tasks.WorkflowTask]:
        """The task of that id, or None."""
        return self._tasks.get(task_id)

    def remove_task(self, task: tasks.WorkflowTask) -> None:
        """Removes a task, and the members of a subgraph with it.

        Of a graph that is running nothing can be taken out but what belongs to a
        subgraph that has ended.
        """
        if self._runs and task.id in self._tasks and not _ended(task):
            raise RuntimeError('{0} cannot be taken out of a graph that is running'.format(task))
        if task.is_subgraph:
            for member in list(task.tasks.values()):
                self.remove_task(member)
        if task.containing_subgraph is not None:
            task.containing_subgraph.tasks.pop(task.id, None)
        self._tasks.pop(task.id, None)
        self._waits.pop(task.id, None)
        for waits in self._waits.values():
            waits.pop(task.id, None)

    def add_dependency(self, src_task: tasks.WorkflowTask, dst_task: tasks.WorkflowTask) -> None:
        """Makes src_task wait for dst_task."""
        if src_task == dst_task:
            return
        for task, role in ((src_task, 'src'), (dst_task, 'dst')):
            if task.id not in self._tasks:
                raise RuntimeError('{0} not in graph: {1}'.format(role, task))
        self._waits[src_task.id][dst_task.id] = dst_task

    def remove_dependency(self, src_task: tasks.WorkflowTask, dst_task: tasks.WorkflowTask) -> None:
        """Makes src_task not wait for dst_task any more, in a graph that is not running."""
        if self._runs:
            raise RuntimeError('a dependency cannot be taken out of a graph that is running')
        for task, role in ((src_task, 'src'), (dst_task, 'dst')):
            if task.id not in self._tasks:
                raise RuntimeError('{0} not in graph: {1}'.format(role, task))
        self._waits[src_task.id].pop(dst_task.id, None)

    def sequence(self) -> TaskSequence:
        """A sequence of tasks in the graph."""
        return TaskSequence(self)

    def subgraph(self, name: str) -> 'SubgraphTask':
        """Adds a subgraph, which is a task and a graph by itself."""
        task = SubgraphTask(self, info={'name': name} if not isinstance(name, dict) else name,
                            **self.default_subgraph_task_config)
        self.add_task(task)
        return task

    def optimize(self) -> None:
        """The orchestrator drops tasks that do nothing; nothing is to be done here."""

    def linearize(self) -> List[tasks.WorkflowTask]:
        """The tasks in an order in which they can run."""
        done, order = set(), []
        while len(order) < len(self._tasks):
            ready = [task for id, task in self._tasks.items()
                     if id not in done and all(wait in done for wait in self._waits[id])]
            if not ready:
                raise RuntimeError('tasks of the graph wait for each other')
            order.extend(ready)
            done.update(task.id for task in ready)
        return order

    def store(self, name: str, optimize: bool = True) -> None:
        """Keeps the graph under a name for the time that the execution is resumed."""
        self._name = name
        if not self.ctx.dry_run:
            self._described = self._describe(store=True)
            self.ctx._keep('stored graph ' + name, self._described)

    def execute(self) -> None:
        """Runs the graph to its end and leaves it empty.

        Raises WorkflowFailed if a task failed that nobody took care of, and
        ExecutionCancelled if the execution is being cancelled. After a failure
        tasks that do not depend on it go on for ctx.wait_after_fail seconds.
        A handler of one of its tasks may add tasks to the graph; they run when it
        has returned, so it can't wait for them here.
        """
        if self._runs:
            raise RuntimeError('this graph is being executed: tasks that a handler adds to it run when the handler has returned')
        if not self._tasks:
            if workflow_api.has_cancel_request():
                raise workflow_api.ExecutionCancelled()
            return
        self._runs = True
        try:
            self.ctx._execute_graph(self, self._name)
        finally:  # what has run is done; the graph may be filled and run again
            self._tasks, self._waits, self._name, self._runs = {}, {}, None, False

    def _describe(self, store=False, only=None, places=None):
        """The graph as the orchestrator is told of it.

        Tasks refer to each other by their places: indices, unless others are given.
        """
        chosen = self.tasks if only is None else only
        at = places or {task.id: index for index, task in enumerate(chosen)}
        described = []
        for task in chosen:
            entry = task._describe(self._name, store)
            container = task.containing_subgraph
            entry['container'] = at[container.id] if container is not None and container.id in at else None
            entry['waits'] = [at[id] for id in self._waits[task.id] if id in at and not (
                container is not None and id == container.id)]
            described.append(entry)
        return described

    @classmethod
    def _rebuilt(cls, ctx, name, described):
        graph = cls(ctx, default_subgraph_task_config=ctx.internal.get_subgraph_task_configuration())
        graph._name, graph._described = name, described
        made = []
        for entry in described:
            if entry['kind'] == SubgraphTask.kind:
                task = SubgraphTask(graph, info={'name': entry['name']}, total_retries=entry['total_retries'])
                for which in ('on_success', 'on_failure'):
                    if entry.get(which):
                        setattr(task, which, tasks.handler_at(entry[which]['stored']))
            else:
                task = tasks.StoredTask(ctx, entry)
            made.append(task)
            graph.add_task(task)
        for entry, task in zip(described, made):
            if entry['container'] is not None:
                made[entry['container']].add_task(task)
            for index in entry['waits']:
                graph.add_dependency(task, made[index])
        return graph


def _ended(task):
    """Tells whether a task has ended, or a subgraph that it belongs to."""
    return task.is_terminated or task.containing_subgraph is not None and _ended(task.containing_subgraph)


class SubgraphTask(tasks.WorkflowTask):
    """A part of a graph that is a task itself.

    It starts like a task, and then its members may. It ends well when all of
    them have, and fails with the first of them that does; failed_task is that.
    """

    kind = 'SubgraphTask'

    def __init__(self, graph, workflow_context=None, task_id=None, total_retries=tasks.DEFAULT_SUBGRAPH_TOTAL_RETRIES,
                 info=None, on_success=None, on_failure=None, retry_interval=tasks.DEFAULT_RETRY_INTERVAL,
                 send_task_events=tasks.DEFAULT_SEND_TASK_EVENTS, **_):
        super(SubgraphTask, self).__init__(
            graph.ctx, task_id, info, on_success, on_failure, total_retries, retry_interval,
            send_task_events=send_task_events)
        self.graph = graph
        self.tasks = {}
        self.failed_task = None

    @property
    def name(self):
        name = self.info.get('name') if isinstance(self.info, dict) else self.info
        return name or self.id

    @property
    def is_subgraph(self):
        return True

    def is_nop(self):
        return all(task.is_nop() for task in self.tasks.values())

    def sequence(self):
        return TaskSequence(self)

    def subgraph(self, name):
        task = SubgraphTask(self.graph, info={'name': name}, **self.graph.default_subgraph_task_config)
        self.add_task(task)
        return task

    def add_task(self, task):
        self.graph.add_task(task)
        if task.containing_subgraph is not None and task.containing_subgraph is not self:
            raise RuntimeError('task {0}[{1}] cannot be added to multiple subgraphs'.format(task, task.id))
        task.containing_subgraph = self
        self.tasks[task.id] = task
        self.graph.add_dependency(task, self)

    def remove_task(self, task):
        self.graph.remove_task(task)

    def add_dependency(self, src_task, dst_task):
        self.graph.add_dependency(src_task, dst_task)

    def _describe(self, name, store):
        described = super(SubgraphTask, self)._describe(name, store)
        described['info'] = self.name
        return described
