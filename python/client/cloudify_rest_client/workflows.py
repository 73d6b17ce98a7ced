"""Workflows."""
from typing import Any, Dict

from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class Workflow(Resource):
    """A workflow of deployments."""

    id: str
    name: str
    parameters: Dict[str, Any]
    operation: str
    plugin: str
    is_available: bool
    availability_rules: Any


class WorkflowsClient(Nouns):

    path = '/workflows'
    kind = Workflow
