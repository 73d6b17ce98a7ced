"""Workflows for the tests."""
import os
import resource
import signal
import subprocess
import sys
import time

from cloudify.decorators import workflow
from cloudify.exceptions import NonRecoverableError
from cloudify.workflows import api
from cloudify.workflows.tasks import HandlerResult


def ends(ctx, how, **_):
    if how == 'os._exit':
        print('last words', flush=True)
        os._exit(0)
    if how == 'segv':
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == 'worker':
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if how == 'sys.exit':
        sys.exit('gave up')
    if how == 'sys.exit(0)':
        sys.exit(0)
    if how == 'raise':
        raise ValueError('bad luck')
    if how == 'nonrecoverable':
        raise NonRecoverableError('no use')
    if how == 'cancelled':
        raise api.ExecutionCancelled()
    if how == 'old cancelled':
        return api.EXECUTION_CANCELLED_RESULT
    if how == 'memory':
        return len(bytearray(4 << 30))
    if how == 'unspeakable':
        class Unspeakable(Exception):
            def __str__(self):
                raise ValueError('no text')
        raise Unspeakable()
    if how == 'long text':
        raise ValueError('begin' + 20000000 * 'x' + 'the end')
    if how == 'forks':
        if os.fork() == 0:
            return
        os.wait()
        raise ValueError('the parent')
    if how in ('handler raises', 'handler executes'):
        graph = ctx.graph_mode()
        task = echo(ctx, 1)

        def handler(_):
            if how == 'handler raises':
                raise ValueError('bad handler')
            graph.add_task(echo(ctx, 2))
            graph.execute()
        task.on_success = handler
        graph.add_task(task)
        graph.execute()
    if how == 'handler dies':
        graph = ctx.graph_mode()
        task = echo(ctx, 1)
        task.on_success = lambda task: os._exit(4)
        graph.add_task(task)
        graph.execute()


def echo(ctx, value):
    return next(ctx.get_node('web').instances).execute_operation('test.echo', {'value': value}, True)


def leaves_children(ctx, **_):
    """A child that keeps the output and the connection open is nobody's problem."""
    left = subprocess.Popen(['sleep', '600'])
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
        os._exit(0)
    ctx.logger.info('left %d %d', left.pid, pid)


def floods(ctx, lines, **_):
    for i in range(lines):
        ctx.logger.info('logged %d', i)
        print('printed', i)


def waits(ctx, deaf=False, **_):
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctx.logger.info('waiting')
    while deaf or not api.has_cancel_request():
        time.sleep(0.01)
    ctx.logger.info('asked, killed: %s', api.has_kill_request())
    raise api.ExecutionCancelled()


def many(ctx, count, **_):
    """A graph of tasks that the workflow performs itself."""
    graph = ctx.graph_mode()
    for i in range(count):
        graph.add_task(ctx.local_task(lambda: 1, name='one'))
    graph.execute()


def nested(ctx, **_):
    """Tasks of the workflow that wait for operations."""
    def wait(i):
        return echo(ctx, i).get()
    results = [ctx.local_task(wait, kwargs={'i': i}) for i in range(20)]
    assert [r.get() for r in results] == list(range(20))


def names(ctx, skip, **_):
    """What is left out does not change the names of the rest."""
    for i in (1, 2):
        if i != skip:
            echo(ctx, i).get()
    echo(ctx, 3).get()
    echo(ctx, 3).get()


@workflow
def unserializable(ctx, **_):
    echo(ctx, object()).get()
