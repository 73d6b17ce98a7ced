"""What a node brings to the manager: blueprints, plugins, secrets."""
import json
import os
import shutil
import tarfile
import tempfile
import urllib.request
import zipfile
from urllib.parse import urlparse

from cloudify import ctx
from cloudify.exceptions import NonRecoverableError
from cloudify.models_states import BlueprintUploadState
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_types._config import check_labels, forget
from cloudify_types._waiting import until

_UPLOAD_TIMEOUT = 30  # seconds
_DOWNLOAD_TIMEOUT = 300  # seconds


def exists(clients, name):
    return bool(clients.list(id=name, _include=['id']))


def upload_blueprint(client, config):
    """Uploads the blueprint that config tells, unless there is one of its id."""
    blueprint_id = config.get('id') or ctx.instance.id
    archive, main_file, labels = config.get('blueprint_archive'), config.get('main_file_name'), config.get('labels') or []
    ctx.instance.runtime_properties['blueprint'] = {
        'id': blueprint_id, 'blueprint_archive': archive, 'application_file_name': main_file, 'labels': labels}
    external = config.get('external_resource')
    if exists(client.blueprints, blueprint_id):
        ctx.logger.info('The blueprint "%s" exists and is used.', blueprint_id)
    elif external:
        raise NonRecoverableError('Blueprint ID "{0}" does not exist on tenant "{1}", but external_resource is {2}.'.format(
            blueprint_id, ctx.tenant_name, external))
    elif not archive:
        raise NonRecoverableError(
            'There is no blueprint "{0}", and no blueprint_archive to upload: name one, or an existing blueprint with '
            'external_resource: true'.format(blueprint_id))
    else:
        check_labels(labels, 'blueprint')
        _upload(client, blueprint_id, archive, main_file, labels)


def _upload(client, blueprint_id, archive, main_file, labels):
    try:
        if _is_url(archive):
            client.blueprints.publish_archive(archive, blueprint_id, main_file, labels=labels, async_upload=True)
        else:
            file, is_folder = _own_resource(archive)
            if is_folder:
                client.blueprints.upload(os.path.join(file, main_file), blueprint_id, labels=labels, async_upload=True)
            else:
                client.blueprints.publish_archive(file, blueprint_id, main_file, labels=labels, async_upload=True)
    except CloudifyClientError as error:
        if 'already exists' not in str(error):
            raise NonRecoverableError('Uploading the blueprint "{0}" failed: {1}'.format(blueprint_id, error))
    if not until(lambda: _is_uploaded(client, blueprint_id), _UPLOAD_TIMEOUT):
        raise NonRecoverableError('Blueprint upload timed out after: {0} seconds.'.format(_UPLOAD_TIMEOUT))


def _is_uploaded(client, blueprint_id):
    blueprint = client.blueprints.get(blueprint_id)
    if blueprint['state'] in BlueprintUploadState.FAILED_STATES:
        raise NonRecoverableError('Blueprint {0} upload failed (state: {1}){2}'.format(
            blueprint_id, blueprint['state'], ': ' + blueprint['error'] if blueprint.get('error') else ''))
    return blueprint['state'] in BlueprintUploadState.END_STATES


def _is_url(location):
    parts = urlparse(location)
    return bool(parts.scheme and parts.netloc)


def _own_resource(path):
    """A file or folder of this deployment's blueprint, copied; and whether it is a folder."""
    try:
        folder = ctx.download_directory(path)
        if os.path.isdir(folder) and os.listdir(folder):
            return folder, True
    except Exception as error:
        ctx.logger.debug('%s is no folder of the blueprint: %s', path, error)
    return ctx.download_resource(path), False


def delete_blueprint(client, blueprint_id):
    """Deletes a blueprint; one that is gone, or that others use, is left."""
    if not exists(client.blueprints, blueprint_id):
        ctx.logger.warning('The blueprint "%s" is gone already.', blueprint_id)
        return
    ctx.logger.info('Deleting the blueprint "%s".', blueprint_id)
    try:
        client.blueprints.delete(blueprint_id)
    except CloudifyClientError as error:
        if error.error_code not in ('dependent_exists_error', 'blueprint_in_use'):
            raise
        ctx.logger.warning('The blueprint "%s" stays, others use it: %s', blueprint_id, error)


_SECRETS = '_created_secrets'


def create_secrets(client, secrets):
    """Creates the secrets of a node; ones that exist are never overwritten. If the
    operation is run again, those that it has got to are finished."""
    known = ctx.instance.runtime_properties
    if not secrets or known.get(_SECRETS) == 'created':
        return
    is_again = _SECRETS in known
    if not is_again:
        taken = [name for name in secrets if has_secret(client, name)]
        if taken:
            raise NonRecoverableError('The secrets: "{0}" already exist, not updating...'.format(', '.join(sorted(taken))))
        known[_SECRETS] = 'creating'
        ctx.instance.update()
    for name, value in secrets.items():
        client.secrets.create(name, str(value), update_if_exists=is_again)
        ctx.logger.info('Created the secret %r', name)
    known[_SECRETS] = 'created'


def has_secret(client, name):
    return bool(client.secrets.list(key=name, _include=['key']))


def delete_secrets(client, names):
    """Removes the secrets of a node, if it was the one that created them."""
    if _SECRETS not in ctx.instance.runtime_properties:
        return
    for name in names or ():
        try:
            client.secrets.delete(name)
        except CloudifyClientError as error:
            if error.status_code != 404:
                raise
        ctx.logger.info('Removed the secret %r', name)
    forget(_SECRETS)


def upload_plugins(client, plugins):
    """Uploads plugins that the manager lacks; remembers which, to remove those."""
    if not plugins or 'plugins' in ctx.instance.runtime_properties:
        return
    ours = []
    for name, plugin in plugins.items():
        with tempfile.TemporaryDirectory() as folder:
            files = _plugin_files(name, plugin, folder)
            package, version = _identity(files[0])
            if package and client.plugins.list(package_name=package, package_version=version, _include=['id']):
                ctx.logger.warning('Plugin "%s" (%s %s) was already uploaded.', name, package, version)
                continue
            together = os.path.join(folder, 'plugin.zip')
            with zipfile.ZipFile(together, 'w') as archive:
                for file in files:
                    archive.write(file, os.path.basename(file))
            ours.append(client.plugins.upload(together)['id'])
            ctx.logger.info('Uploaded the plugin "%s" as %s', name, ours[-1])
    ctx.instance.runtime_properties['plugins'] = ours


def _plugin_files(name, plugin, folder):
    for needed in ('wagon_path', 'plugin_yaml_path'):
        if not plugin.get(needed):
            raise NonRecoverableError('The plugin "{0}" needs wagon_path and plugin_yaml_path; {1} is missing.'.format(
                name, needed))
    sources = [plugin['wagon_path'], plugin['plugin_yaml_path'], plugin.get('icon_png_path')]
    return [_local(source, folder) for source in sources if source]


def _local(source, folder):
    """A copy of a file of this machine, or of what a URL gives."""
    target = os.path.join(folder, os.path.basename(urlparse(source).path))
    if urlparse(source).scheme in ('http', 'https'):
        ctx.logger.info('Downloading %s', source)
        try:
            with urllib.request.urlopen(source, timeout=_DOWNLOAD_TIMEOUT) as answer, open(target, 'wb') as file:
                shutil.copyfileobj(answer, file)
        except OSError as error:  # it doesn't say what it was that could not be had
            raise NonRecoverableError('{0} can\'t be downloaded: {1}'.format(source, error))
    elif os.path.isfile(source):
        shutil.copy(source, target)
    else:
        raise NonRecoverableError('{0} is neither a file of this machine nor an http or https URL'.format(source))
    return target


def _identity(wagon):
    """The package's name and version that a wagon tells; (None, None) if it can't be read."""
    try:
        if zipfile.is_zipfile(wagon):
            with zipfile.ZipFile(wagon) as archive:
                named = [n for n in archive.namelist() if os.path.basename(n) == 'package.json']
                text = archive.read(named[0])
        else:
            with tarfile.open(wagon) as archive:
                named = [m for m in archive.getmembers() if os.path.basename(m.name) == 'package.json']
                text = archive.extractfile(named[0]).read()
        told = json.loads(text.decode('utf-8'))
        return told['package_name'], str(told['package_version'])
    except (IndexError, KeyError, ValueError, tarfile.TarError, zipfile.BadZipFile):
        return None, None


def delete_plugins(client):
    """Removes the plugins that this node has uploaded, but for those in use."""
    for plugin_id in ctx.instance.runtime_properties.get('plugins') or ():
        try:
            client.plugins.delete(plugin_id)
            ctx.logger.info('Removed the plugin "%s".', plugin_id)
        except CloudifyClientError as error:
            if error.error_code != 'plugin_in_use' and 'in use' not in str(error):
                raise NonRecoverableError('Failed to remove plugin {0}: {1}'.format(plugin_id, error))
            ctx.logger.warning('The plugin "%s" stays, others use it.', plugin_id)
    forget('plugins')
