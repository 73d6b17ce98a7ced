"""The connection to the orchestrator: requests that are answered.

One connection is kept for all requests. It is by hand on a socket, because the
HTTP modules of the standard library take longer to import than a script runs.
"""
import json
import os
import re
import socket
import threading
import time

from cloudify import exceptions


class BridgeError(exceptions.RecoverableError):
    """The orchestrator did not answer, or not as it should."""


class _Broken(Exception):
    """The connection broke before an answer began."""


def connect(url=None):
    """The bridge to the operation's context, at CTX_SOCKET_URL."""
    url = url or os.environ.get('CTX_SOCKET_URL')
    if not url:
        raise exceptions.NonRecoverableError(
            'CTX_SOCKET_URL is not set: this process does not run an operation')
    return Bridge(url)


class Bridge(object):
    """Asks the orchestrator. Threads may share one."""

    def __init__(self, url):
        scheme, _, rest = url.partition('://')
        if scheme != 'http':
            raise BridgeError('Unsupported protocol: {0}'.format(scheme))
        self._address, _, self._path = rest.partition('/')
        host, _, port = self._address.rpartition(':')
        self._target = host, int(port)
        self._lock = threading.Lock()
        self._stream = None
        self._pid = os.getpid()

    def call(self, method, **params):
        """Asks for a method of the framework's protocol."""
        return self._ask({'method': method, 'params': params})

    def command(self, *args):
        """Asks as the ctx command line does."""
        return self._ask({'args': list(args)})

    def tell(self, method, **params):
        """Asks for what has no answer."""
        self.call(method, **params)

    def _ask(self, request):
        body = _encode(request)
        with self._lock:
            if self._pid != os.getpid():  # a fork must not share the connection
                self._stream, self._pid = None, os.getpid()
            idle = self._stream is not None
            try:
                try:
                    reply = self._exchange(body)
                except _Broken:
                    if not idle and not _patience():
                        raise
                    # An idle connection may have been closed: nothing was done.
                    # Else the orchestrator is being restarted and comes back.
                    self._close()
                    reply = self._insist(request)
            except _Broken as error:
                self._close()
                raise BridgeError('the orchestrator cannot be reached: {0}'.format(error))
            except (OSError, ValueError) as error:
                self._close()
                raise BridgeError('the answer of the orchestrator broke off: {0}'.format(error))
        return _payload(reply)

    def _insist(self, request):
        """Asks again until there is an answer or patience ends."""
        body = _encode(dict(request, again=True))
        began, pause = time.time(), 0.05
        while True:
            try:
                return self._exchange(body)
            except _Broken:
                self._close()
                if time.time() - began > _patience():
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2)

    def _exchange(self, body):
        try:
            if self._stream is None:
                connection = socket.create_connection(self._target)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._stream = connection.makefile('rwb')
                connection.close()  # the stream keeps it
            self._stream.write(
                'POST /{0} HTTP/1.1\r\nHost: {1}\r\nContent-Type: application/json\r\nContent-Length: {2}\r\n\r\n'
                .format(self._path, self._address, len(body)).encode('ascii') + body)
            self._stream.flush()
            status = self._stream.readline()
        except OSError as error:
            raise _Broken(error)
        if not status:
            raise _Broken('the connection was closed')
        length = 0
        while True:
            line = self._stream.readline().strip()
            if not line:
                break
            name, _, value = line.partition(b':')
            if name.lower() == b'content-length':
                length = int(value)
        data = self._stream.read(length)
        if len(data) < length:
            raise ValueError('{0} of {1} bytes came'.format(len(data), length))
        return _loads(data.decode('utf-8'))

    def _close(self):
        if self._stream is not None:
            try:
                self._stream.close()
            except OSError:
                pass
            self._stream = None


def _patience():
    """For how many seconds to wait for the orchestrator to come back."""
    try:
        return int(os.environ.get('CTX_PATIENCE', 0))
    except ValueError:
        return 0


_MOST = 64 << 20  # bytes of one request
_DEEPEST = 9000  # lists and dictionaries within each other in it
_dumps, _loads = json.dumps, json.loads  # as they are now, whatever an operation does to the module


def _encode(request):
    try:
        # No NaN: JSON has none, and the orchestrator stores none.
        data = _dumps(request, allow_nan=False).encode('ascii')
    except ValueError as error:
        raise exceptions.NonRecoverableError('this value cannot be stored: {0}'.format(error))
    if len(data) >= _MOST:
        raise exceptions.NonRecoverableError(
            'this is too much to be sent to the orchestrator: {0} MiB, and {1} may be'.format(len(data) >> 20, _MOST >> 20))
    # It takes a bracket to go deeper, and most requests have few.
    if data.count(b'{') + data.count(b'[') > _DEEPEST and _depth(data) > _DEEPEST:
        raise exceptions.NonRecoverableError('this value cannot be stored: it is nested more than {0} deep'.format(_DEEPEST))
    return data


def _depth(data):
    """How deep a JSON text is nested."""
    depth = deepest = 0
    for mark in re.sub(rb'"(?:[^"\\]|\\.)*"|[^][{}"]+', b'', data):
        if mark in b'{[':
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


# What the orchestrator's failures are raised as; others are RuntimeError with
# their name in front.
_RAISED = {
    'NonRecoverableError': exceptions.NonRecoverableError,
    'RecoverableError': exceptions.RecoverableError,
    'HttpException': exceptions.NonRecoverableError,
    'RuntimeError': RuntimeError,
    'TypeError': TypeError,
    'IndexError': IndexError,
    'KeyError': KeyError,
}


def _payload(reply):
    payload = reply.get('payload')
    if reply.get('type') != 'error':
        return payload
    kind, message = payload.get('type'), payload.get('message')
    if kind == 'HttpException':
        raise _http_exception(message)
    if kind in _RAISED:
        raise _RAISED[kind](message)
    raise RuntimeError('{0}: {1}'.format(kind, message))


def _http_exception(text):
    """Takes '404 (url) : message' apart."""
    head, _, message = text.partition(' : ')
    code, _, url = head.partition(' ')
    try:
        code = int(code)
    except ValueError:
        return exceptions.HttpException('', 0, text)
    return exceptions.HttpException(url.strip('()'), code, message)
