"""Agents."""
from cloudify_rest_client.constants import AgentState  # noqa: F401
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Agent(Resource):
    """An agent."""

    id: str
    host_id: str
    ip: str
    install_method: str
    system: str
    version: str
    node: str
    deployment: str
    name: str
    node_instance_id: str
    rabbitmq_exchange: str
    rabbitmq_username: str
    rabbitmq_password: str
    state: str
    created_at: str
    updated_at: str


class AgentsClient(Nouns):

    path = '/agents'
    kind = Agent
    identifier = 'name'

    def create(self, name, node_instance_id, state='creating', **fields):
        return self.one(self.api.put(self.at(name), data=dict(fields, node_instance_id=node_instance_id, state=state)))

    def update(self, name, state=None, **fields):
        return self.one(self.api.patch(self.at(name), data=dict(fields, **given(state=state))))
