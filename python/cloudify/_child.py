"""What a child of a worker does before and after it knows what it runs.

Most of the time goes to the memory that a child touches first, page by page. So
the less it does the better: signal's functions, for one, make enumerations of
the numbers that those of _signal give.
"""
import _signal
import gc
import importlib
import json
import os
import resource
import socket
import sys

from cloudify import _passing, _serving

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_SIGNALS = (int(_signal.SIGCHLD), int(_signal.SIGINT), int(_signal.SIGTERM))


def find_prctl():
    """prctl, where there is such a thing: children end with their worker."""
    if not sys.platform.startswith('linux'):
        return None
    try:
        import ctypes
        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def detach(prctl):
    """Makes the process that was just forked one of its own."""
    worker = os.getppid()
    os.setpgid(0, 0)
    if prctl is not None:
        prctl(_DEATH_SIGNAL, _signal.SIGKILL, 0, 0, 0)
        if os.getppid() != worker:
            os._exit(1)
    _signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    gc.enable()


def wait(ours, theirs, forget):
    """Runs what is told over a connection, or nothing when that is closed."""
    ours.close()
    received, descriptors = b'', []
    while not received.endswith(b'\n'):
        data, some = _passing.receive(theirs)
        if not data:
            return 0
        received += data
        descriptors += some
    theirs.close()
    return run(json.loads(received.decode('utf-8')), descriptors, forget)


def run(frame, descriptors, forget):
    """Runs an operation or a workflow; returns the exit code."""
    connection, output = descriptors
    _redirect(output)
    os.close(output)
    os.environ.update(frame.get('env') or {})
    if frame.get('cwd'):
        os.chdir(frame['cwd'])
    _limit(frame.get('memory'))
    if frame['kind'] == 'workflow' and _serving.original():
        forget()
        _serving.own()
    module = importlib.import_module('cloudify._' + frame['kind'])
    return module.main(socket.socket(fileno=connection))


def rehearse(tell, heard, memory):
    """Calls a function with the output of the process in a file, and ends with all it started."""
    import tempfile
    os.close(heard)
    with tempfile.TemporaryFile() as output:
        _redirect(output.fileno())
    _limit(memory)
    tell()
    os.killpg(0, _signal.SIGKILL)


def _redirect(output):
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)


def _limit(memory):
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
