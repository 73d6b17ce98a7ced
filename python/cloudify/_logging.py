"""Sends log records to the orchestrator."""
import logging

from cloudify import _bridge

_LEVELS = ((logging.CRITICAL, 'critical'), (logging.ERROR, 'error'),
           (logging.WARNING, 'warning'), (logging.INFO, 'info'))


def _level(number):
    for least, name in _LEVELS:
        if number >= least:
            return name
    return 'debug'


def send(bridge, handler, record):
    """Sends a record as the handler formats it."""
    try:
        message = handler.format(record)
        message = message.encode('utf-8', 'replace').decode('utf-8')
        bridge.tell('log', level=_level(record.levelno), message=message, **getattr(handler, 'facts', {}))
    except _bridge.BridgeError:
        pass  # the operation has ended; a log line must not break what is left
    except Exception:
        handler.handleError(record)


class _Handler(logging.Handler):

    def __init__(self, bridge, facts):
        super(_Handler, self).__init__()
        self._bridge = bridge
        self.facts = facts

    def emit(self, record):
        send(self._bridge, self, record)


def logger(bridge, name, **facts):
    """A logger of that name that sends everything from DEBUG on.

    facts go with each line.
    """
    result = logging.getLogger('ctx.' + name)
    result.setLevel(logging.DEBUG)
    result.propagate = False
    if facts:
        facts['logger'] = name
    result.handlers = [_Handler(bridge, facts)]
    return result
