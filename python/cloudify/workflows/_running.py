"""Graphs that run, and what becomes of their tasks."""
import uuid

from cloudify import exceptions
from cloudify.workflows import tasks, workflow_api

_NAMESPACE = uuid.UUID('8d6d2a4e-6d5c-4a55-9d8e-0f1c3b2a7e90')


class Run(object):
    """A graph that is being run."""

    def __init__(self, ctx, graph, name):
        self.graph = graph
        self.by_key = {}
        self._keys = {}
        for index, task in enumerate(graph.tasks):
            # The same graph of the same execution gets the same ids again.
            self._add(task, str(uuid.uuid5(_NAMESPACE, '{0}/{1}/{2}'.format(ctx.execution_id, name, index))))

    def _add(self, task, key):
        self._keys[task.id] = key
        self.by_key[key] = task

    def key(self, task):
        """The id that the orchestrator knows the task by."""
        return self._keys[task.id]

    def describe_added(self):
        """Describes what has come into the graph since the orchestrator was told last."""
        fresh = [task for task in self.graph.tasks if task.id not in self._keys]
        if not fresh:
            return []
        at = {task.id: index for index, task in enumerate(fresh)}
        known = dict(self._keys)
        described = self.graph._describe(only=fresh, places=dict(known, **at))
        for entry, task in zip(described, fresh):
            entry['key'] = task.id
            entry['awaited'] = [known[waiting] for waiting, waits in self.graph._waits.items()
                                if waiting in known and task.id in waits]
            self._add(task, task.id)
        return described

    def note(self, ended):
        """Notes the results of tasks that have ended well."""
        for key, result in ended.items():
            task = self.by_key.get(key)
            if task is not None:
                task.set_state(tasks.TASK_SUCCEEDED)
                task.async_result._result = result

    def settle(self, ended):
        """Tells the tasks what became of them; raises what became of the graph."""
        results = ended.get('results') or {}
        failures = ended.get('failures') or {}
        for key, task in self.by_key.items():
            if key in failures:
                task.set_state(tasks.TASK_FAILED)
                task.error = failures[key]
                task.async_result._settle(None, error_of(failures[key]))
            elif ended['outcome'] == 'succeeded' or key in results:
                task.set_state(tasks.TASK_SUCCEEDED)
                task.async_result._settle(results.get(key), None)
            elif ended['outcome'] == 'cancelled':
                task.async_result._settle(None, workflow_api.ExecutionCancelled())
            else:
                task.async_result._settle(None, RuntimeError('{0} did not run: what it depends on has failed'.format(task)))
        raise_failure(ended)


def error_of(failure):
    """A failure of an operation as the exception that it means."""
    message = failure.get('message') or ''
    if failure.get('verdict') == 'non_recoverable':
        return exceptions.NonRecoverableError(message)
    if failure.get('verdict') == 'reschedule':
        return exceptions.OperationRetry(message)
    return exceptions.RecoverableError(message)


def raise_failure(ended):
    """Raises what a graph has ended with, if that is not success."""
    if ended['outcome'] == 'cancelled':
        raise workflow_api.ExecutionCancelled()
    if ended['outcome'] == 'failed':
        error = exceptions.WorkflowFailed(ended['error'], hide_traceback=True)
        error.outcome = ended['token']
        raise error
