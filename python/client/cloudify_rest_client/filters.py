"""Stored filters."""
from typing import Any, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Filter(Resource):
    """A stored filter."""

    id: str
    value: Any
    labels_filter_rules: List[dict]
    attrs_filter_rules: List[dict]
    created_at: str
    updated_at: str
    visibility: str
    tenant_name: str


class FiltersClient(Nouns):

    kind = Filter
    identifier = 'filter_id'

    def __init__(self, api, noun):
        super(FiltersClient, self).__init__(api)
        self.path = '/filters/' + noun

    def create(self, filter_id, filter_rules, visibility='tenant', **_):
        return self.one(self.api.put(self.at(filter_id), data={'filter_rules': filter_rules, 'visibility': visibility}))

    def update(self, filter_id, new_filter_rules=None, new_visibility=None):
        return self.one(self.api.patch(self.at(filter_id), data=given(
            filter_rules=new_filter_rules, visibility=new_visibility)))
