"""Secrets."""
from typing import Any

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Secret(Resource):
    """A secret. value is None where it may not be seen."""

    key: str
    value: Any
    created_at: str
    updated_at: str
    visibility: str
    is_hidden_value: bool
    tenant_name: str
    schema: Any
    provider_name: str
    provider_options: Any


class SecretsClient(Nouns):

    path = '/secrets'
    kind = Secret
    identifier = 'key'

    def create(self, key, value, update_if_exists=False, is_hidden_value=False, visibility='tenant', **fields):
        return self.one(self.api.put(self.at(key), data=dict(
            given(**fields), value=value, update_if_exists=update_if_exists, is_hidden_value=is_hidden_value,
            visibility=visibility)))

    def update(self, key, value=None, visibility=None, is_hidden_value=None, **fields):
        return self.one(self.api.patch(self.at(key), data=given(
            value=value, visibility=visibility, is_hidden_value=is_hidden_value, **fields)))

    def set_visibility(self, key, visibility):
        return self.one(self.api.patch(self.at(key, 'set-visibility'), data={'visibility': visibility}))

    def set_global(self, key):
        """Lets all tenants use it."""
        return self.set_visibility(key, 'global')

    def export(self, _include=None, **params):
        """Secrets with their values, for another manager."""
        return self.api.get(self.at('share', 'export'), params=params, _include=_include)

    def import_secrets(self, secrets_list, tenant_map=None, passphrase=None, override_collisions=False):
        """Takes in exported secrets; tells which were there already and which could not be."""
        return self.api.post(self.at('share', 'import'), data=dict(
            given(tenant_map=tenant_map, passphrase=passphrase), secrets_list=secrets_list,
            override_collisions=override_collisions))
