"""What every noun of the API has."""
from cloudify_rest_client.responses import ListResponse, Resource


def given(**values):
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


class Nouns(object):
    """The things below one address: get, list and delete."""

    path = ''
    kind = Resource
    identifier = 'id'  # what get and delete may call the id, too

    def __init__(self, api):
        self.api = api

    def at(self, *parts):
        """The address of one of them, or of something below it."""
        return '/'.join([self.path] + [str(part) for part in parts])

    def one(self, answer):
        return self.kind(answer) if isinstance(answer, dict) else answer

    def many(self, answer):
        return ListResponse([self.kind(item) for item in answer['items']], answer.get('metadata'))

    def _named(self, id, params):
        id = params.pop(self.identifier, id)
        if id is None:
            raise TypeError('{0} is missing'.format(self.identifier))
        return id

    def get(self, id=None, _include=None, **params):
        """One of them by its id, with the fields in _include or all."""
        return self.one(self.api.get(self.at(self._named(id, params)), _include=_include, params=params))

    def list(self, _include=None, sort=None, is_descending=False, filter_id=None, filter_rules=None, constraints=None,
             **params):
        """A page of them. Further parameters are filters: field='value'."""
        if sort:
            params['_sort'] = '-' + sort if is_descending else sort
        if filter_id:
            params['_filter_id'] = filter_id
        if filter_rules or constraints:
            if _include:
                params['_include'] = ','.join(_include)
            data = given(filter_rules=filter_rules, constraints=constraints)
            return self.many(self.api.post('/searches' + self.path, data=data, params=params))
        return self.many(self.api.get(self.path, _include=_include, params=params))

    def delete(self, id=None, **params):
        """Deletes one of them by its id."""
        return self.api.delete(self.at(self._named(id, params)), params=params)
