"""Blueprints."""
import json
import os
import tarfile
import tempfile
from typing import Any, Dict, List, Optional
from urllib.parse import urlparse

from cloudify_rest_client import utils
from cloudify_rest_client.labels import Label
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Blueprint(Resource):
    """A blueprint."""

    _parts = {'labels': Label}

    id: str
    created_at: str
    created_by: str
    main_file_name: str
    plan: Dict[str, Any]
    description: Optional[str]
    state: str
    labels: List[dict]
    upload_execution: Dict[str, Any]
    tenant_name: str
    requirements: Optional[dict]


def _is_url(location):
    return bool(urlparse(location).scheme) and not os.path.exists(location)


class BlueprintsClient(Nouns):

    path = '/blueprints'
    kind = Blueprint
    identifier = 'blueprint_id'

    def publish_archive(self, archive_location, blueprint_id, blueprint_filename=None, visibility='tenant',
                        progress_callback=None, async_upload=False, labels=None, **_):
        """Uploads an archive: a file, or the URL of one."""
        params = given(application_file_name=blueprint_filename, visibility=visibility, async_upload=async_upload)
        if labels is not None:
            params['labels'] = json.dumps(labels)
        if _is_url(archive_location):
            return self.one(self.api.put(self.at(blueprint_id), params=dict(params, blueprint_archive_url=archive_location)))
        with open(archive_location, 'rb') as archive:
            return self.one(self.api.put(self.at(blueprint_id), data=archive, params=params))

    def upload(self, path, entity_id=None, visibility='tenant', progress_callback=None, skip_size_limit=True,
               async_upload=False, labels=None, blueprint_id=None, **_):
        """Uploads a blueprint's file, with all that is in its folder."""
        if _is_url(path):
            return self.publish_archive(path, entity_id or blueprint_id, None, visibility, None, async_upload, labels)
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, 'blueprint.tar.gz')
            source = os.path.dirname(os.path.abspath(path))
            with tarfile.open(archive, 'w:gz') as tar:
                tar.add(source, arcname=os.path.basename(source) or 'blueprint')
            return self.publish_archive(
                archive, entity_id or blueprint_id, os.path.basename(path), visibility, None, async_upload, labels)

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

    def validate(self, path, entity_id, blueprint_filename=None, visibility='tenant', **_):
        """Checks a blueprint that is not to be kept; raises what is wrong with it."""
        if _is_url(path):
            return self.api.put(self.at(entity_id, 'validate'), params=given(
                blueprint_archive_url=path, application_file_name=blueprint_filename, visibility=visibility))
        with tempfile.TemporaryDirectory() as folder, open(utils.tar_blueprint(path, folder), 'rb') as archive:
            return self.api.put(self.at(entity_id, 'validate'), data=archive, params=given(
                application_file_name=os.path.basename(path), visibility=visibility))

    def upload_icon(self, blueprint_id, icon_path):
        """Gives a blueprint a picture: a PNG file."""
        with open(icon_path, 'rb') as icon:
            return self.api.patch(self.at(blueprint_id, 'icon'), data=icon)

    def remove_icon(self, blueprint_id):
        """Takes a blueprint's picture away."""
        return self.api.patch(self.at(blueprint_id, 'icon'))
