"""The exceptions that mean something to the orchestrator.

An operation that ends with NonRecoverableError fails for good; with
OperationRetry it asked for another try; with any other exception it is retried
while there are retries left.
"""
from cloudify import _gaps

__getattr__ = _gaps.filler(__name__)


class NonRecoverableError(Exception):
    """The operation failed and shall not be retried."""

    def __init__(self, *args, **kwargs):
        self.causes = kwargs.pop('causes', None) or []
        super(NonRecoverableError, self).__init__(*args, **kwargs)


class RecoverableError(Exception):
    """The operation failed and may be retried.

    retry_after: seconds until the next try, instead of what is configured.
    """

    def __init__(self, message='', retry_after=None, causes=None, **kwargs):
        self.retry_after = retry_after
        self.causes = causes or []
        message = '' if message is None else str(message)
        if retry_after is not None:
            note = '[retry_after={0}]'.format(retry_after)
            if note not in message:
                message = (message + ' ' + note).strip()
        super(RecoverableError, self).__init__(message, **kwargs)


class OperationRetry(RecoverableError):
    """The operation asked to be run again."""


class CloudifySerializationRetry(RecoverableError):
    """The operation waits for its turn among the instances of its node."""


class HttpException(NonRecoverableError):
    """An HTTP request was answered by an error."""

    def __init__(self, url, code, message, causes=None, **kwargs):
        self.url = url
        self.code = code
        self.message = message
        super(HttpException, self).__init__(
            '{0} ({1}) : {2}'.format(code, url, message), causes=causes, **kwargs)


class CommandExecutionError(RuntimeError):
    """A command could not be started."""

    def __init__(self, command, error=None):
        self.command = command
        self.error = error
        super(CommandExecutionError, self).__init__(
            'Failed executing command: {0}.\nerror: {1}'.format(command, error))


class CommandExecutionException(Exception):
    """A command ended with an exit code other than 0."""

    def __init__(self, command, error, output, code):
        self.command = command
        self.error = error
        self.output = output
        self.code = code
        super(CommandExecutionException, self).__init__(
            "Command '{0}' executed with an error.\ncode: {1}\nerror: {2}\noutput: {3}".format(
                command, code, error or None, output or None))


class TimeoutException(Exception):
    """Something took too long."""


class ProcessKillCancelled(NonRecoverableError):
    """The process was ended because its execution was cancelled."""


class ClosedAMQPClientException(Exception):
    """A closed messaging client was used."""


class PluginInstallationError(Exception):
    """A plugin could not be installed."""


class _WithCauses(object):

    def __init__(self, *args, **kwargs):
        self.causes = kwargs.pop('causes', None) or []
        super(_WithCauses, self).__init__(*args, **kwargs)


class StopAgent(_WithCauses, Exception):
    """The agent shall exit after this operation."""


class WorkflowFailed(_WithCauses, RuntimeError):
    """A workflow failed."""

    def __init__(self, *args, **kwargs):
        self.hide_traceback = kwargs.pop('hide_traceback', False)
        super(WorkflowFailed, self).__init__(*args, **kwargs)


class InvalidBlueprintImport(_WithCauses, RuntimeError):
    """A blueprint imports what it cannot."""
