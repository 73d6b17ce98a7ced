"""Operations for the tests."""
import atexit
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time

from cloudify import ctx, manager
from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError, OperationRetry, RecoverableError
from cloudify.state import ctx_parameters

STATE = []


def nothing(**_):
    return None


@operation
def about(ctx, size, **kwargs):
    assert kwargs == {'color': 'red'}, kwargs
    assert ctx_parameters.size == size
    ctx.instance.runtime_properties['size'] = size
    ctx.instance.runtime_properties['nested'] = {'a': [1, None]}
    ctx.send_event('hello')
    ctx.logger.debug('at %s', 'debug')
    ctx.logger.info('at info')
    ctx.logger.warning('at warning')
    ctx.logger.error('at error')
    path = ctx.download_resource('conf/a.txt')
    with open(path) as f:
        text = f.read()
    related = ctx.instance.relationships[0]
    return {
        'properties': dict(ctx.node.properties), 'type': ctx.type, 'task_type': ctx.task_type, 'node': ctx.node.id,
        'instance': ctx.instance.id, 'index': ctx.instance.index, 'ip': ctx.instance.host_ip, 'text': text,
        'plugin': [str(ctx.plugin), ctx.plugin.name, ctx.plugin.package_name, ctx.plugin.package_version],
        'prefix': ctx.plugin.prefix == sys.prefix, 'workdir': os.path.isdir(ctx.plugin.workdir),
        'operation': [ctx.operation.name, ctx.operation.retry_number, ctx.operation.max_retries],
        'deployment': [ctx.deployment.id, ctx.deployment.display_name], 'blueprint': ctx.blueprint.id,
        'execution': [ctx.execution_id, ctx.workflow_id, ctx.task_id, ctx.task_name], 'tenant': ctx.tenant_name,
        'target': [related.type, related.target.instance.id], 'capability': ctx.capabilities['ip'],
        'cwd': os.getcwd() == os.environ['AGENT_WORK_DIR'], 'vm': manager.get_node_instance('vm_1').runtime_properties,
    }


def nonrecoverable(**_):
    print('some output')
    raise NonRecoverableError('no use', causes=[{'message': 'm', 'type': 't', 'traceback': ''}])


def recoverable(**_):
    ctx.instance.runtime_properties['kept'] = True
    raise RecoverableError('later', retry_after=7)


def ordinary(**_):
    {}['missing']


def retry(ctx, **_):
    ctx.operation.retry('again', retry_after=3)
    return 'dropped'


def raise_retry(**_):
    raise OperationRetry('raised')


def unserializable(**_):
    return object()


def leaves(how, **_):
    if how == 'exit0':
        sys.exit(0)
    if how == 'exit':
        sys.exit('text')
    if how == 'os._exit0':
        os._exit(0)
    if how == 'os._exit3':
        print('last words', flush=True)
        os._exit(3)
    if how == 'segv':
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == 'worker':
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if how == 'stack':
        sys.setrecursionlimit(100)
        leaves('stack')
    if how == 'interrupt':
        raise KeyboardInterrupt


def hangs(ignore=False, started=None, **_):
    if ignore:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    escaped = subprocess.Popen(['sleep', '600'], start_new_session=True)
    member = subprocess.Popen(['sleep', '600'])
    ctx.logger.info('pids %d %d %d', os.getpid(), escaped.pid, member.pid)
    while True:
        time.sleep(0.1)


def prints(lines, **_):
    for i in range(lines):
        print('line', i, 'x' * 20)
    sys.stdout.write('unfinished \xff\udc80')
    sys.stderr.write('to stderr\n')


def long_line(**_):
    os.write(1, b'\xff\x00' + b'y' * 50000 + b'\n')


def logs(lines, **_):
    for i in range(lines):
        ctx.logger.info('line %d', i)


def background(**_):
    """Leaves a process that keeps the output open, and one that keeps the connection."""
    left = subprocess.Popen(['sleep', '600'])
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
        os._exit(0)
    return [left.pid, pid]


def state(**_):
    STATE.append(1)
    os.environ['LEAKED'] = '1'
    logging.getLogger().setLevel(logging.DEBUG)
    return [len(STATE), os.getppid(), os.getpid(), random.random(), os.environ.get('LEAKED_BEFORE')]


def threads(**_):
    def work():
        with_ctx = context
        time.sleep(0.05)
        with_ctx.logger.info('from a thread')
    context = ctx._get_current_object()
    threads = [threading.Thread(target=work) for _ in range(5)]
    for t in threads:
        t.start()
    atexit.register(lambda: context.logger.info('at exit'))
    return 'returned'


def forks(**_):
    """Uses the context from a forked process, and from the command line."""
    ctx.instance.runtime_properties['direct'] = 1
    ctx.instance.update()
    pid = os.fork()
    if pid == 0:
        try:
            ctx.logger.info('from a fork: %s', ctx.node.properties['port'])
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    subprocess.check_call(['ctx', 'logger', 'info', 'from the command line'])
    return subprocess.check_output(['ctx', 'node', 'properties', 'port']).decode()


@operation(resumable=True)
def resumable(ctx, **_):
    return ctx.resume


def sleeps(seconds, **_):
    time.sleep(seconds)
    return seconds


def environment(**_):
    return {'path': sys.path, 'dispatch': os.environ.get('CLOUDIFY_DISPATCH'), 'PATH': os.environ['PATH'],
            'secret': os.environ.get('WINDLASS_SECRET'), 'prefix': sys.prefix}


NOT_A_FUNCTION = 5


def echo(value, **_):
    return value


def eats(mib, **_):
    return len(bytearray(mib << 20))
