"""Runs a script as an operation and tells how it ended."""
import os
import sys

from cloudify import _bridge, _offers, exceptions, state
from cloudify.context import CloudifyContext

ONLY_ONCE = 'ctx may only abort or return once'


class _Decision(object):
    """What a script decided by returns, abort_operation or retry_operation."""

    def __init__(self, ctx):
        self._operation = ctx.operation
        self.result = None
        self.error = None
        self._made = False
        ctx.returns = self.returns
        ctx.abort_operation = self.abort_operation
        ctx.retry_operation = self.retry_operation

    def _once(self):
        if self._made:
            self.result, self.error = None, exceptions.NonRecoverableError(ONLY_ONCE)
            raise RuntimeError(ONLY_ONCE)

    def returns(self, value):
        self._once()
        self.result, self._made = value, value is not None

    def abort_operation(self, message=None):
        self._once()
        self._made = True
        self.error = exceptions.NonRecoverableError('' if message is None else message)
        return self.error

    def retry_operation(self, message=None, retry_after=None):
        self._once()
        self._made = True
        self._operation.retry(message=message, retry_after=retry_after)
        return self._operation._operation_retry


def run(path):
    """Runs the script at path; returns the exit code of this process."""
    for stream in (sys.stdout, sys.stderr):
        # Output is shown as it comes, and never breaks the script.
        stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
    bridge = _bridge.connect()
    ctx = CloudifyContext(bridge)
    result, error = perform(lambda: execute(path), ctx)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    try:
        if error is None:
            try:
                bridge.call('finish', result=result)
                return 0
            except (TypeError, exceptions.NonRecoverableError) as unfit:
                error = exceptions.NonRecoverableError(
                    'the result of the operation must be JSON serializable: {0}'.format(unfit))
        bridge.call('fail', **described(error))
    except exceptions.RecoverableError as unreachable:
        sys.stderr.write('{0}\n'.format(unreachable))
        return 2
    return 1


def perform(function, ctx, is_script=True):
    """Calls function as the operation of ctx: (result, None) or (None, error).

    The result is what function returns, or what ctx.returns was given. Only for
    a script is sys.exit(0) a good end.
    """
    decision = _Decision(ctx)
    error = result = None
    with state.current_ctx.push(ctx, ctx.inputs):
        try:
            result = function()
        except SystemExit as end:
            error = _exit_error(end) if is_script else end
        except BaseException as raised:  # whatever it is, it is the operation's end
            error = raised
        try:
            ctx._save()
        except Exception as unsaved:
            if error is None:
                error = unsaved
            else:
                ctx.logger.error('Runtime properties could not be stored: %s', unsaved)
    if decision.error is not None and (error is None or str(decision.error) == ONLY_ONCE):
        error = decision.error
    if error is None:
        error = ctx.operation._operation_retry
    if error is not None:
        return None, error
    return (decision.result if decision._made else result), None


def _exit_error(end):
    """sys.exit() and sys.exit(0) are a good end of a script."""
    if end.code in (None, 0):
        return None
    if isinstance(end.code, int):
        message = 'the script called sys.exit({0})'.format(end.code)
    else:
        message = str(end.code)
    error = SystemExit(message)
    error.__traceback__ = end.__traceback__
    return error


def execute(path):
    """Runs the script as the main module."""
    with open(path, 'rb') as script:
        source = script.read()
    main = type(sys)('__main__')
    main.__file__ = path
    main.__builtins__ = __builtins__
    sys.modules['__main__'] = main  # so that what it defines can be pickled
    sys.argv = [path]
    sys.path[0] = os.path.dirname(path)
    if _framework not in sys.path:
        sys.path.append(_framework)
    exec(compile(source, path, 'exec'), main.__dict__)


_framework = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_here = os.path.dirname(os.path.abspath(__file__))


def described(error):
    """An exception as the orchestrator is told of it."""
    if isinstance(error, exceptions.OperationRetry):
        verdict, text = 'reschedule', ''
    else:
        verdict = 'non_recoverable' if isinstance(error, exceptions.NonRecoverableError) else 'recoverable'
        text = _traceback(error)
    return {
        'type': type(error).__name__,
        'message': _bounded(_said(error) + _remedy(error)),
        'traceback': _bounded(text),
        'verdict': verdict,
        'retry_after': _number(getattr(error, 'retry_after', None)),
        'causes': [cause for cause in getattr(error, 'causes', None) or [] if isinstance(cause, dict)],
    }


_MOST = 64 << 10  # characters of a text that tells of a failure


def _bounded(text):
    """The text, or its beginning and its end if it is very long."""
    if len(text) <= _MOST:
        return text
    half = _MOST // 2
    return '{0}\n({1} more characters)\n{2}'.format(text[:half], len(text) - _MOST, text[-half:])


def _said(error):
    try:
        return str(error) or _untold(error)
    except Exception as unsaid:
        return 'its text cannot be had, because of {0}'.format(type(unsaid).__name__)


def _remedy(error):
    missing = _offers.missing(error)
    return '; ' + missing if missing else ''


def _untold(error):
    """What an exception without a text means, if that is known."""
    if isinstance(error, SystemExit):
        return 'sys.exit() was called'
    if isinstance(error, MemoryError):
        import resource
        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            return 'it needed more memory than it may have, which is {0} MiB'.format(most >> 20)
    return ''


def _number(value):
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _own(path):
    return os.path.dirname(os.path.abspath(path)) == _here


def _traceback(error):
    """The traceback without this package's own frames at its beginning."""
    import traceback  # takes a while to import, and most scripts end well
    frames = error.__traceback__
    while frames is not None and _own(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return ''.join(traceback.format_exception(type(error), error, frames))
