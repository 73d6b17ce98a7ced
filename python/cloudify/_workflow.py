"""Runs one workflow, in a child of a worker."""
import json
import os
import sys
import tempfile
import time

from cloudify import _duplex, _script, exceptions, state, utils
from cloudify.workflows import _running, tasks, workflow_api, workflow_context

_THREADS = workflow_context.DEFAULT_LOCAL_TASK_THREAD_POOL_SIZE
_SCRIPT = 'script_runner.tasks.execute_workflow'


class _Server(object):
    """Answers what the orchestrator asks while the workflow runs."""

    def __init__(self):
        self.ctx = None

    def __call__(self, method, params):
        if method == 'cancel':
            (workflow_api.set_kill_request if params.get('kill') else workflow_api.set_cancel_request)()
            return None
        with state.current_workflow_ctx.push(self.ctx, self.ctx.parameters):
            return getattr(self, '_' + method)(params)

    def _local(self, params):
        """Performs a task of the workflow itself."""
        task = self.ctx._task(params['task'])
        if not isinstance(task, tasks.LocalWorkflowTask):
            return None  # it was stored, but what it does was not
        return task.run()

    def _handler(self, params):
        """Asks a task's handler what follows from its end."""
        run = self.ctx._run_of(params['task'])
        task = None if run is None else run.by_key[params['task']]
        if run is not None:
            run.note(params['ended'])
        which = params['which']
        stored = params.get('stored')
        handler = None
        if task is not None and task.name == params['name']:
            handler = getattr(task, which)
        if handler is None and stored:
            handler = tasks.handler_at(stored)
        if handler is None:
            return {'action': 'continue' if which == 'on_success' else 'fail'}
        if task is None:
            task = tasks.StoredTask(self.ctx, dict(params['described'], on_success=None, on_failure=None))
        task._state = params['state']
        task.current_retries = params['retries']
        task.error = params.get('error')
        result = params.get('result')
        task.async_result._result = result
        task.async_result._error = _running.error_of(task.error) if task.error else None
        if task.is_subgraph:
            task.failed_task = self.ctx._task(params.get('failed') or '')
        return self._decision(handler(task), task, run)

    def _decision(self, result, task, run):
        if result is None:
            result = tasks.HandlerResult.cont()
        answer = {
            'action': {
                tasks.HandlerResult.HANDLER_CONTINUE: 'continue', tasks.HandlerResult.HANDLER_IGNORE: 'continue',
                tasks.HandlerResult.HANDLER_RETRY: 'retry',
            }.get(result.action, 'fail'),
            'ignore_total': bool(result.ignore_total_retries), 'retry_after': result.retry_after,
            'events': getattr(result, 'events', None) or [],
        }
        replaced = result.retried_task
        if replaced is not None and answer['action'] == 'retry':
            if task.is_subgraph:
                answer['replaced'] = replaced.id
            else:  # a duplicate of the task, which the orchestrator makes itself
                answer.update(ignore_total=True, retry_after=max(0, (replaced.execute_after or 0) - time.time()))
        if run is not None:
            answer['tasks'] = run.describe_added()
        return answer


def main(sock):
    """Runs the workflow that the orchestrator tells of; returns the exit code."""
    server = _Server()
    bridge = _duplex.DuplexBridge(sock, server, 'local', _THREADS)
    ctx = server.ctx = workflow_context.CloudifyWorkflowContext(bridge)
    process = os.getpid()
    with state.current_workflow_ctx.push(ctx, ctx.parameters):
        try:
            result = _call(ctx)
            if os.getpid() != process:
                os._exit(0)  # it forked, and this is not the one that was started
            ctx._wait_for_alone()
            if result == workflow_api.EXECUTION_CANCELLED_RESULT:
                raise workflow_api.ExecutionCancelled()
            error = None
        except SystemExit as end:
            error = end if end.code not in (None, 0) else None
        except BaseException as raised:
            error = raised
        if os.getpid() != process:
            os._exit(1)
        if error is not None:  # what was started may end, as long as after a task that failed
            ctx._wait_for_alone(ctx.wait_after_fail)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if error is None:
        bridge.call('finish')
        return 0
    if isinstance(error, workflow_api.ExecutionCancelled):
        bridge.call('cancelled')
        return 1
    described = _script.described(error)
    described['token'] = getattr(error, 'outcome', None)
    described['hide_traceback'] = bool(getattr(error, 'hide_traceback', False))
    bridge.call('fail', **described)
    return 1


def _call(ctx):
    if ctx.task_name == _SCRIPT:
        return _run_script(ctx)
    function = utils.get_func(ctx.task_name)
    if ctx.resume and not getattr(function, 'resumable', False):
        raise exceptions.NonRecoverableError('Cannot resume - workflow not resumable: {0}'.format(ctx.task_name))
    parameters = dict(ctx.parameters)
    parameters['ctx'] = ctx
    return function(**parameters)


def _content(ctx, path):
    scheme, separator, rest = path.partition('://')
    if separator and scheme == 'file':
        with open(rest, 'rb') as script:
            return script.read()
    if separator and scheme in ('http', 'https'):
        from urllib.request import urlopen
        with urlopen(path, timeout=60) as answer:
            return answer.read()
    return ctx.get_resource(path)


def _run_script(ctx):
    """A workflow that is a script: it runs with its parameters at hand."""
    if ctx.resume:
        raise exceptions.NonRecoverableError('Cannot resume - workflow not resumable: {0}'.format(ctx.task_name))
    path, source = ctx.parameters.pop('script_path', None), ctx.parameters.pop('script_source', None)
    ctx.parameters.pop('ssl_cert_content', None)
    if bool(path) == bool(source):
        raise exceptions.NonRecoverableError(
            'Only provide script_path or script_source, not both' if path
            else 'Either script_path or script_source must be provided')
    if source is None:
        source = _content(ctx, path).decode('utf-8')
    else:
        import textwrap
        path, source = 'workflow.py', textwrap.dedent(source)
    main_module = type(sys)('__main__')
    main_module.__file__ = path
    sys.modules['__main__'] = main_module
    # The parameters without those of the script are what it sees. Scripts that were
    # made for a dispatcher find them in the folder that it names, too.
    with tempfile.TemporaryDirectory(prefix='task-') as folder:
        with open(os.path.join(folder, 'input.json'), 'w') as message:
            json.dump({'cloudify_context': {'type': 'workflow', 'execution_id': ctx.execution_id,
                                            'workflow_id': ctx.workflow_id},
                       'args': [], 'kwargs': dict(ctx.parameters)}, message)
        sys.argv[1:] = [folder]
        with state.current_workflow_ctx.push(ctx, ctx.parameters):
            exec(compile(source, path, 'exec'), main_module.__dict__)
