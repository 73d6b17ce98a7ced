"""What plugins take from here."""
import functools
import importlib
import logging
import os
import random
import shlex
import string
import subprocess
import sys
import tempfile
import threading
import time

from cloudify import _agents, _gaps, constants, exceptions
from cloudify.state import NotInContext, current_ctx, current_workflow_ctx

__getattr__ = _gaps.filler(__name__)

ENV_CFY_EXEC_TEMPDIR = 'CFY_EXEC_TEMP'


def _current_context():
    """The operation's context, or else the workflow's."""
    try:
        return current_ctx.get_ctx()
    except NotInContext:
        return current_workflow_ctx.get_ctx()


def id_generator(size=6, chars=string.ascii_uppercase + string.digits):
    """A random text."""
    return ''.join(random.choice(chars) for _ in range(size))


def get_exec_tempdir():
    """Where temporary files go that shall be executed."""
    return os.environ.get('CFY_EXEC_TEMP') or tempfile.gettempdir()


def create_temp_folder():
    return tempfile.mkdtemp(dir=get_exec_tempdir())


def get_tenant_name():
    return _current_context().tenant_name


def get_tenant():
    return _current_context().tenant


def get_rest_token():
    return _current_context().rest_token


def get_execution_token():
    return _current_context().execution_token


def get_execution_id():
    return _current_context().execution_id


def get_execution_creator_username():
    return _current_context().execution_creator_username


def get_is_bypass_maintenance():
    return bool(_current_context().bypass_maintenance)


def get_workflow_parameters():
    """The parameters of the current workflow."""
    parameters = dict(current_workflow_ctx.get_parameters())
    parameters.pop('ctx', None)
    return parameters


def get_manager_rest_service_protocol():
    return os.environ.get(constants.REST_PROTOCOL_KEY, 'http')


def get_manager_rest_service_host():
    """The hosts of the REST API, as a list."""
    return [host for host in os.environ.get(constants.REST_HOST_KEY, '').split(',') if host]


def get_manager_rest_service_port():
    return int(os.environ.get(constants.REST_PORT_KEY) or 0)


def get_manager_name():
    return os.environ.get(constants.MANAGER_NAME)


def get_manager_file_server_url():
    return os.environ.get(constants.MANAGER_FILE_SERVER_URL_KEY)


def get_manager_file_server_root():
    return os.environ.get(constants.MANAGER_FILE_SERVER_ROOT_KEY)


def get_manager_file_server_scheme():
    return os.environ.get(constants.MANAGER_FILE_SERVER_SCHEME, 'http')


def get_local_rest_certificate():
    return os.environ.get(constants.LOCAL_REST_CERT_FILE_KEY, '')


get_manager_ip = get_manager_rest_service_host  # its old name


def get_broker_ssl_cert_path():
    return os.environ.get(constants.BROKER_SSL_CERT_PATH, '')


def get_local_resources_root():
    return os.environ.get(constants.LOCAL_RESOURCES_ROOT_ENV_KEY)


def get_kerberos_indication(kerberos_env):
    return None if kerberos_env is None else str(kerberos_env).lower() == 'true'


def get_daemon_name():
    return os.environ.get('AGENT_NAME')


def is_management_environment():
    """Operations run on the manager itself."""
    return True


def ipv6_url_compat(addr):
    """An address as URLs have it: IPv6 in brackets."""
    return '[{0}]'.format(addr) if addr and ':' in addr and not addr.startswith('[') else addr


def get_instances_of_node(rest_client, deployment_id=None, node_id=None, _ctx=None):
    """The instances of a node, unless another is named that of the current operation, by their index."""
    if deployment_id is None or node_id is None:
        ctx = _ctx or _current_context()
        deployment_id, node_id = deployment_id or ctx.deployment.id, node_id or ctx.node.id
    return rest_client.node_instances.list(deployment_id=deployment_id, node_id=node_id, sort='index')


def uuid4():
    import uuid
    return str(uuid.uuid4())


def get_func(task_name):
    """The function behind a dotted path."""
    module_name, _, name = task_name.rpartition('.')
    if not module_name:
        raise exceptions.NonRecoverableError('{0!r} does not name a function of a module'.format(task_name))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        if module_name in _agents.MODULES:
            return _agents.operation(name)
        raise exceptions.NonRecoverableError('No module named {0} ({1})'.format(module_name, error))
    if not hasattr(module, name):
        raise exceptions.NonRecoverableError("{0} has no function named '{1}' ".format(module_name, name))
    function = getattr(module, name)
    if not callable(function):
        raise exceptions.NonRecoverableError('{0}.{1} is not callable'.format(module_name, name))
    return function


def format_exception(e):
    """An exception's text with its class."""
    return '{0}: {1}'.format(type(e).__name__, e)


def wait_for(callable_obj, callable_obj_key, value_attr, test_condition, exception_class, msg='', timeout=900):
    """Asks every 3 s until the attribute passes the test; returns what it belongs to."""
    deadline = time.monotonic() + timeout
    while True:
        value = callable_obj(callable_obj_key)
        if test_condition(getattr(value, value_attr)):
            return value
        if time.monotonic() >= deadline:
            raise exception_class(msg)
        time.sleep(3)


def get_executable_path(executable, venv):
    return os.path.join(venv, 'bin', executable)


def get_python_path(venv):
    return get_executable_path('python', venv)


def generate_user_password(password_length=32):
    import secrets
    letters = string.ascii_letters + string.digits
    return ''.join(secrets.choice(letters) for _ in range(password_length))


def unzip(archive, destination=None):
    """Unpacks a zip archive; returns where to."""
    import shutil
    destination = destination or tempfile.mkdtemp()
    shutil.unpack_archive(archive, destination, 'zip')
    return destination


def untar(archive, destination=None):
    """Unpacks a tar archive; returns where to."""
    import tarfile
    destination = destination or tempfile.mkdtemp()
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, 'data_filter'):
            tar.extractall(destination, filter='data')
        else:
            tar.extractall(destination)
    return destination


def extract_archive(source):
    """Unpacks a zip or tar archive; returns where to."""
    import zipfile
    return unzip(source) if zipfile.is_zipfile(source) else untar(source)


class OutputConsumer(object):
    """Logs the lines of a stream in a thread, and keeps them."""

    def __init__(self, out, logger, prefix, ctx=None):
        self.out = out
        self.output = []
        self.logger = logger
        self.prefix = prefix
        self.ctx = ctx
        self.consumer = threading.Thread(target=self.consume_output, daemon=True)
        self.consumer.start()

    def consume_output(self):
        if self.ctx is None:
            self._consume()
        else:
            with current_ctx.push(self.ctx):
                self._consume()

    def _consume(self):
        with self.out:
            for line in self.out:
                line = line.decode('utf-8', 'replace')
                self.output.append(line)
                self.logger.info('%s%s', self.prefix, line.rstrip('\r\n'))

    def join(self):
        self.consumer.join()


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


def plugin_prefix(name, tenant_name, version=None, deployment_id=None):
    """Where the plugin that runs is installed; None for others."""
    ctx = _current_context()
    plugin = getattr(ctx, 'plugin', None)
    return sys.prefix if plugin is not None and name in (plugin.package_name, plugin.name) else None


class ManagerVersion(object):
    """A version of a manager, such as 7.0.5 or 3.4.0-m1, to be compared with others."""

    def __init__(self, raw_version):
        numbers = [int(part) for part in raw_version.split('-')[0].split('.') if part.isdigit()]
        self.major, self.minor, self.service = (numbers + [0, 0, 0])[:3]

    def _key(self):
        return self.major, self.minor, self.service

    def greater_than(self, other):
        """Tells whether it is newer."""
        return self._key() > other._key()

    def equals(self, other):
        """Tells whether both are the same."""
        return self._key() == other._key()

    def __str__(self):
        return '.'.join(str(part) for part in self._key())

    def __eq__(self, other):
        return self.equals(other)

    def __lt__(self, other):
        return self._key() < other._key()

    __hash__ = None


functools.total_ordering(ManagerVersion)


class Internal(object):
    """What the original's own plugins take from here."""

    @staticmethod
    def get_install_method(properties):
        """How the agent of a host is installed, by its node's properties."""
        install_agent = properties.get('install_agent')
        if isinstance(install_agent, bool):
            return 'remote' if install_agent else 'none'
        return (properties.get('agent_config') or {}).get('install_method')


internal = Internal()

KEEP_TRYING_HTTP_TOTAL_TIMEOUT_SEC = 3600
MAX_WAIT_BETWEEN_HTTP_RETRIES_SEC = 60


def keep_trying_http(total_timeout_sec=KEEP_TRYING_HTTP_TOTAL_TIMEOUT_SEC, max_delay_sec=MAX_WAIT_BETWEEN_HTTP_RETRIES_SEC):
    """Has a function called again as long as it fails because a connection does.

    total_timeout_sec bounds that, unless it is None; between calls there are up to
    max_delay_sec seconds.
    """
    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            until = None if total_timeout_sec is None else time.monotonic() + total_timeout_sec
            while True:
                try:
                    return function(*args, **kwargs)
                except Exception as error:
                    if not _is_of_connection(error) or until is not None and time.monotonic() > until:
                        raise
                time.sleep(random.uniform(0, max_delay_sec))
        return call
    return decorate


def _is_of_connection(error):
    """Tells whether an error is one of a connection: of Python itself or of requests, which may not be there."""
    names = {kind.__module__ + '.' + kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, (ConnectionError, TimeoutError)) or not names.isdisjoint(
        ('requests.exceptions.ConnectionError', 'requests.exceptions.Timeout'))


def is_compute(node):
    return constants.COMPUTE_NODE_TYPE in node.type_hierarchy
