"""Intrinsic functions."""
from typing import Any

from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class EvaluatedFunctions(Resource):
    """What functions give."""

    deployment_id: str
    payload: Any


class EvaluateClient(Nouns):

    def functions(self, deployment_id, context, payload):
        """The payload with its intrinsic functions evaluated."""
        return EvaluatedFunctions(self.api.post('/evaluate/functions', data={
            'deployment_id': deployment_id, 'context': context, 'payload': payload}))
