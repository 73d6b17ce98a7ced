"""A worker: forks a clean process for each operation and each workflow.

The control connection carries one JSON text a line. The orchestrator sends

    {"run": 7, "kind": "operation", "env": {...}, "cwd": "...", "memory": 0}

with two descriptors: the child's connection and the file for its output. The
worker answers {"started": 7, "pid": 123} or {"refused": 7, "error": "..."}, and
{"ended": 7, "status": 0} when the child has ended; a negative status is the
signal that ended it. When the connection closes, the worker ends.

"task" in it is the function that the operation calls. An operation may be run by
a child that was forked before it was asked for, so that it starts sooner.

    {"import": ["subprocess", ...]}

names modules of the standard library that operations were seen to import: the
worker imports them, too, when it has nothing else to do, and children find them
there.

A {"ping": true} is answered with {"pong": PID}, so that it is known when the
worker hangs.

The worker has no threads and keeps nothing of the operations, so that every
child starts from the same state. Modules of plugins that operations use again
and again it imports, too, if that makes no difference to them (_ahead).
"""
import gc
import json
import os
import select
import signal
import socket
import sys
import time

# What operations nearly always need is imported once, before the forks.
import base64  # noqa: F401
import copy  # noqa: F401
import importlib
import logging  # noqa: F401
import threading  # noqa: F401
import traceback  # noqa: F401

from cloudify import _ahead, _child, _frames, _logging, _operation, _passing, _script, _serving, context  # noqa: F401
from cloudify import decorators, exceptions, manager, utils  # noqa: F401

_DESCRIPTORS = 2
_SPARE_SECONDS = 10  # for how long a child waits for an operation


class _Worker(object):

    def __init__(self, control, trouble):
        self._control = control
        self._trouble = trouble
        self._received = b''
        self._descriptors = []
        self._children = {}
        self._wanted = []  # modules of the standard library to import
        self._ahead = _ahead.Ahead(self._rehearse)
        self._spare = None  # (pid, connection) of a child that waits
        self._spare_until = 0
        self._prctl = _child.find_prctl()

    def serve(self):
        wake, signalled = os.pipe()
        os.set_blocking(signalled, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for stream in (sys.stdout, sys.stderr):  # those of the children
            stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
        self._private = [wake, signalled, self._control.fileno()]
        self._tell({'ready': os.getpid(), 'python': '.'.join(str(n) for n in sys.version_info[:3]),
                    'prefix': sys.prefix, 'path': sys.path, 'framework': _serving.version(), 'trouble': self._trouble})
        gc.collect()
        gc.freeze()  # what is here already is shared with the children
        while True:
            trial = self._ahead.descriptor()
            wanted = [wake, self._control] + ([] if trial is None else [trial])
            ready, _, _ = select.select(wanted, [], [], self._patience())
            if wake in ready:
                try:
                    os.read(wake, 4096)
                except BlockingIOError:
                    pass
                self._reap()
            if self._control in ready:
                if not self._receive():
                    return
            elif wake not in ready:
                self._use_the_time(trial in ready)

    def _patience(self):
        """For how long to wait for something to do."""
        if self._wanted or self._ahead.busy() or self._wants_spare():
            return 0
        ends = [self._ahead.timeout(), self._spare_until - time.monotonic() if self._spare else None]
        return min((max(0, end) for end in ends if end is not None), default=None)

    def _use_the_time(self, rehearsed):
        if self._wanted:
            self._import(self._wanted.pop())
            self._drop_spare()
        elif self._wants_spare():
            self._make_spare()
        elif rehearsed or self._ahead.busy() or self._ahead.timeout() == 0:
            if self._ahead.step(rehearsed):
                gc.collect()
                gc.freeze()
                self._drop_spare()
        elif self._spare and time.monotonic() >= self._spare_until:
            self._drop_spare()

    def _tell(self, frame):
        self._control.sendall(json.dumps(frame).encode('ascii') + b'\n')

    def _receive(self):
        data, descriptors = _passing.receive(self._control)
        self._descriptors += descriptors
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
                self._run(line, frame)
        return True

    def _import(self, name):
        try:
            importlib.import_module(name)
        except BaseException as error:  # an operation that needs it will say so
            sys.stderr.write('{0} could not be imported: {1!r}\n'.format(name, error))
        if not self._wanted:
            gc.freeze()

    def _run(self, line, frame):
        own, self._descriptors = self._descriptors[:_DESCRIPTORS], self._descriptors[_DESCRIPTORS:]
        # What is known of a child must be known before it can end.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = None
        if frame['kind'] == 'operation':
            self._spare_until = time.monotonic() + _SPARE_SECONDS
            pid = self._hand_over(line, own)
        try:
            if pid is None:
                pid = self._fork(lambda: _child.run(frame, own, self._ahead.forget), own)
        except OSError as error:
            self._tell({'refused': frame['run'], 'error': 'fork: {0}'.format(error)})
        for descriptor in own:
            os.close(descriptor)
        if pid is not None:
            self._children[pid] = frame['run']
            self._tell({'started': frame['run'], 'pid': pid})
            self._ahead.asked(frame)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])

    def _fork(self, run, keep):
        """Forks a child that calls run, which returns its exit code."""
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                _child.detach(self._prctl)
                private = self._private + self._descriptors
                if self._spare:
                    private.append(self._spare[1].detach())
                if self._ahead.descriptor() is not None:
                    private.append(self._ahead.descriptor())
                for descriptor in private:
                    if descriptor not in keep:
                        os.close(descriptor)
                self._control.detach()
                code = run()
            except BaseException as error:
                os.write(2, 'what this process was started for broke off: {0}\n'.format(type(error).__name__ + ': ' + str(error)).encode('utf-8', 'replace'))
            os._exit(code)
        try:
            os.setpgid(pid, pid)
        except OSError:
            pass  # the child did so itself, and may be gone
        return pid

    def _wants_spare(self):
        return self._spare is None and time.monotonic() < self._spare_until

    def _make_spare(self):
        ours, theirs = socket.socketpair()
        try:
            self._spare = self._fork(lambda: _child.wait(ours, theirs, self._ahead.forget), ()), ours
        except OSError:
            self._spare_until = 0  # without one it goes, too
        theirs.close()

    def _hand_over(self, line, descriptors):
        """Gives an operation to the child that waits; returns its pid, or None if there is none."""
        if self._spare is None:
            return None
        (pid, connection), self._spare = self._spare, None
        try:
            with connection:
                _passing.send(connection, line + b'\n', descriptors)
        except OSError:
            return None
        return pid

    def _drop_spare(self):
        if self._spare is not None:
            self._spare[1].close()  # then it ends
            self._spare = None

    def _rehearse(self, tell, memory):
        """Forks a child that calls tell with a descriptor, the other end of which is returned."""
        heard, told = os.pipe()
        try:
            pid = self._fork(lambda: _child.rehearse(lambda: tell(told, 1), heard, memory), ())
        finally:
            os.close(told)
        return pid, heard

    def _reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._spare and pid == self._spare[0]:
                self._drop_spare()
            run = self._children.pop(pid, None)
            if run is not None:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                self._tell({'ended': run, 'status': code})


def serve(descriptor, trouble=None):
    """Serves until the connection closes; trouble is for the log."""
    os.set_inheritable(descriptor, False)
    _Worker(socket.socket(fileno=descriptor), trouble).serve()
