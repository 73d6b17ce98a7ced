"""What an operation of these types works with, and on which manager."""
import functools

from cloudify import ctx, manager
from cloudify.constants import COMPONENT
from cloudify.deployment_dependencies import build_deployment_dependency, format_dependency_creator
from cloudify.exceptions import NonRecoverableError, OperationRetry
from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import ForbiddenWhileCancelling


def fails_for_good(operation):
    """Lets all errors be final, but for refusals because of a cancel, after which
    it is tried again."""
    @functools.wraps(operation)
    def guarded(*args, **kwargs):
        try:
            return operation(*args, **kwargs)
        except ForbiddenWhileCancelling:
            raise OperationRetry('refused while the execution is being cancelled')
        except OperationRetry:
            raise
        except Exception as error:
            text = 'Error in {0}: {1}'.format(operation.__name__, error)
            raise NonRecoverableError(text).with_traceback(error.__traceback__) from None
    return guarded


def setting(name, inputs):
    """An input of the operation, else a runtime property, else a property."""
    return inputs.get(name) or ctx.instance.runtime_properties.get(name) or ctx.node.properties.get(name)


def resource(inputs, part):
    """A part of resource_config: blueprint or deployment."""
    return (setting('resource_config', inputs) or {}).get(part) or {}


def blueprint_id(inputs):
    return resource(inputs, 'blueprint').get('id') or ctx.instance.id


def deployment_id(inputs):
    """The deployment that was made or found, else the one that is asked for."""
    known = ctx.instance.runtime_properties.get('deployment') or {}
    return known.get('id') or resource(inputs, 'deployment').get('id') or ctx.instance.id


# Where the original listens. This manager stands for it on its machine, whatever
# its own port is.
_ORIGINAL_PORTS = (None, 80, 443)


def client_of(config):
    """A client as the property client tells, and whether it leads to this manager."""
    own = manager.get_rest_client()
    hosts = config.get('host') or 'localhost'
    hosts = {hosts} if isinstance(hosts, str) else set(hosts)
    known = {'127.0.0.1', 'localhost'}
    if hosts - known:
        for one in own.manager.get_managers():
            known |= {one.get('private_ip'), one.get('public_ip')}
    if hosts & known and hosts - known:
        ctx.logger.warning('Some of the hosts are other managers (%s), but one is this: taken as this one.',
                           ', '.join(sorted(hosts - known)))
    is_here = bool(hosts & known)
    if is_here and config.get('port') in _ORIGINAL_PORTS:
        config = dict(config, host=own.host, port=own._client.port, protocol=own._client.protocol)
    return CloudifyClient(**config), is_here


class Target(object):
    """The manager that the resource is on: this one, unless the property client
    tells another, or another tenant."""

    def __init__(self, inputs):
        self._config = setting('client', inputs)
        self.is_elsewhere = False
        if self._config:
            self.client, is_here = client_of(self._config)
            self.is_elsewhere = not is_here or self._config.get('tenant') not in (None, '', ctx.tenant_name)
        else:
            self.client = manager.get_rest_client()

    def dependency(self, target, kind=COMPONENT):
        return Dependency(self, format_dependency_creator(kind, ctx.instance.id), target, self._config)


class Dependency(object):
    """That this deployment depends on another; each manager is told of it."""

    def __init__(self, place, creator, target, config):
        self._client = place.client
        there = {'source_deployment': ctx.deployment.id, 'target_deployment': target}
        self._here = None
        if place.is_elsewhere:
            own = manager.get_rest_client()
            there['external_source'] = {
                'deployment': ctx.deployment.id, 'tenant': ctx.tenant_name,
                'host': sorted({one.get('public_ip') for one in own.manager.get_managers()})}
            self._here = build_deployment_dependency(
                creator, source_deployment=ctx.deployment.id,
                external_target={'deployment': target, 'client_config': config})
        self._there = build_deployment_dependency(creator, **there)

    def create(self):
        if self._here:
            manager.get_rest_client().inter_deployment_dependencies.create(**self._here)
        self._client.inter_deployment_dependencies.create(**self._there)

    def delete(self, **how):
        self._client.inter_deployment_dependencies.delete(**dict(self._there, **how))
        if self._here:
            manager.get_rest_client().inter_deployment_dependencies.delete(**dict(self._here, target_deployment=' ', **how))


def check_labels(labels, of):
    """Labels are a list of dictionaries with one entry each."""
    if not isinstance(labels, list) or any(not isinstance(label, dict) or len(label) != 1 for label in labels):
        raise NonRecoverableError(
            'The labels of the {0} are not valid: a list of dictionaries with one entry each is needed, such as '
            "[{{'key': 'value'}}]; they are {1!r}".format(of, labels))


def once(name, do):
    """What do returned the first time, also if the operation is run again."""
    known = ctx.instance.runtime_properties
    if name not in known:
        known[name] = do()
        ctx.instance.update()
    return known[name]


def forget(*names):
    for name in names:
        ctx.instance.runtime_properties.pop(name, None)
