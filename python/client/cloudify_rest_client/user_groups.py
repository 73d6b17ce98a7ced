"""Groups of users."""
from typing import Any

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Group(Resource):
    """A group of users."""

    name: str
    users: Any
    role: str
    tenants: Any
    ldap_dn: str


class UserGroupsClient(Nouns):

    path = '/user-groups'
    kind = Group
    identifier = 'group_name'

    def create(self, group_name, role, ldap_group_dn=None):
        """Makes a group."""
        return self.one(self.api.post(self.path, data=given(group_name=group_name, role=role, ldap_group_dn=ldap_group_dn)))

    def set_role(self, group_name, new_role):
        """Gives the users of a group a role."""
        return self.one(self.api.post(self.at(group_name), data={'role': new_role}))

    def add_user(self, username, group_name):
        """Puts a user into a group."""
        return self.one(self.api.put(self.at('users'), data={'username': username, 'group_name': group_name}))

    def remove_user(self, username, group_name):
        """Takes a user out of a group."""
        return self.api.delete(self.at('users'), data={'username': username, 'group_name': group_name})
