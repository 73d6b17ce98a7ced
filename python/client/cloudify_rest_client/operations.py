"""What executions consist of."""
import uuid
from typing import Any, Dict, List, Optional

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Operation(Resource):
    """A task of an execution."""

    id: str
    state: str
    created_at: str
    dependencies: List[str]
    type: str
    parameters: Dict[str, Any]
    name: str
    tasks_graph_id: str

    @property
    def containing_subgraph(self) -> Optional[str]:
        """The id of the subgraph that it is in."""
        return (self.get('parameters') or {}).get('containing_subgraph')

    @property
    def info(self) -> Optional[str]:
        """What it was said to be."""
        return (self.get('parameters') or {}).get('info')


class TasksGraph(Resource):
    """A graph of tasks."""

    id: str
    execution: str
    name: str


class OperationsClient(Nouns):

    path = '/operations'
    kind = Operation
    identifier = 'operation_id'

    def list(self, graph_id=None, _offset=None, _size=None, execution_id=None, state=None, skip_internal=False,
             _include=None):
        """A page of the operations of a graph, or of all graphs of an execution."""
        return self.many(self.api.get(self.path, _include=_include, params=given(
            graph_id=graph_id, _offset=_offset, _size=_size, execution_id=execution_id, state=state,
            skip_internal=skip_internal or None)))

    def create(self, operation_id, graph_id, name, type, parameters, dependencies, **fields):
        return self.one(self.api.put(self.at(operation_id), data=dict(
            given(**fields), graph_id=graph_id, name=name, type=type, parameters=parameters, dependencies=dependencies)))

    def update(self, operation_id, state, **fields):
        return self.api.patch(self.at(operation_id), data=dict(given(**fields), state=state))


class TasksGraphClient(Nouns):

    path = '/tasks_graphs'
    kind = TasksGraph

    def list(self, execution_id, name=None, _include=None):
        return self.many(self.api.get(self.path, _include=_include, params=given(execution_id=execution_id, name=name)))

    def create(self, execution_id, name, operations=None, created_at=None, graph_id=None):
        return self.one(self.api.post(self.at(graph_id or uuid.uuid4()), data=given(
            execution_id=execution_id, name=name, operations=operations, created_at=created_at)))

    def update(self, tasks_graph_id, state):
        """Reports the state of a graph."""
        return self.one(self.api.patch(self.at(tasks_graph_id), data={'state': state}))
