"""Marks for functions that are operations or workflows."""
import functools

from cloudify import _gaps, exceptions
from cloudify.state import current_ctx

__getattr__ = _gaps.filler(__name__)


def operation(func=None, resumable=False, **_):
    """Marks an operation; resumable: it may run again after an interruption."""
    if func is None:
        return lambda function: operation(function, resumable=resumable)
    func.resumable = resumable
    return func


def workflow(func=None, system_wide=False, resumable=False, **_):
    """Marks a workflow."""
    if func is None:
        return lambda function: workflow(function, system_wide=system_wide, resumable=resumable)
    func.workflow_system_wide = system_wide
    func.resumable = resumable
    return func


def serial_operation(threshold=0, workflows=None, states=None, resumable=False, **_):
    """An operation that the instances of its node run one after the other.

    It applies in the named workflows (install). An instance waits until all
    with a lower index are in one of the states (started). With a threshold,
    instances wait only once so many of them are.
    """
    workflows = workflows or ['install']
    states = states or ['started']

    def mark(function):
        @functools.wraps(function)
        def in_turn(*args, **kwargs):
            ctx = kwargs.get('ctx') or current_ctx.get_ctx()
            if ctx.workflow_id in workflows:
                _wait_for_turn(ctx, threshold, states)
            return function(*args, **kwargs)
        in_turn.resumable = resumable
        return in_turn
    return mark


def _wait_for_turn(ctx, threshold, states):
    from cloudify import manager
    instances = manager.get_rest_client().node_instances.list(deployment_id=ctx.deployment.id, node_id=ctx.node.id)
    ready = sum(1 for instance in instances if instance['state'] in states)
    if threshold and ready < threshold:
        return
    before = [(i['id'], i['state']) for i in instances if i['index'] < ctx.instance.index]
    if any(state not in states for _, state in before):
        raise exceptions.CloudifySerializationRetry(
            'Serial Cloudify Operation. Waiting for the following node instances to be ready: {0}.'.format(before))


task = operation
