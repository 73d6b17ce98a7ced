"""Plugins."""
import re
from typing import Any, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Plugin(Resource):
    """A plugin."""

    id: str
    package_name: str
    archive_name: str
    package_source: str
    package_version: str
    supported_platform: str
    distribution: str
    distribution_version: str
    distribution_release: str
    wheels: List[str]
    excluded_wheels: Any
    supported_py_versions: List[str]
    uploaded_at: str
    created_by: str
    file_server_path: str
    yaml_url_path: str
    title: str
    tenant_name: str
    installation_state: Any
    blueprint_labels: Any
    labels: List[dict]
    resource_tags: Any
    yaml_files_paths: List[str]


class PluginsClient(Nouns):

    path = '/plugins'
    kind = Plugin
    identifier = 'plugin_id'

    def upload(self, plugin_path, plugin_title=None, visibility='tenant', **_):
        """Uploads a plugin's archive: a file, or the URL of one."""
        params = given(title=plugin_title, visibility=visibility)
        if '://' in plugin_path:
            return self.one(self.api.post(self.path, params=dict(params, plugin_archive_url=plugin_path)))
        with open(plugin_path, 'rb') as archive:
            return self.one(self.api.post(self.path, data=archive, params=params))

    def delete(self, plugin_id, force=False):
        return self.api.delete(self.at(plugin_id), data={'force': force})

    def download(self, plugin_id, output_file, progress_callback=None, full_archive=False):
        """Writes its archive to a file, as a whole with the plugin.yaml files; returns the file's path."""
        return self.api.download(
            self.at(plugin_id, 'archive'), output_file, params={'full_archive': True} if full_archive else None)

    def set_visibility(self, plugin_id, visibility):
        return self.one(self.api.patch(self.at(plugin_id, 'set-visibility'), data={'visibility': visibility}))

    def set_global(self, plugin_id):
        """Lets all tenants use it."""
        return self.set_visibility(plugin_id, 'global')

    def set_owner(self, plugin_id, creator):
        """Gives it another owner."""
        return self.update(plugin_id, creator=creator)

    def update(self, plugin_id, **fields):
        """Changes what is kept of it."""
        return self.one(self.api.patch(self.at(plugin_id), data=fields))

    def install(self, plugin_id, managers=None, agents=None):
        """Installs it now, on managers and agents by their names."""
        if not managers and not agents:
            raise RuntimeError('Specify managers or agents to install the plugin on')
        return self.one(self.api.post(self.at(plugin_id), data=dict(
            given(managers=managers, agents=agents), action='install')))

    def set_state(self, plugin_id, state, agent_name=None, manager_name=None, error=None):
        """Notes whether it is installed on a manager or an agent."""
        if agent_name and manager_name:
            raise RuntimeError('Specify agent_name OR manager_name, not both')
        return self.one(self.api.put(self.at(plugin_id), data=dict(
            given(agent=agent_name, manager=manager_name, error=error), state=state)))

    def download_yaml(self, plugin_id, output_file, progress_callback=None):
        """Writes its plugin.yaml to a file; returns the file's path."""
        return self.api.download(self.at(plugin_id, 'yaml'), output_file)

    def get_yaml(self, plugin_id, dsl_version=None, progress_callback=None):
        """The text of its plugin.yaml, of the version of the language that fits best."""
        params = given(dsl_version=dsl_version)
        with self.api.get(self.at(plugin_id, 'yaml'), params=params, stream=True) as answer:
            return answer.read().decode('utf-8')

    def list_yaml_files(self, plugin_id, dsl_version=None):
        """The paths of its plugin.yaml files; with a version, of the one or those that fit."""
        paths = self.get(plugin_id).yaml_files_paths or []
        if not dsl_version:
            return paths
        exact = [path for path in paths if path.endswith('{0}.yaml'.format(dsl_version))]
        return exact[:1] or [path for path in paths if not re.search(r'_\d_\d+\.yaml$', path)]
