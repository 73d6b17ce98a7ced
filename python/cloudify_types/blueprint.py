"""cloudify.nodes.Blueprint: a blueprint as a node."""
from cloudify import ctx
from cloudify.decorators import operation
from cloudify_types import _config, _uploads


@operation(resumable=True)
@_config.fails_for_good
def upload(**inputs):
    client = _config.Target(inputs).client
    _uploads.upload_blueprint(client, _config.setting('resource_config', inputs) or {})
    _uploads.create_secrets(client, _config.setting('secrets', inputs))
    _uploads.upload_plugins(client, _config.setting('plugins', inputs))
    return True


@operation(resumable=True)
@_config.fails_for_good
def delete(**inputs):
    client = _config.Target(inputs).client
    config = _config.setting('resource_config', inputs) or {}
    if not config.get('external_resource'):
        _uploads.delete_blueprint(client, config.get('id') or ctx.instance.id)
    _uploads.delete_plugins(client)
    _uploads.delete_secrets(client, _config.setting('secrets', inputs))
    _config.forget('blueprint')
    return True
