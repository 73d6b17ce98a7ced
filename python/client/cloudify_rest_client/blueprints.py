"""Blueprints."""
import os
import tarfile
import tempfile
from urllib.parse import urlparse

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Blueprint(Resource):
    """A blueprint."""


def _is_url(location):
    return bool(urlparse(location).scheme) and not os.path.exists(location)


class BlueprintsClient(Nouns):

    path = '/blueprints'
    kind = Blueprint

    def publish_archive(self, archive_location, blueprint_id, blueprint_filename=None, visibility='tenant',
                        async_upload=False, labels=None, **_):
        """Uploads an archive: a file, or the URL of one."""
        params = given(application_file_name=blueprint_filename, visibility=visibility, async_upload=async_upload)
        if labels:
            params['labels'] = ','.join('{0}={1}'.format(*pair) for label in labels for pair in label.items())
        if _is_url(archive_location):
            return self.one(self.api.put(self.at(blueprint_id), params=dict(params, blueprint_archive_url=archive_location)))
        with open(archive_location, 'rb') as archive:
            return self.one(self.api.put(self.at(blueprint_id), data=archive, params=params))

    def upload(self, path, entity_id=None, visibility='tenant', async_upload=False, labels=None, blueprint_id=None, **_):
        """Uploads a blueprint's file, with all that is in its folder."""
        if _is_url(path):
            return self.publish_archive(path, entity_id or blueprint_id, None, visibility, async_upload, labels)
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, 'blueprint.tar.gz')
            source = os.path.dirname(os.path.abspath(path))
            with tarfile.open(archive, 'w:gz') as tar:
                tar.add(source, arcname=os.path.basename(source) or 'blueprint')
            return self.publish_archive(
                archive, entity_id or blueprint_id, os.path.basename(path), visibility, async_upload, labels)

    def download(self, blueprint_id, output_file=None, progress_callback=None):
        return self.api.download(self.at(blueprint_id, 'archive'), output_file or blueprint_id + '.tar.gz')

    def delete(self, blueprint_id, force=False):
        return self.api.delete(self.at(blueprint_id), params={'force': force})

    def update(self, blueprint_id, update_dict):
        return self.one(self.api.patch(self.at(blueprint_id), data=update_dict))

    def set_visibility(self, blueprint_id, visibility):
        return self.one(self.api.patch(self.at(blueprint_id, 'set-visibility'), data={'visibility': visibility}))

    def set_global(self, blueprint_id):
        return self.one(self.api.patch(self.at(blueprint_id, 'set-global')))
