"""cloudify.nodes.PasswordSecret: a password that is made up and kept as a secret."""
import string
from secrets import SystemRandom

from cloudify import ctx, manager
from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError
from cloudify_types import _config, _uploads

_SHORTEST = 6
_CHARACTERS = {
    'uppercase': string.ascii_uppercase,
    'lowercase': string.ascii_lowercase,
    'digits': string.digits,
    'symbols': ' ' + string.punctuation,
}


def _wanted(inputs):
    """The length, and how many of each class there are at least; -1 means none at all."""
    least = {name: _number(name, inputs, 0) for name in _CHARACTERS}
    return _number('length', inputs, 8), least


def _number(name, inputs, default):
    for place in (inputs, ctx.instance.runtime_properties, ctx.node.properties):
        if place.get(name) is not None:
            return place[name]
    return default


@_config.fails_for_good
def creation_validation(**inputs):
    length, least = _wanted(inputs)
    if length < _SHORTEST:
        raise NonRecoverableError('Password length is required to be at least {0} characters'.format(_SHORTEST))
    if min(least.values()) < -1:
        raise NonRecoverableError(
            'Illegal character group length provided: expecting an integer greater than 0, or -1 for not using this '
            'character group')
    if max(least.values()) == -1:
        raise NonRecoverableError(
            'Could not satisfy password requirements: at least one character group should be used')
    if sum(max(0, n) for n in least.values()) > length:
        raise NonRecoverableError(
            'Could not satisfy password requirements: lengths of required character groups is larger than the password '
            'length')
    return True


@operation(resumable=True)
@_config.fails_for_good
def create(**inputs):
    client = manager.get_rest_client()
    name = _config.setting('secret_name', inputs)
    if _config.setting('use_secret_if_exists', inputs):
        if not name:
            raise NonRecoverableError("Can't enable `use_secret_if_exists` property without providing a secret_name")
        if _uploads.has_secret(client, name):
            ctx.logger.info('Using existing password from secret `%s`', name)
            return _remember(name)
    if ctx.instance.runtime_properties.get('password'):
        return True  # it was created before the operation ran again
    name = name or 'ps_{0}_{1}'.format(ctx.deployment.id, ctx.instance.id)
    length, least = _wanted(inputs)
    _uploads.create_secrets(client, {name: _password(length, least)})
    return _remember(name)


def _remember(name):
    ctx.instance.runtime_properties['secret_name'] = name
    ctx.instance.runtime_properties['password'] = {'get_secret': name}
    return True


def _password(length, least):
    random = SystemRandom()
    alphabet = ''.join(_CHARACTERS[name] for name in sorted(least) if least[name] >= 0)
    password = [random.choice(_CHARACTERS[name]) for name in sorted(least) for _ in range(max(0, least[name]))]
    password += [random.choice(alphabet) for _ in range(length - len(password))]
    random.shuffle(password)
    return ''.join(password)


@operation(resumable=True)
@_config.fails_for_good
def delete(**inputs):
    _uploads.delete_secrets(manager.get_rest_client(), [ctx.instance.runtime_properties.get('secret_name')])
    _config.forget('password', 'secret_name')
    return True
