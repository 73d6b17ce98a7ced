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
        'deployment': [ctx.deployment.id, ctx.deployment.display_name, ctx.deployment.resource_tags,
                       ctx.deployment.runtime_only_evaluation], 'blueprint': ctx.blueprint.id,
        'execution': [ctx.execution_id, ctx.workflow_id, ctx.task_id, ctx.task_name], 'tenant': ctx.tenant_name,
        'target': [related.type, related.type_hierarchy, related.target.instance.id], 'capability': ctx.capabilities['ip'],
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
    if how.startswith('worker stopped'):
        os.kill(os.getppid(), signal.SIGSTOP)
        if how.endswith('hang'):
            time.sleep(60)
        return
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


def oversized(how, **_):
    """Sends more than is taken."""
    text = 'x' * (65 << 20)
    if how == 'result':
        return text
    if how == 'property':
        ctx.instance.runtime_properties['a'] = text
    if how == 'log':
        ctx.logger.info(text)
        return 'went on'
    if how == 'raw':
        ctx._bridge._sock.sendall(text.encode('ascii'))
        time.sleep(60)


def eats(mib, **_):
    return len(bytearray(mib << 20))


def serving(ctx, **_):
    """What serves as the package cloudify, and its parts that the operation meets."""
    import cloudify
    import cloudify.workflows.tasks_graph
    from cloudify_rest_client import CloudifyClient
    folder = os.path.dirname(cloudify.__file__)
    return {'folder': folder, 'context': isinstance(ctx._get_current_object() if hasattr(ctx, '_get_current_object') else ctx,
                                                    cloudify.context.CloudifyContext),
            'modules': all(os.path.dirname(sys.modules[name].__file__).startswith(folder) for name in (
                'cloudify.context', 'cloudify.exceptions', 'cloudify.manager', 'cloudify.utils', 'cloudify.workflows.tasks_graph')),
            'client': sys.modules[CloudifyClient.__module__].__file__}


def relates(ctx, **_):
    """An operation of a relationship, on either side."""
    ctx.source.instance.runtime_properties['seen'] = [ctx.target.instance.id, ctx.target.node.id]
    ctx.target.instance.runtime_properties['by'] = ctx.source.node.properties['port']
    try:
        ctx.node
    except NonRecoverableError as e:
        refused = str(e)
    return [ctx.type, ctx.operation.relationship, ctx.source.instance.id, ctx.target.instance.host_ip,
            sorted(ctx.capabilities.get_all()), refused]


def merges(ctx, way, **_):
    """Stores a property although another operation stores something each time."""
    properties = ctx.instance.runtime_properties
    if way == 'apart':
        properties['mine'] = 1
        ctx.logger.info('loaded')
        ctx.instance.update()
    elif way == 'whole':
        ctx.instance.runtime_properties = {'mine': 1}
        ctx.instance.update()
    elif way == 'handler':
        tries = []

        def merge(mine, latest):
            tries.append(sorted(latest))
            return dict(latest, mine=len(tries))
        properties['a'] = 2
        ctx.instance.update(on_conflict=merge)
        return len(tries)
    elif way == 'nested':
        properties['deep']['er'] = 5
        properties['mine'] = 1
        ctx.instance.update()
    elif way == 'refresh':
        properties['mine'] = 1
        try:
            ctx.instance.refresh()
        except NonRecoverableError as e:
            ctx.instance.refresh(force=True)
            return [str(e), 'mine' in ctx.instance.runtime_properties]
    elif way == 'removed':
        properties['b'] = 1
        ctx.instance.update()
        del ctx.instance.runtime_properties['b']
        ctx.instance.runtime_properties.pop('a')
        ctx.instance.runtime_properties['c'] = 3
    elif way == 'other':
        ctx.instance.relationships[0].target.instance.runtime_properties['x'] = 1


def renders(**_):
    path = ctx.download_resource_and_render('conf/t.txt', template_variables={'who': 'you'})
    with open(path) as f:
        text = f.read()
    try:
        ctx.get_resource('missing')
    except Exception as e:
        missing = [type(e).__name__, e.code, isinstance(e, NonRecoverableError)]
    with open(os.path.join(ctx.download_directory('conf'), 'a.txt')) as f:
        return [text, ctx.get_resource_and_render('conf/t.txt', {'who': 'me'}).decode(), missing, f.read()]


def cluster(**_):
    return [[m.hostname for m in ctx.get_managers()], ctx.get_execution().status,
            ctx.get_config('task_retries').value]


def asks_rest(**_):
    return manager.get_rest_client().manager.get_status()


class Unspeakable(Exception):

    def __str__(self):
        raise ValueError('no text')

    __repr__ = __str__


class NoException(BaseException):
    pass


def misbehaves(how, **_):
    if how == 'unspeakable':
        raise Unspeakable()
    if how == 'no exception':
        raise NoException('not one of Exception')
    if how == 'generator exit':
        raise GeneratorExit()
    if how == 'exit':
        sys.exit()
    if how == 'interrupt':
        raise KeyboardInterrupt('stop')
    if how == 'long text':
        raise RecoverableError('begin' + 20000000 * 'x' + 'end')
    if how == 'deep':
        sys.setrecursionlimit(100000)
        ctx.instance.runtime_properties['deep'] = deep = {}
        for _ in range(9500):
            deep['a'] = deep = {}
    if how == 'replaces':
        import json
        json.dumps = json.loads = None
    if how == 'forks' and os.fork() == 0:
        return 'child'
    if how == 'forks':
        os.wait()
    return 'done'
