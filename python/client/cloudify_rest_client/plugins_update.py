"""Updates of plugins."""
from typing import Any, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class PluginsUpdate(Resource):
    """The deployments of a blueprint on their way to newer plugins."""

    id: str
    state: str
    blueprint_id: str
    temp_blueprint_id: str
    execution_id: str
    deployments_to_update: List[str]
    deployments_per_tenant: Any
    created_at: str
    forced: bool
    tenant_name: str


class PluginsUpdateClient(Nouns):

    path = '/plugins-updates'
    kind = PluginsUpdate
    identifier = 'plugins_update_id'

    def update_plugins(self, blueprint_id, force=False, plugin_names=None, to_latest=None, all_to_latest=True,
                       to_minor=None, all_to_minor=False, mapping=None, auto_correct_types=False,
                       reevaluate_active_statuses=False, all_tenants=False):
        """Begins to move the deployments of a blueprint to newer versions of its plugins."""
        return self.one(self.api.post(self.at(blueprint_id, 'update/initiate'), data=given(
            force=force, plugin_names=plugin_names, to_latest=to_latest, all_to_latest=all_to_latest, to_minor=to_minor,
            all_to_minor=all_to_minor, mapping=mapping, auto_correct_types=auto_correct_types,
            reevaluate_active_statuses=reevaluate_active_statuses, all_tenants=all_tenants)))

    def finalize_plugins_update(self, plugins_update_id):
        """Ends an update."""
        return self.one(self.api.post(self.at(plugins_update_id, 'update/finalize')))
