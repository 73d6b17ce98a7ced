"""Providers of secrets."""
from typing import Any

from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class SecretsProvider(Resource):
    """A place that secrets are kept in."""

    id: str
    name: str
    type: str
    connection_parameters: Any
    created_at: str
    updated_at: str
    visibility: str
    tenant_name: str


class SecretsProvidersClient(Nouns):
    """This manager keeps secrets itself: there is nothing but the list, which is empty."""

    path = '/secrets-providers'
    kind = SecretsProvider
    identifier = 'name'
