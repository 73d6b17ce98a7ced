"""Requests to the manager."""
import base64
import json
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request

from cloudify_rest_client import exceptions

DEFAULT_API_VERSION = 'v3.1'
DEFAULT_TIMEOUT = 300  # seconds


class HTTPClient(object):
    """Sends requests to one manager. Threads may share one."""

    def __init__(self, host, port=80, protocol='http', api_version=DEFAULT_API_VERSION, headers=None,
                 query_params=None, cert=None, trust_all=False, username=None, password=None, token=None, tenant=None,
                 kerberos_env=None, timeout=None, session=None):
        self.host = '[{0}]'.format(host) if host and ':' in host and not host.startswith('[') else host
        self.port = port
        self.protocol = protocol
        self.api_version = api_version
        self.cert = cert
        self.trust_all = trust_all
        self.default_timeout_sec = timeout
        self.query_params = dict(query_params or {})
        self.headers = dict(headers or {})
        self.headers.setdefault('Content-type', 'application/json')
        if username is not None and password is not None:
            pair = '{0}:{1}'.format(username, password).encode('utf-8')
            self.headers['Authorization'] = 'Basic ' + base64.b64encode(pair).decode('ascii')
        if token:
            self.headers['Authentication-Token'] = token
        self.tenant_name = tenant or self.headers.get('Tenant')

    @property
    def tenant_name(self):
        return self.headers.get('Tenant')

    @tenant_name.setter
    def tenant_name(self, name):
        if name:
            self.headers['Tenant'] = name
        else:
            self.headers.pop('Tenant', None)

    @property
    def base_url(self):
        return '{0}://{1}:{2}'.format(self.protocol, self.host, self.port)

    @property
    def url(self):
        return '{0}/api/{1}'.format(self.base_url, self.api_version)

    def get(self, uri, data=None, params=None, _include=None, **kwargs):
        if _include:
            params = dict(params or {}, _include=','.join(_include))
        return self.request('GET', uri, data=data, params=params, **kwargs)

    def put(self, uri, data=None, **kwargs):
        return self.request('PUT', uri, data=data, **kwargs)

    def patch(self, uri, data=None, **kwargs):
        return self.request('PATCH', uri, data=data, **kwargs)

    def post(self, uri, data=None, **kwargs):
        return self.request('POST', uri, data=data, **kwargs)

    def delete(self, uri, data=None, **kwargs):
        return self.request('DELETE', uri, data=data, **kwargs)

    def request(self, method, uri, data=None, params=None, headers=None, expected_status_code=None, stream=False,
                versioned_url=True, timeout=None, url_prefix=True, **_):
        """Sends a request and returns what the JSON of the answer says.

        data is a dictionary, or bytes, or a file. With stream the answer itself
        is returned, to be read and closed. An answer other than 2xx raises. The
        address is below that of the API; without url_prefix, below the manager's.
        """
        body, all_headers = data, dict(self.headers, **(headers or {}))
        if isinstance(data, (dict, list)):
            body = json.dumps(data).encode('utf-8')
        elif hasattr(data, 'read') and not isinstance(data, bytes):
            all_headers.setdefault('Content-Length', str(_size(data)))
            all_headers['Content-type'] = 'application/octet-stream'
        request = urllib.request.Request(
            self._address(uri, params, versioned_url, url_prefix), data=body, headers=all_headers, method=method)
        try:
            answer = urllib.request.urlopen(
                request, timeout=_seconds(timeout or self.default_timeout_sec), context=self._tls())
        except urllib.error.HTTPError as refused:
            with refused:
                raise _error(refused)
        except urllib.error.URLError as error:
            raise exceptions.CloudifyClientError('{0} {1}: {2}'.format(method, request.full_url, error.reason))
        if stream:
            return answer
        with answer:
            text = answer.read()
        return json.loads(text.decode('utf-8')) if text.strip() else None

    def download(self, uri, path, params=None):
        """Writes what uri gives to a file; returns its path."""
        with self.get(uri, params=params, stream=True) as answer, open(path, 'wb') as target:
            shutil.copyfileobj(answer, target)
        return path

    def _address(self, uri, params, versioned_url, url_prefix):
        url = self.url if versioned_url else self.url.rsplit('/', 1)[0]
        if not url_prefix:
            url = self.base_url
        query = []
        for key, value in dict(self.query_params, **(params or {})).items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if one is not None:
                    query.append((key, {True: 'true', False: 'false'}[one] if isinstance(one, bool) else one))
        path = urllib.parse.quote(uri, safe="/:%~!$&'()*+,;=@-._")
        return url + path + ('?' + urllib.parse.urlencode(query) if query else '')

    def _tls(self):
        if self.protocol != 'https':
            return None
        context = ssl.create_default_context(cafile=self.cert)
        if self.trust_all:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _seconds(timeout):
    if isinstance(timeout, (tuple, list)):
        return max(timeout)
    return timeout or DEFAULT_TIMEOUT


def _size(file):
    at = file.tell()
    end = file.seek(0, 2)
    file.seek(at)
    return end - at


def _error(refused):
    text = refused.read().decode('utf-8', 'replace')
    try:
        told = json.loads(text)
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    code = told.get('error_code') or ('not_modified' if refused.code == 304 else None)
    kind = exceptions.ERROR_MAPPING.get(code, exceptions.CloudifyClientError)
    message = told.get('message') or told.get('detail') or '{0}: {1}'.format(refused.code, text)
    return kind(message, told.get('server_traceback'), refused.code, error_code=code, response=refused)
