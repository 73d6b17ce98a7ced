"""What users of the client take from here."""
import os
import tarfile
import zipfile


class StreamedResponse(object):
    """An answer whose body is read piece by piece. It is to be closed."""

    def __init__(self, response):
        self._response = response

    @property
    def headers(self):
        """The headers of the answer."""
        return self._response.headers

    def bytes_stream(self, chunk_size=8192):
        """The body, piece by piece."""
        with self._response:
            while True:
                piece = self._response.read(chunk_size)
                if not piece:
                    return
                yield piece

    def close(self):
        """Lets go of the connection."""
        self._response.close()


def get_all(method, path, params=None, **kwargs):
    """All items that a list of the REST API has, page by page, as a generator."""
    params, offset = dict(params or {}), 0
    while True:
        answer = method(path, params=dict(params, _offset=offset), **kwargs)
        for item in answer['items']:
            yield item
        page = (answer.get('metadata') or {}).get('pagination') or {}
        offset += len(answer['items'])
        if not answer['items'] or offset >= page.get('total', 0):
            return


def is_supported_archive_type(path):
    """Tells whether a file is a zip or tar archive."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def tar_blueprint(blueprint_path, target_directory):
    """Packs the folder of a blueprint's file; returns the archive's path."""
    folder = os.path.dirname(os.path.abspath(blueprint_path))
    name = os.path.basename(folder) or 'blueprint'
    path = os.path.join(target_directory, name + '.tar.gz')
    with tarfile.open(path, 'w:gz') as tar:
        tar.add(folder, arcname=name)
    return path
