"""What plugins take from here."""
import logging
import os
import random
import shlex
import string
import subprocess
import sys
import tempfile

from cloudify import constants, exceptions
from cloudify.state import current_ctx


def id_generator(size=6, chars=string.ascii_uppercase + string.digits):
    """A random text."""
    return ''.join(random.choice(chars) for _ in range(size))


def get_exec_tempdir():
    """Where temporary files go that shall be executed."""
    return os.environ.get('CFY_EXEC_TEMP') or tempfile.gettempdir()


def create_temp_folder():
    return tempfile.mkdtemp(dir=get_exec_tempdir())


def get_tenant_name():
    return current_ctx.get_ctx().tenant_name


def get_tenant():
    return current_ctx.get_ctx().tenant


def get_rest_token():
    return current_ctx.get_ctx().rest_token


def get_execution_token():
    return current_ctx.get_ctx().execution_token


def exception_to_error_cause(exception, tb):
    """An exception in the form that the causes of others have."""
    import traceback
    return {
        'message': str(exception),
        'type': type(exception).__name__,
        'traceback': ''.join(traceback.format_exception(type(exception), exception, tb)),
    }


def setup_logger(logger_name, logger_level=logging.INFO, handlers=None, remove_existing_handlers=True,
                 logger_format=None, propagate=True):
    """A logger that writes to standard output, or to the handlers."""
    logger = logging.getLogger(logger_name)
    if remove_existing_handlers:
        logger.handlers = []
    formatter = logging.Formatter(logger_format or '%(asctime)s [%(levelname)s] [%(name)s] %(message)s', '%H:%M:%S')
    for handler in handlers or [logging.StreamHandler(sys.stdout)]:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    logger.setLevel(logger_level)
    logger.propagate = propagate
    return logger


class CommandExecutionResponse(object):
    """How a command ended."""

    def __init__(self, command, std_out, std_err, return_code):
        self.command = command
        self.std_out = std_out
        self.std_err = std_err
        self.return_code = return_code


class LocalCommandRunner(object):
    """Runs commands on this machine."""

    def __init__(self, logger=None, host='localhost'):
        self.logger = logger or setup_logger('LocalCommandRunner')
        self.host = host

    def run(self, command, exit_on_failure=True, stdout_pipe=True, stderr_pipe=True, cwd=None,
            execution_env=None, encoding='utf-8'):
        """Runs a command, given as a list or a text, without a shell."""
        argv = shlex.split(command) if isinstance(command, str) else list(command)
        text = ' '.join(argv)
        self.logger.debug('[%s] run: %s', self.host, text)
        env = dict(os.environ)
        env.update(execution_env or {})
        try:
            done = subprocess.run(
                argv, cwd=cwd, env=env, stdout=subprocess.PIPE if stdout_pipe else None,
                stderr=subprocess.PIPE if stderr_pipe else None)
        except OSError as error:
            raise exceptions.CommandExecutionError(text, str(error))
        out, err = [(stream or b'').decode(encoding, 'replace').rstrip() for stream in (done.stdout, done.stderr)]
        if done.returncode != 0:
            failure = exceptions.CommandExecutionException(command=text, error=err, output=out, code=done.returncode)
            if exit_on_failure:
                raise failure
            self.logger.error(failure)
        return CommandExecutionResponse(text, out, err, done.returncode)


def is_compute(node):
    return constants.COMPUTE_NODE_TYPE in node.type_hierarchy
