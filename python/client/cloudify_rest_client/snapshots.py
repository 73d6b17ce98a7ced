"""Snapshots."""
from cloudify_rest_client.executions import Execution
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Snapshot(Resource):
    """A copy of all that a manager holds."""

    id: str
    created_at: str
    created_by: str
    status: str
    error: str


class SnapshotsClient(Nouns):

    path = '/snapshots'
    kind = Snapshot
    identifier = 'snapshot_id'

    def create(self, snapshot_id, include_credentials=False, include_logs=True, include_events=True, queue=False, **_):
        """Begins to make one; returns the execution that does."""
        return Execution(self.api.put(self.at(snapshot_id), data={
            'include_credentials': include_credentials, 'include_logs': include_logs, 'include_events': include_events,
            'queue': queue}))

    def restore(self, snapshot_id, force=False, restore_certificates=False, no_reboot=False, **_):
        """Begins to restore one; returns the execution that does."""
        return Execution(self.api.post(self.at(snapshot_id, 'restore'), data={
            'force': force, 'restore_certificates': restore_certificates, 'no_reboot': no_reboot}))

    def upload(self, snapshot_path, snapshot_id, progress_callback=None):
        """Uploads one: a file, or the URL of one."""
        if '://' in snapshot_path:
            return self.one(self.api.put(self.at(snapshot_id, 'archive'), params={'snapshot_archive_url': snapshot_path}))
        with open(snapshot_path, 'rb') as archive:
            return self.one(self.api.put(self.at(snapshot_id, 'archive'), data=archive))

    def download(self, snapshot_id, output_file, progress_callback=None):
        """Writes one to a file; returns the file's path."""
        return self.api.download(self.at(snapshot_id, 'archive'), output_file)

    def update_status(self, snapshot_id, status, error=None):
        """Notes how far it is."""
        return self.api.patch(self.at(snapshot_id), data=given(status=status, error=error))

    def get_status(self):
        """Whether one is being restored."""
        return self.api.get('/snapshot-status')
