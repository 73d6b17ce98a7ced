"""Which deployment depends on which."""
from typing import Any

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class InterDeploymentDependency(Resource):
    """A dependency of a deployment on another."""

    id: str
    dependency_creator: str
    source_deployment_id: str
    target_deployment_id: str
    target_deployment_func: Any
    created_at: str


class InterDeploymentDependencyClient(Nouns):

    path = '/deployments/inter-deployment-dependencies'
    kind = InterDeploymentDependency

    @staticmethod
    def _fields(dependency_creator, source_deployment, target_deployment, **fields):
        return given(dependency_creator=dependency_creator, source_deployment=source_deployment,
                     target_deployment=target_deployment, **fields)

    def create(self, dependency_creator, source_deployment, target_deployment=None, external_source=None,
               external_target=None, target_deployment_func=None, **_):
        return self.one(self.api.put(self.path, data=self._fields(
            dependency_creator, source_deployment, target_deployment, external_source=external_source,
            external_target=external_target, target_deployment_func=target_deployment_func)))

    def update_all(self, source_deployment_id, inter_deployment_dependencies):
        """Replaces all that the deployment depends on."""
        return self.api.put('/deployments/{0}/inter-deployment-dependencies'.format(source_deployment_id), data={
            'inter_deployment_dependencies': inter_deployment_dependencies})

    def delete(self, dependency_creator, source_deployment, target_deployment=None, is_component_deletion=False,
               external_source=None, external_target=None, **_):
        return self.api.delete(self.path, data=self._fields(
            dependency_creator, source_deployment, target_deployment, is_component_deletion=is_component_deletion,
            external_source=external_source, external_target=external_target))

    def create_many(self, source_deployment_id, inter_deployment_dependencies):
        """Adds dependencies of a deployment."""
        return self.api.post(self.path, data={
            'source_deployment_id': source_deployment_id, 'inter_deployment_dependencies': inter_deployment_dependencies})
