"""Events and logs."""
from cloudify_rest_client.nouns import Nouns, given


class EventsClient(Nouns):

    path = '/events'

    def get(self, execution_id, from_event=0, batch_size=100, include_logs=False):
        """A batch of the events of an execution, and how many there are."""
        page = self.list(include_logs=include_logs, execution_id=execution_id, _offset=from_event, _size=batch_size,
                         sort='reported_timestamp')
        return page.items, page.metadata.pagination.total

    def list(self, include_logs=False, message=None, from_datetime=None, to_datetime=None, _include=None,
             sort='reported_timestamp', **params):
        params['type'] = ['cloudify_event', 'cloudify_log'] if include_logs else ['cloudify_event']
        params.update(given(message=message, _sort=sort))
        if from_datetime or to_datetime:
            ends = [getattr(end, 'isoformat', lambda end=end: end or '')() for end in (from_datetime, to_datetime)]
            params['_range'] = 'reported_timestamp,{0},{1}'.format(*ends)
        return self.many(self.api.get(self.path, _include=_include, params=params))

    def delete(self, deployment_id, include_logs=False, **params):
        params['type'] = ['cloudify_event', 'cloudify_log'] if include_logs else ['cloudify_event']
        return self.api.delete(self.path, params=dict(params, deployment_id=deployment_id))

    def create(self, events=None, logs=None, execution_id=None, agent_name=None, manager_name=None,
               execution_group_id=None):
        """Adds events and logs to an execution."""
        return self.api.post(self.path, data=given(
            events=events, logs=logs, execution_id=execution_id, agent_name=agent_name, manager_name=manager_name,
            execution_group_id=execution_group_id))
