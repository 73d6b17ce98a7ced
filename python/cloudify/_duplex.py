"""The connection of a workflow to the orchestrator, on which both sides ask.

Frames are those of _frames. What has a method is a request of the other side;
what has an id that we gave is the reply to it.
"""
import queue
import sys
import threading

from cloudify import _bridge


class DuplexBridge(object):
    """Asks the orchestrator and answers it. Threads may share one.

    serve(method, params) is called for its requests, in threads of its own.
    Requests of the method slow have `threads` of them to themselves, and never
    keep the others waiting.
    """

    def __init__(self, sock, serve, slow, threads):
        self._sock = sock
        self._stream = sock.makefile('rb')
        self._serve = serve
        self._lock = threading.Lock()
        self._waiting = {}
        self._last = 0
        self._broken = None
        self._slow = slow
        self._requests = {True: queue.Queue(), False: queue.Queue()}
        threading.Thread(target=self._read, daemon=True).start()
        for is_slow in [True] * threads + [False] * 2:
            threading.Thread(target=self._work, args=(self._requests[is_slow],), daemon=True).start()

    def call(self, method, **params):
        """Asks, and waits for the reply."""
        return self._ask({'method': method, 'params': params})

    def command(self, *args):
        return self._ask({'args': list(args)})

    def tell(self, method, **params):
        """Sends what needs no reply."""
        self._send({'method': method, 'params': params})

    def _ask(self, request):
        slot = queue.Queue(1)
        with self._lock:
            if self._broken:
                raise _bridge.BridgeError(self._broken)
            self._last += 1
            request['id'] = self._last
            self._waiting[self._last] = slot
        try:
            self._send(request)
            reply = slot.get()
        finally:
            with self._lock:
                self._waiting.pop(request['id'], None)
        if reply is None:
            raise _bridge.BridgeError(self._broken)
        return _bridge._payload(reply)

    def _send(self, frame):
        data = _bridge._encode(frame) + b'\n'
        with self._lock:
            try:
                self._sock.sendall(data)
            except OSError as error:
                raise _bridge.BridgeError('the orchestrator cannot be reached: {0}'.format(error))

    def _read(self):
        try:
            for line in self._stream:
                frame = _bridge._loads(line.decode('utf-8'))
                if 'method' in frame:
                    self._requests[frame['method'] == self._slow].put(frame)
                    continue
                with self._lock:
                    slot = self._waiting.pop(frame.get('id'), None)
                if slot is not None:
                    slot.put(frame)
            why = 'the orchestrator closed the connection'
        except (OSError, ValueError) as error:
            why = 'the connection to the orchestrator broke off: {0}'.format(error)
        with self._lock:
            self._broken = why
            waiting, self._waiting = self._waiting, {}
        for slot in waiting.values():
            slot.put(None)

    def _work(self, requests):
        while True:
            frame = requests.get()
            reply = {'id': frame.get('id')}
            try:
                reply.update(type='result', payload=self._serve(frame['method'], frame.get('params') or {}))
                _bridge._encode(reply)
            except BaseException as error:  # the other side is told of any
                from cloudify import _script
                reply.update(type='error', payload=_script.described(error))
            if frame.get('id') is not None:
                try:
                    self._send(reply)
                except _bridge.BridgeError as error:
                    sys.stderr.write('{0}\n'.format(error))
