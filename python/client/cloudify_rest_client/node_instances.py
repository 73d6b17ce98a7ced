"""Node instances."""
from typing import Any, Dict, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class NodeInstance(Resource):
    """An instance of a node."""

    id: str
    node_id: str
    relationships: List[dict]
    host_id: str
    deployment_id: str
    created_by: str
    runtime_properties: Dict[str, Any]
    system_properties: Dict[str, Any]
    state: str
    version: int
    scaling_groups: Any
    index: int
    is_status_check_ok: bool
    has_configuration_drift: bool


class NodeInstancesClient(Nouns):

    path = '/node-instances'
    kind = NodeInstance
    identifier = 'instance_id'

    def get(self, node_instance_id, _include=None, evaluate_functions=False):
        return self.one(self.api.get(self.at(node_instance_id), _include=_include, params={
            '_evaluate_functions': evaluate_functions}))

    def list(self, _include=None, constraints=None, **params):
        """A page of instances. Further parameters are filters: deployment_id, node_id (or node_name)."""
        if 'node_name' in params:
            params.setdefault('node_id', params.pop('node_name'))
        return super(NodeInstancesClient, self).list(_include=_include, constraints=constraints, **params)

    def update(self, node_instance_id, state=None, runtime_properties=None, version=1, force=False, relationships=None,
               system_properties=None):
        """Stores what is given, if nobody changed the instance since version."""
        data = given(state=state, runtime_properties=runtime_properties, system_properties=system_properties,
                     relationships=relationships)
        return self.one(self.api.patch(self.at(node_instance_id), data=dict(data, version=version),
                                       params={'force': True} if force else None))

    def search(self, ids, all_tenants=False):
        return self.many(self.api.post('/searches/node-instances', data={
            'filter_rules': [{'key': 'id', 'values': ids, 'operator': 'any_of', 'type': 'attribute'}]},
            params={'_all_tenants': all_tenants}))

    def create_many(self, deployment_id, node_instances):
        answer = self.api.post(self.path, data={'deployment_id': deployment_id, 'node_instances': node_instances})
        return [self.kind(item) for item in answer['items']]
