"""The tasks that graphs consist of.

The orchestrator runs them: see tasks_graph. Here they are descriptions, with
handlers that are called when they have ended.
"""
import copy
import json
import threading
import uuid
from typing import Optional

from cloudify import _gaps, exceptions, utils
from cloudify.constants import (  # noqa: F401
    TASK_FAILED, TASK_PENDING, TASK_RESCHEDULED, TASK_RESPONSE_SENT, TASK_SENDING, TASK_SENT, TASK_STARTED,
    TASK_SUCCEEDED, TERMINATED_STATES)

__getattr__ = _gaps.filler(__name__)

INFINITE_TOTAL_RETRIES = -1
DEFAULT_TOTAL_RETRIES = INFINITE_TOTAL_RETRIES
DEFAULT_RETRY_INTERVAL = 30
DEFAULT_SUBGRAPH_TOTAL_RETRIES = 0
DEFAULT_SEND_TASK_EVENTS = True


class HandlerResult(object):
    """What a handler wants to happen after a task has ended."""

    HANDLER_RETRY = 'handler_retry'
    HANDLER_FAIL = 'handler_fail'
    HANDLER_IGNORE = 'handler_ignore'
    HANDLER_CONTINUE = 'handler_continue'

    def __init__(self, action, ignore_total_retries=False, retry_after=None, retried_task=None):
        self.action = action
        self.ignore_total_retries = ignore_total_retries
        self.retry_after = retry_after
        # A subgraph that stands in for the one that failed.
        self.retried_task = retried_task

    def __repr__(self):
        return 'HandlerResult({0})'.format(self.action)

    @classmethod
    def retry(cls, ignore_total_retries: bool = False, retry_after: Optional[float] = None) -> 'HandlerResult':
        """Runs the task again, after its interval or the given seconds, if it has retries left."""
        return cls(cls.HANDLER_RETRY, ignore_total_retries, retry_after)

    @classmethod
    def fail(cls) -> 'HandlerResult':
        """Lets the graph, or the subgraph that the task is in, fail."""
        return cls(cls.HANDLER_FAIL)

    @classmethod
    def cont(cls) -> 'HandlerResult':
        """Goes on with what waited for the task."""
        return cls(cls.HANDLER_CONTINUE)

    @classmethod
    def ignore(cls) -> 'HandlerResult':
        """Goes on as if the task had not failed."""
        return cls(cls.HANDLER_IGNORE)


def handler_path(handler):
    """A handler as it is stored: its import path with what dump() gives.

    None if it cannot be found again by that.
    """
    if handler is None:
        return None
    arguments = {}
    target = handler
    if not hasattr(handler, '__qualname__'):
        target = type(handler)
        if hasattr(handler, 'dump'):
            arguments = handler.dump()
    name = getattr(target, '__qualname__', '')
    if '<' in name or not getattr(target, '__module__', None) or target.__module__ == '__main__':
        return None
    try:
        json.dumps(arguments)
    except (TypeError, ValueError):
        return None
    return {'path': '{0}.{1}'.format(target.__module__, name), 'kwargs': arguments}


def handler_at(stored):
    """The handler that was stored so."""
    found = utils.get_func(stored['path'])
    return found(**stored['kwargs']) if isinstance(found, type) else found


class WorkflowTaskResult(object):
    """What becomes of a task."""

    _NOT_SET = object()

    def __init__(self, task):
        self.task = task
        self._result = self._NOT_SET
        self._error = None
        self._taken = False  # somebody has waited for it
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._callbacks = []

    @property
    def result(self):
        """The result, or the error, of a task that has ended; until then a RuntimeError."""
        if self._error is not None:
            return self._error
        if self._result is self._NOT_SET:
            raise RuntimeError('Result not set yet')
        return self._result

    @result.setter
    def result(self, value):
        if self._done.is_set():
            raise RuntimeError('Result already set')
        self._settle(value, None)

    def get(self, retry_on_failure: bool = True):
        """Waits for the end; returns the result or raises the error.

        The orchestrator retries by itself, so retry_on_failure changes nothing.
        """
        self._taken = True
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result

    def on_result(self, function, *args, **kwargs):
        """Calls function(result, *args, **kwargs) when there is a result, or at once.

        What it returns takes the place of the result, unless that is None.
        """
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append((function, args, kwargs))
                return
        function(self.result, *args, **kwargs)

    def _settle(self, result, error):
        self._result, self._error = result, error
        while True:
            with self._lock:
                callbacks, self._callbacks = self._callbacks, []
                if not callbacks:
                    self._done.set()
                    return
            for function, args, kwargs in callbacks:
                other = function(self.result, *args, **kwargs)
                if other is not None and self._error is None:
                    self._result = other


class WorkflowTask(object):
    """A task: something that a graph consists of.

    on_success(task) and on_failure(task) may be set. They are called when it has
    ended and return a HandlerResult; without them a task that failed is tried
    again, or not, as its error and total_retries say. Then task.async_result has
    the result and task.error the error.
    """

    kind = None  # what the orchestrator does with it

    def __init__(self, workflow_context, task_id=None, info=None, on_success=None, on_failure=None,
                 total_retries=DEFAULT_TOTAL_RETRIES, retry_interval=DEFAULT_RETRY_INTERVAL, timeout=None,
                 timeout_recoverable=None, send_task_events=DEFAULT_SEND_TASK_EVENTS, **_):
        self.id = task_id or str(uuid.uuid4())
        self.workflow_context = workflow_context
        self.info = info
        self.on_success = on_success
        self.on_failure = on_failure
        self.total_retries = total_retries
        self.retry_interval = retry_interval
        self.timeout = timeout
        self.timeout_recoverable = timeout_recoverable
        self.send_task_events = send_task_events
        self.current_retries = 0
        self.execute_after = None  # seconds since 1970
        self.retried_task = None
        self.containing_subgraph = None
        self.error = None
        self.stored = False
        self.async_result = WorkflowTaskResult(self)
        self._state = TASK_PENDING

    def __hash__(self):
        return hash(self.id)

    def __eq__(self, other):
        return self.id == (other.id if isinstance(other, WorkflowTask) else other)

    def __repr__(self):
        return '<{0} {1} {2}>'.format(type(self).__name__, self.id, self.name)

    def __str__(self):
        return self.info or self.name

    @property
    def task_type(self) -> str:
        """The kind of task."""
        return type(self).__name__

    @property
    def name(self) -> str:
        """What the events call it."""
        return type(self).__name__

    @property
    def short_description(self) -> str:
        """The task and what it acts on, for errors."""
        return self.name

    @property
    def cloudify_context(self) -> dict:
        """What an operation will see of whom it runs for."""
        return {}

    @property
    def is_subgraph(self) -> bool:
        """Tells whether it is a graph itself."""
        return False

    @property
    def is_terminated(self) -> bool:
        """Tells whether it has ended."""
        return self._state in TERMINATED_STATES

    def is_nop(self) -> bool:
        """Tells whether there is nothing to do."""
        return False

    def is_local(self) -> bool:
        """Tells whether it is no operation of a plugin."""
        return True

    def is_remote(self) -> bool:
        """Tells whether it is an operation of a plugin."""
        return not self.is_local()

    def get_state(self) -> str:
        """Its state, as far as the workflow has been told: see the TASK_ constants."""
        return self._state

    def set_state(self, state, result=None, exception=None):
        """Notes a state; the first one that ends the task stays."""
        if state not in (TASK_PENDING, TASK_SENDING, TASK_SENT, TASK_STARTED, TASK_RESPONSE_SENT) + tuple(TERMINATED_STATES):
            raise RuntimeError('Illegal state set on task: {0} [task={1}]'.format(state, self))
        if not self.is_terminated:
            self._state = state

    def apply_async(self) -> WorkflowTaskResult:
        """Runs the task by itself, at once."""
        return self.workflow_context._run_alone(self)

    def duplicate_for_retry(self, execute_after=None):
        """The task once more, as a handler may give it in HandlerResult.retried_task.

        execute_after is when to run it, in seconds since 1970.
        """
        again = copy.copy(self)
        again.id = str(uuid.uuid4())
        again.current_retries = self.current_retries + 1
        again.retried_task = self.id
        again.execute_after = execute_after
        again.error, again._state = None, TASK_PENDING
        again.async_result = WorkflowTaskResult(again)
        return again

    @property
    def dependency_error(self) -> bool:
        """Tells whether the task will not run because what it depends on has failed.

        The orchestrator knows; such a task stays pending.
        """
        return False

    def dump(self) -> dict:
        """What is kept of the task."""
        return dict(self._describe(None, False), id=self.id, type=self.task_type)

    def _payload(self):
        return {}

    def _describe(self, name, store):
        """The task as the orchestrator is told of it."""
        described = {
            'kind': self.kind, 'name': self.name, 'info': self.info or '', 'total_retries': self.total_retries,
            'retry_interval': self.retry_interval, 'send_events': self.send_task_events, 'payload': self._payload(),
        }
        for which in ('on_success', 'on_failure'):
            handler = getattr(self, which)
            if handler is None:
                continue
            stored = handler_path(handler)
            if stored is None and store:
                raise exceptions.NonRecoverableError(
                    'the handler {0!r} of {1} cannot be stored: it must be a function of a module, or an object '
                    'of a class of a module'.format(handler, self))
            described[which] = {'stored': stored, 'ignores': bool(getattr(handler, 'always_ignores', False))}
        return described


class RemoteWorkflowTask(WorkflowTask):
    """An operation of a plugin."""

    kind = 'RemoteWorkflowTask'

    def __init__(self, kwargs, cloudify_context, workflow_context, task_id=None, task_queue=None, task_target=None,
                 **options):
        super(RemoteWorkflowTask, self).__init__(workflow_context, task_id, **options)
        self._kwargs = kwargs
        self._context = cloudify_context
        self.queue = task_queue
        self.target = task_target

    @property
    def name(self):
        return self._context['task_name']

    @property
    def kwargs(self):
        return dict(self._kwargs, __cloudify_context=self._context)

    @property
    def cloudify_context(self):
        return self._context

    @property
    def short_description(self):
        return '{0} ({1}:{2})'.format(
            self.name, self._context.get('node_id') or '<unknown node>',
            (self._context.get('operation') or {}).get('name') or '<unknown operation>')

    def is_local(self):
        return False

    def _payload(self):
        c = self._context
        payload = {
            'operation': c['operation']['name'], 'plugin': c['plugin']['name'], 'implementation': c['task_name'],
            'executor': c.get('executor') or '', 'inputs': self._kwargs, 'node_id': c['node_id'],
            'has_intrinsic_functions': bool(c.get('has_intrinsic_functions')), 'node_name': c['node_name'],
            'timeout_recoverable': bool(self.timeout_recoverable),
        }
        if self.timeout:
            payload['timeout'] = self.timeout
        if c.get('related'):
            payload['related'] = c['related']
        return payload


class LocalWorkflowTask(WorkflowTask):
    """A function that runs in the workflow's process."""

    kind = 'local'

    def __init__(self, local_task, workflow_context, node=None, info=None, total_retries=DEFAULT_TOTAL_RETRIES,
                 retry_interval=DEFAULT_RETRY_INTERVAL, send_task_events=DEFAULT_SEND_TASK_EVENTS, kwargs=None,
                 task_id=None, name=None, **options):
        super(LocalWorkflowTask, self).__init__(
            workflow_context, task_id, info, total_retries=total_retries, retry_interval=retry_interval,
            send_task_events=send_task_events, **options)
        self.local_task = local_task
        self.node = node
        self.kwargs = kwargs or {}
        self._name = name or getattr(local_task, '__name__', None) or type(local_task).__name__

    @property
    def name(self):
        return self._name

    def _payload(self):
        return {'node_id': getattr(self.node, 'id', '') if hasattr(self.node, 'node_id') else '',
                'node_name': getattr(self.node, 'node_id', '')}

    def run(self):
        return self.local_task(**self.kwargs)


class NOPLocalWorkflowTask(WorkflowTask):
    """What an operation is that is mapped to nothing."""

    kind = 'NOPLocalWorkflowTask'

    @property
    def name(self):
        return 'NOP'

    def is_nop(self):
        return self.on_success is None and self.on_failure is None


class DryRunLocalWorkflowTask(RemoteWorkflowTask):
    """An operation that a dry run leaves out."""

    kind = 'DryRunLocalWorkflowTask'

    def is_local(self):
        return True


class _BuiltinTask(WorkflowTask):

    def __init__(self, workflow_context, **options):
        options['total_retries'] = 0
        super(_BuiltinTask, self).__init__(workflow_context, **options)
        self._values = {}

    @property
    def kwargs(self) -> dict:
        """What the task does it with."""
        return dict(self._values)


class SetNodeInstanceStateTask(_BuiltinTask):
    """Gives a node instance a state."""

    kind = 'SetNodeInstanceStateTask'

    def __init__(self, node_instance_id, state, workflow_context=None, **options):
        super(SetNodeInstanceStateTask, self).__init__(workflow_context, **options)
        self._values = {'node_instance_id': node_instance_id, 'state': state}

    def _payload(self):
        return self._values


class UpdateExecutionStatusTask(_BuiltinTask):
    """The status of an execution is the orchestrator's; this does nothing."""

    kind = 'NOPLocalWorkflowTask'

    def __init__(self, status=None, workflow_context=None, **options):
        super(UpdateExecutionStatusTask, self).__init__(workflow_context, **options)
        self._values = {'status': status}


class SendNodeEventTask(_BuiltinTask):
    """Tells something of a node instance."""

    kind = 'SendNodeEventTask'

    def __init__(self, node_instance_id, event, additional_context=None, workflow_context=None, **options):
        super(SendNodeEventTask, self).__init__(workflow_context, **options)
        self._values = {'node_instance_id': node_instance_id, 'event': str(event)}

    def _payload(self):
        return self._values


class SendWorkflowEventTask(_BuiltinTask):
    """Tells something of the workflow."""

    kind = 'SendWorkflowEventTask'

    def __init__(self, event, event_type, event_args=None, additional_context=None, workflow_context=None, **options):
        super(SendWorkflowEventTask, self).__init__(workflow_context, **options)
        self._values = {'event': str(event), 'event_type': event_type}

    def _payload(self):
        return self._values


class GetNodeInstanceStateTask(LocalWorkflowTask):
    """Reads the state of a node instance."""

    def __init__(self, node_instance_id, workflow_context=None, **options):
        super(GetNodeInstanceStateTask, self).__init__(
            lambda: workflow_context._state_of(node_instance_id), workflow_context, total_retries=0,
            send_task_events=False, name='GetNodeInstanceStateTask')


class StoredTask(WorkflowTask):
    """A task of a graph that was stored, as it was described then."""

    def __init__(self, workflow_context, described, **options):
        super(StoredTask, self).__init__(
            workflow_context, info=described['info'], total_retries=described['total_retries'],
            retry_interval=described['retry_interval'], send_task_events=described['send_events'])
        self.kind = described['kind']
        self._stored_name = described['name']
        self._values = described['payload']
        for which in ('on_success', 'on_failure'):
            if described.get(which):
                setattr(self, which, handler_at(described[which]['stored']))

    @property
    def name(self):
        return self._stored_name

    @property
    def cloudify_context(self):
        values = self._values or {}
        return {'node_id': values.get('node_id'), 'node_name': values.get('node_name'), 'task_name': self.name,
                'operation': {'name': values.get('operation')}, 'plugin': {'name': values.get('plugin')}}

    def is_local(self):
        return self.kind != RemoteWorkflowTask.kind

    def _payload(self):
        return self._values
