"""The built-in workflows, for workflows to call as functions.

The orchestrator runs them as a part of the workflow that calls them.
"""
from cloudify import _gaps
from cloudify.decorators import workflow

__getattr__ = _gaps.filler(__name__)


def _builtin(name, positional=()):
    @workflow(resumable=True)
    def run(ctx=None, *args, **parameters):
        parameters.update(zip(positional, args))
        ctx._run_builtin(name, parameters)
    run.__name__ = run.__qualname__ = name
    run.__doc__ = 'Runs the built-in workflow {0} with its parameters.'.format(name)
    return run


_FILTER = ('node_ids', 'node_instance_ids', 'type_names')

install = _builtin('install', _FILTER)
uninstall = _builtin('uninstall', ('ignore_failure',) + _FILTER)
reinstall = _builtin('reinstall', ('ignore_failure',) + _FILTER)
start = _builtin('start', ('operation_parms', 'run_by_dependency_order') + _FILTER[::-1])
stop = _builtin('stop', ('operation_parms', 'run_by_dependency_order') + _FILTER[::-1])
restart = _builtin('restart', ('stop_parms', 'start_parms', 'run_by_dependency_order'))
pull = _builtin('pull', ('operation_parms', 'run_by_dependency_order'))
rollback = _builtin('rollback', _FILTER[::-1])
execute_operation = _builtin('execute_operation', (
    'operation', 'operation_kwargs', 'allow_kwargs_override', 'run_by_dependency_order', 'type_names', 'node_ids',
    'node_instance_ids'))
scale_entity = _builtin('scale_entity', ('scalable_entity_name', 'delta', 'scale_compute'))
scale = _builtin('scale', ('node_id', 'delta', 'scale_compute'))
auto_heal_reinstall_node_subgraph = _builtin('auto_heal_reinstall_node_subgraph')
check_status = _builtin('check_status')
check_drift = _builtin('check_drift')
update = _builtin('update')
install_new_agents = _builtin('install_new_agents')
validate_agents = _builtin('validate_agents', _FILTER[:2])
