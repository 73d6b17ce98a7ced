"""Files of the manager."""
import contextlib
import os
import shutil
import tarfile
import tempfile

from cloudify_rest_client.utils import StreamedResponse


class ResourcesClient(object):
    """Files of deployments and blueprints. Where operations run beside them they need none of this."""

    def __init__(self, api):
        self.api = api

    def _at(self, deployment_id, path=''):
        return '/resources/deployments/{0}/{1}/{2}'.format(self.api.tenant_name, deployment_id, path)

    def get_file(self, path, **_):
        """A file by its path below the manager's address, as a StreamedResponse."""
        return StreamedResponse(self.api.get(path, stream=True, url_prefix=False))

    def download_deployment_workdir(self, deployment_id, dst_dir):
        """Writes the files of a deployment's work directory to a folder; returns the folder."""
        with tempfile.TemporaryFile() as archive:
            with self.api.get(self._at(deployment_id), params={'archive': True}, stream=True, url_prefix=False) as answer:
                shutil.copyfileobj(answer, archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                if hasattr(tarfile, 'data_filter'):
                    tar.extractall(dst_dir, filter='data')
                else:
                    tar.extractall(dst_dir)
        return dst_dir

    def upload_deployment_workdir(self, deployment_id, src_dir):
        """Puts the files of a folder into a deployment's work directory."""
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode='w:gz') as tar:
                for name in sorted(os.listdir(src_dir)):
                    tar.add(os.path.join(src_dir, name), name)
            archive.seek(0)
            return self.api.put(self._at(deployment_id), data=archive, params={'extract': 'yes'}, url_prefix=False)

    def upload_deployment_file(self, deployment_id, target_file_path, src_file, src_file_mtime=None):
        """Puts a file into a deployment's work directory."""
        if hasattr(src_file, 'read'):
            return self.api.put(self._at(deployment_id, target_file_path), data=src_file, url_prefix=False)
        with open(src_file, 'rb') as source:
            return self.api.put(self._at(deployment_id, target_file_path), data=source, url_prefix=False)

    def delete_deployment_file(self, deployment_id, file_path):
        """Removes a file of a deployment's work directory."""
        return self.api.delete(self._at(deployment_id, file_path), url_prefix=False)

    @contextlib.contextmanager
    def sync_deployment_workdir(self, deployment_id, local_dir):
        """Copies a deployment's work directory to a folder, and back at the end of a with block."""
        self.download_deployment_workdir(deployment_id, local_dir)
        try:
            yield
        finally:
            self.upload_deployment_workdir(deployment_id, local_dir)
