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


class _Handler(logging.Handler):

    def __init__(self, bridge):
        super(_Handler, self).__init__()
        self._bridge = bridge

    def emit(self, record):
        try:
            message = self.format(record)
            message = message.encode('utf-8', 'replace').decode('utf-8')
            self._bridge.call('log', level=_level(record.levelno), message=message)
        except _bridge.BridgeError:
            pass  # the operation has ended; a log line must not break what is left
        except Exception:
            self.handleError(record)


def logger(bridge, name):
    """A logger of that name that sends everything from DEBUG on."""
    result = logging.getLogger('ctx.' + name)
    result.setLevel(logging.DEBUG)
    result.propagate = False
    result.handlers = [_Handler(bridge)]
    return result
