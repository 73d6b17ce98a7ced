"""The operations of agents on a manager that has none.

A host whose type asks for an agent can't have one: its operations run on the
manager, which its blueprint has to say. There is nothing to take away again.
"""
from cloudify import exceptions

MODULES = ('cloudify_agent.installer.operations', 'cloudify_agent.operations')


def _refuse(ctx=None, **_):
    raise exceptions.NonRecoverableError(
        'this manager installs no agents: write agent_config: {install_method: none} among the properties of the node'
        '%s, whose operations then run on the manager' % (' ' + ctx.node.id if ctx is not None else ''))


def _nothing(ctx=None, **_):
    if ctx is not None:
        ctx.logger.info('There is no agent: nothing to do')


_nothing.resumable = _refuse.resumable = True


def operation(name):
    """The operation of that name, in any module of the plugin agent."""
    return _nothing if name in ('stop', 'delete') else _refuse
