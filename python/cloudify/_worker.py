"""A worker: forks a clean process for each operation and each workflow.

The control connection carries one JSON text a line. The orchestrator sends

    {"run": 7, "kind": "operation", "env": {...}, "cwd": "...", "memory": 0}

with two descriptors: the child's connection and the file for its output. The
worker answers {"started": 7, "pid": 123} or {"refused": 7, "error": "..."}, and
{"ended": 7, "status": 0} when the child has ended; a negative status is the
signal that ended it. When the connection closes, the worker ends.

    {"import": ["subprocess", ...]}

names modules of the standard library that operations were seen to import: the
worker imports them, too, when it has nothing else to do, and children find them
there.

A {"ping": true} is answered with {"pong": PID}, so that it is known when the
worker hangs.

The worker has no threads and keeps nothing of the operations, so that every
child starts from the same state.
"""
import array
import gc
import json
import os
import resource
import select
import signal
import socket
import sys

# What operations nearly always need is imported once, before the forks.
import base64  # noqa: F401
import copy  # noqa: F401
import importlib
import logging  # noqa: F401
import threading  # noqa: F401
import traceback  # noqa: F401

from cloudify import _frames, _logging, _operation, _script, _serving, context, decorators, exceptions  # noqa: F401
from cloudify import manager, utils  # noqa: F401

_DESCRIPTORS = 2
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


class _Worker(object):

    def __init__(self, control, trouble):
        self._control = control
        self._trouble = trouble
        self._received = b''
        self._descriptors = []
        self._children = {}
        self._wanted = []  # modules to import
        self._prctl = _find_prctl()

    def serve(self):
        wake, signalled = os.pipe()
        os.set_blocking(signalled, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._private = [wake, signalled, self._control.fileno()]
        self._tell({'ready': os.getpid(), 'python': '.'.join(str(n) for n in sys.version_info[:3]),
                    'prefix': sys.prefix, 'path': sys.path, 'framework': _serving.version(), 'trouble': self._trouble})
        gc.collect()
        gc.freeze()  # what is here already is shared with the children
        while True:
            ready, _, _ = select.select([wake, self._control], [], [], 0 if self._wanted else None)
            if not ready:
                self._import(self._wanted.pop())
                continue
            if wake in ready:
                try:
                    os.read(wake, 4096)
                except BlockingIOError:
                    pass
                self._reap()
            if self._control in ready and not self._receive():
                return

    def _tell(self, frame):
        self._control.sendall(json.dumps(frame).encode('ascii') + b'\n')

    def _receive(self):
        size = array.array('i').itemsize
        try:
            data, ancillary, _, _ = self._control.recvmsg(65536, socket.CMSG_SPACE(16 * size))
        except OSError:
            return False
        for level, kind, sent in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array('i')
                descriptors.frombytes(sent[:len(sent) - len(sent) % size])
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                    self._descriptors.append(descriptor)
        if not data:
            return False
        self._received += data
        while b'\n' in self._received:
            line, _, self._received = self._received.partition(b'\n')
            frame = json.loads(line.decode('utf-8'))
            if 'import' in frame:
                self._wanted.extend(frame['import'])
            elif 'ping' in frame:
                self._tell({'pong': os.getpid()})
            else:
                self._run(frame)
        return True

    def _import(self, name):
        try:
            importlib.import_module(name)
        except BaseException as error:  # an operation that needs it will say so
            sys.stderr.write('{0} could not be imported: {1!r}\n'.format(name, error))
        if not self._wanted:
            gc.freeze()

    def _run(self, frame):
        own, self._descriptors = self._descriptors[:_DESCRIPTORS], self._descriptors[_DESCRIPTORS:]
        # What is known of a child must be known before it can end.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({'refused': frame['run'], 'error': 'fork: {0}'.format(error)})
            pid = None
        if pid == 0:
            self._become_child(frame, own)  # never returns
        for descriptor in own:
            os.close(descriptor)
        if pid is not None:
            try:
                os.setpgid(pid, pid)
            except OSError:
                pass  # the child did so itself, and may be gone
            self._children[pid] = frame['run']
            self._tell({'started': frame['run'], 'pid': pid})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])

    def _reap(self):
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            run = self._children.pop(pid, None)
            if run is not None:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                self._tell({'ended': run, 'status': code})

    def _become_child(self, frame, own):
        try:
            worker = os.getppid()
            os.setpgid(0, 0)
            if self._prctl is not None:
                self._prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != worker:
                    os._exit(1)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            connection, output = own
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            for descriptor in [nothing, output] + self._private + self._descriptors:
                os.close(descriptor)
            self._control.detach()
            os.environ.update(frame.get('env') or {})
            if frame.get('cwd'):
                os.chdir(frame['cwd'])
            for stream in (sys.stdout, sys.stderr):
                stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
            gc.enable()
            if frame.get('memory'):
                resource.setrlimit(resource.RLIMIT_AS, (frame['memory'], frame['memory']))
            if frame['kind'] == 'workflow' and _serving.original():
                _serving.own()
            module = importlib.import_module('cloudify._' + frame['kind'])
            code = module.main(socket.socket(fileno=connection))
        except BaseException as error:
            os.write(2, 'the worker could not start what it was asked for: {0!r}\n'.format(error).encode('utf-8', 'replace'))
            code = 70
        os._exit(code)


def _find_prctl():
    """prctl, where there is such a thing: children end with their worker."""
    if not sys.platform.startswith('linux'):
        return None
    try:
        import ctypes
        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def serve(descriptor, trouble=None):
    """Serves until the connection closes; trouble is for the log."""
    os.set_inheritable(descriptor, False)
    _Worker(socket.socket(fileno=descriptor), trouble).serve()
