"""What roles may do."""
from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class Permission(Resource):
    """A permission of a role."""

    role: str
    permission: str


class PermissionsClient(Nouns):

    path = '/permissions'
    kind = Permission

    def list(self, role=None):
        """What all roles may do, or one."""
        return self.many(self.api.get(self.at(role) if role else self.path))

    def add(self, permission, role):
        """Gives a role a permission."""
        return self.api.put(self.at(role, permission))

    def delete(self, permission, role):
        """Takes a permission from a role."""
        return self.api.delete(self.at(role, permission))
