"""Nodes and node instances."""
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Node(Resource):
    """A node of a deployment."""


class NodeInstance(Resource):
    """An instance of a node."""


class NodesClient(Nouns):

    path = '/nodes'
    kind = Node

    def get(self, deployment_id, node_id, _include=None, evaluate_functions=False, **params):
        """The node; a LookupError if there is none."""
        answer = self.api.get(self.path, _include=_include, params=dict(
            params, deployment_id=deployment_id, id=node_id, _evaluate_functions=evaluate_functions))
        if not answer['items']:
            raise LookupError('deployment {0} has no node {1}'.format(deployment_id, node_id))
        return self.kind(answer['items'][0])

    def list(self, deployment_id=None, node_id=None, evaluate_functions=None, **params):
        params.update(given(deployment_id=deployment_id, id=node_id, _evaluate_functions=evaluate_functions))
        return super(NodesClient, self).list(**params)

    def update(self, deployment_id, node_id, **fields):
        return self.api.patch(self.at(deployment_id, node_id), data=fields)

    def delete(self, deployment_id, node_id):
        return self.api.delete(self.at(deployment_id, node_id))

    def create_many(self, deployment_id, nodes):
        return self.api.post(self.path, data={'deployment_id': deployment_id, 'nodes': nodes})


class NodeInstancesClient(Nouns):

    path = '/node-instances'
    kind = NodeInstance

    def get(self, node_instance_id, _include=None, evaluate_functions=False):
        return self.one(self.api.get(self.at(node_instance_id), _include=_include, params={
            '_evaluate_functions': evaluate_functions}))

    def list(self, deployment_id=None, node_id=None, node_name=None, **params):
        params.update(given(deployment_id=deployment_id, node_id=node_id or node_name))
        return super(NodeInstancesClient, self).list(**params)

    def update(self, node_instance_id, state=None, runtime_properties=None, system_properties=None,
               relationships=None, version=1, force=False):
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
