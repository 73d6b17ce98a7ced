"""Runs one operation of a plugin, in a child of a worker."""
import atexit
import os
import sys
import threading

from cloudify import _frames, _script, _serving, exceptions, utils

if _serving.original():
    from cloudify._original import operation_context
else:
    from cloudify.context import operation_context


def main(sock):
    """Runs the operation that the orchestrator tells of; returns the exit code."""
    known = frozenset(sys.modules)
    bridge = _frames.FrameBridge(sock)
    ctx = operation_context(bridge)
    process = os.getpid()
    result, error = _script.perform(lambda: _call(ctx), ctx, is_script=False)
    if os.getpid() != process:  # it forked, and this is not the one that was started
        _flush()
        return 0
    _let_go()
    code = report(bridge, result, error)
    _tell_modules(bridge, known)
    return code


# Modules that do something when they are imported.
_ODD = frozenset(('antigravity', 'idlelib', 'this', 'tkinter', 'turtle', 'turtledemo'))


def _standard_names():
    """The names of the modules of the standard library."""
    known = getattr(sys, 'stdlib_module_names', None)
    if known is None:  # before Python 3.10
        known = {name.partition('.')[0] for name in os.listdir(os.path.dirname(os.__file__))}
        known |= set(sys.builtin_module_names)
    return frozenset(known) - _ODD


STANDARD = _standard_names()


def _tell_modules(bridge, known):
    """Tells which modules of the standard library the operation has imported."""
    names = [name for name in list(sys.modules) if name not in known and name.partition('.')[0] in STANDARD]
    if names:
        try:
            bridge.tell('imported', modules=names)
        except exceptions.RecoverableError:
            pass  # nobody listens any more


def _call(ctx):
    function = utils.get_func(ctx.task_name)
    if ctx.resume and not getattr(function, 'resumable', False):
        raise exceptions.NonRecoverableError(
            'Cannot resume - operation not resumable: {0}'.format(ctx.task_name))
    inputs = dict(ctx.inputs)
    inputs['ctx'] = ctx
    return function(**inputs)


def _let_go():
    """What the end of an interpreter would do: threads and exit handlers."""
    try:
        threading._shutdown()
    except Exception:
        sys.excepthook(*sys.exc_info())
    try:
        atexit._run_exitfuncs()
    except BaseException:
        pass  # each failure has been printed
    _flush()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def report(bridge, result, error):
    """Tells how it ended; returns the exit code."""
    try:
        if error is None:
            try:
                bridge.call('finish', result=result)
                return 0
            except (TypeError, exceptions.NonRecoverableError) as unfit:
                error = exceptions.NonRecoverableError(
                    'the result of the operation must be JSON serializable: {0}'.format(unfit))
        bridge.call('fail', **_script.described(error))
    except exceptions.RecoverableError as unreachable:
        sys.stderr.write('{0}\n'.format(unreachable))
        return 2
    return 1
