"""Waiting for what runs on other deployments."""
import logging
import time

from cloudify import ctx
from cloudify.exceptions import NonRecoverableError
from cloudify.models_states import ExecutionState

TIMEOUT = 1800  # seconds
INTERVAL = 1  # seconds
_FIRST_PAUSE = 0.05  # seconds; short work is not waited for longer than it takes
_PAGE = 1000

_UNDER_WAY = ExecutionState.IN_PROGRESS_STATES + [ExecutionState.QUEUED]


def until(holds, timeout, interval=INTERVAL):
    """Whether holds() became true within timeout seconds, where -1 is without an
    end. The pauses between grow up to interval seconds."""
    end = float('inf') if timeout == -1 else time.monotonic() + timeout
    pause = min(_FIRST_PAUSE, interval)
    while not holds():
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(2 * pause, interval)
    return True


def under_way(client, deployment_id, **filters):
    """At most one execution of the deployment that is under way or queued."""
    return client.executions.list(
        deployment_id=deployment_id, status=_UNDER_WAY, include_system_workflows=True, _include=['id'], _size=1, **filters)


def is_idle(client, deployment_id):
    """Whether no execution of the deployment is under way or queued."""
    return not under_way(client, deployment_id)


def until_idle(client, deployment_id, timeout):
    """Waits until nothing runs there; an error if that takes too long."""
    if not until(lambda: is_idle(client, deployment_id), timeout):
        raise NonRecoverableError('Executions of the deployment "{0}" did not end within {1} seconds.'.format(
            deployment_id, timeout))


class Run(object):
    """An execution of another deployment that an operation waits for.

    instance is whose runtime properties tell how many of its events were passed
    on, which outlasts an operation that is run again.
    """

    def __init__(self, client, execution_id, instance, with_logs=True):
        self._client = client
        self._id = execution_id
        self._instance = instance
        self._with_logs = with_logs

    def wait(self, timeout=TIMEOUT, interval=INTERVAL, state=ExecutionState.TERMINATED):
        """Waits until the execution is in the state; an error if it ends in another."""
        if not until(lambda: self._is_at(state), timeout, interval):
            raise NonRecoverableError('Execution timed out after: {0} seconds.'.format(timeout))

    def _is_at(self, state):
        execution = self._client.executions.get(self._id, _include=['id', 'status', 'workflow_id', 'error'])
        if self._with_logs:
            self._pass_on()
        status = execution['status']
        if status == state:
            return True
        if status == ExecutionState.CANCELLED and _is_cancelled():
            return True  # together with the one that waits
        if status in ExecutionState.END_STATES:
            text = 'Execution {0} of the workflow {1} is {2}'.format(self._id, execution['workflow_id'], status)
            raise NonRecoverableError('{0}: {1}'.format(text, execution['error']) if execution.get('error') else text + '.')
        return False

    def _pass_on(self):
        """Logs what has happened there since the last time."""
        received = dict(self._instance.runtime_properties.get('received_events') or {})
        seen = begun = int(received.get(self._id, 0))
        while True:
            page = self._client.events.list(
                execution_id=self._id, include_logs=True, sort='timestamp', _offset=seen, _size=_PAGE)
            for event in page:
                ctx.logger.log(_level(event), '%s %s%s', event.get('reported_timestamp', ''), _place(event),
                               event.get('message', ''))
            seen += len(page)
            if len(page) < _PAGE:
                break
        if seen > begun:
            received[self._id] = seen
            self._instance.runtime_properties['received_events'] = received


def _level(event):
    level = logging.getLevelName((event.get('level') or 'info').upper())
    return level if isinstance(level, int) else logging.INFO


def _place(event):
    place = event.get('node_instance_id')
    if not place:
        return ''
    if event.get('operation'):
        place += '.' + event['operation'].split('.')[-1]
    return '[{0}] '.format(place)


def _is_cancelled():
    return ctx.get_execution().status in (
        ExecutionState.CANCELLED, ExecutionState.CANCELLING, ExecutionState.FORCE_CANCELLING,
        ExecutionState.KILL_CANCELLING)
