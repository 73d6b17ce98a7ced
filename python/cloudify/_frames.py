"""The connection of a worker's child to the orchestrator: one JSON text a line.

A request has an id, and its reply has the same; a message without an id gets
no reply. What can be asked for is the same as over HTTP (_bridge).
"""
import os
import threading

from cloudify import _bridge, exceptions


class FrameBridge(object):
    """Asks the orchestrator over a socket. Threads may share one."""

    def __init__(self, sock):
        self._sock = sock
        self._stream = sock.makefile('rb')
        self._lock = threading.Lock()
        self._last = 0
        self._pid = os.getpid()
        self._other = None

    def call(self, method, **params):
        """Asks for a method of the framework's protocol."""
        return self._ask({'method': method, 'params': params})

    def command(self, *args):
        """Asks as the ctx command line does."""
        return self._ask({'args': list(args)})

    def tell(self, method, **params):
        """Sends what needs no reply."""
        if self._pid != os.getpid():
            self._from_a_fork().call(method, **params)
            return
        data = _bridge._encode({'method': method, 'params': params}) + b'\n'
        with self._lock:
            self._send(data)

    def _ask(self, request):
        if self._pid != os.getpid():
            return self._from_a_fork()._ask(request)
        with self._lock:
            self._last += 1
            request['id'] = self._last
            self._send(_bridge._encode(request) + b'\n')
            reply = self._receive()
        if reply.get('id') != request['id']:
            raise _bridge.BridgeError('the answer of the orchestrator is for another question')
        return _bridge._payload(reply)

    def _send(self, data):
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise _bridge.BridgeError('the orchestrator cannot be reached: {0}'.format(error))

    def _receive(self):
        try:
            line = self._stream.readline()
        except OSError as error:
            raise _bridge.BridgeError('the answer of the orchestrator broke off: {0}'.format(error))
        if not line.endswith(b'\n'):
            raise _bridge.BridgeError('the orchestrator closed the connection')
        return _bridge._loads(line.decode('utf-8'))

    def _from_a_fork(self):
        """A process that was forked must not share the connection."""
        if self._other is None:
            if not os.environ.get('CTX_SOCKET_URL'):
                raise exceptions.NonRecoverableError('ctx cannot be used in a forked process here')
            self._other = _bridge.connect()
        return self._other
