"""Tenants."""
from typing import Any

from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class Tenant(Resource):
    """A tenant."""

    name: str
    users: Any
    direct_users: str
    group_users: str
    groups: Any
    rabbitmq_username: str
    rabbitmq_password: str
    rabbitmq_vhost: str


class TenantsClient(Nouns):

    path = '/tenants'
    kind = Tenant
    identifier = 'tenant_name'

    def create(self, tenant_name, **fields):
        return self.one(self.api.post(self.at(tenant_name), data=fields or None))

    def add_user(self, username, tenant_name, role):
        return self.one(self.api.put(self.at('users'), data={
            'username': username, 'tenant_name': tenant_name, 'role': role}))

    def remove_user(self, username, tenant_name):
        return self.api.delete(self.at('users'), data={'username': username, 'tenant_name': tenant_name})

    def update_user(self, username, tenant_name, role):
        """Gives a user another role in the tenant."""
        return self.one(self.api.patch(self.at('users'), data={
            'username': username, 'tenant_name': tenant_name, 'role': role}))

    def _group(self, group_name, tenant_name, **role):
        return dict(role, group_name=group_name, tenant_name=tenant_name)

    def add_user_group(self, group_name, tenant_name, role):
        """Lets the users of a group into the tenant."""
        return self.one(self.api.put(self.at('user-groups'), data=self._group(group_name, tenant_name, role=role)))

    def update_user_group(self, group_name, tenant_name, role):
        """Gives the users of a group another role in the tenant."""
        return self.one(self.api.patch(self.at('user-groups'), data=self._group(group_name, tenant_name, role=role)))

    def remove_user_group(self, group_name, tenant_name):
        """Takes the tenant from the users of a group."""
        return self.api.delete(self.at('user-groups'), data=self._group(group_name, tenant_name))
