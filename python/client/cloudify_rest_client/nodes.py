"""Nodes."""
from typing import Any, Dict, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Node(Resource):
    """A node of a deployment."""

    id: str
    deployment_id: str
    created_by: str
    properties: Dict[str, Any]
    operations: Dict[str, dict]
    relationships: List[dict]
    blueprint_id: str
    plugins: List[dict]
    number_of_instances: int
    planned_number_of_instances: int
    deploy_number_of_instances: int
    unavailable_instances: int
    drifted_instances: int
    host_id: str
    type_hierarchy: List[str]
    type: str


class NodeTypes(Resource):
    """A type that nodes of deployments have."""

    id: str
    deployment_id: str
    type: str


class NodeTypesClient(Nouns):

    path = '/node-types'
    kind = NodeTypes

    def list(self, node_type=None, constraints=None, **params):
        """The types of the nodes of deployments that match the constraints."""
        params.update(given(_search=node_type))
        return self.many(self.api.post('/searches' + self.path, data=given(constraints=constraints), params=params))


class NodesClient(Nouns):

    path = '/nodes'
    kind = Node

    def __init__(self, api):
        super(NodesClient, self).__init__(api)
        self.types = NodeTypesClient(api)

    def get(self, deployment_id, node_id, _include=None, evaluate_functions=False, **params):
        """The node; None if there is none."""
        answer = self.api.get(self.path, _include=_include, params=dict(
            params, deployment_id=deployment_id, id=node_id, _evaluate_functions=evaluate_functions))
        return self.kind(answer['items'][0]) if answer['items'] else None

    def list(self, _include=None, filter_rules=None, constraints=None, **params):
        """A page of nodes. Further parameters are filters: deployment_id, node_id; and evaluate_functions."""
        params.update(given(id=params.pop('node_id', None), _evaluate_functions=params.pop('evaluate_functions', None)))
        return super(NodesClient, self).list(
            _include=_include, filter_rules=filter_rules, constraints=constraints, **params)

    def update(self, deployment_id, node_id, **fields):
        return self.api.patch(self.at(deployment_id, node_id), data=fields)

    def delete(self, deployment_id, node_id):
        return self.api.delete(self.at(deployment_id, node_id))

    def create_many(self, deployment_id, nodes):
        return self.api.post(self.path, data={'deployment_id': deployment_id, 'nodes': nodes})
