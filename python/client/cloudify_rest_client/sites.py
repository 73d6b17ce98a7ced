"""Sites."""
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Site(Resource):
    """A place on the map."""

    name: str
    location: str
    created_at: str
    visibility: str


class SitesClient(Nouns):

    path = '/sites'
    kind = Site
    identifier = 'name'

    def create(self, name, location=None, visibility='tenant', **_):
        return self.one(self.api.put(self.at(name), data=given(location=location, visibility=visibility)))

    def update(self, name, location=None, visibility=None, new_name=None):
        return self.one(self.api.post(self.at(name), data=given(
            location=location, visibility=visibility, new_name=new_name)))
