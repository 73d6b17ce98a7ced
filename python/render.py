"""Renders a Jinja2 template for a script that is not Python.

Reads {"template": text, "variables": {...}} and writes {"text": ...}, or
{"missing": true} if there is no Jinja2, or {"type": ..., "message": ...}.
"""
import json
import sys


def answer(request):
    from cloudify import _bridge, _render, context
    if not _render.available():
        return {'missing': True}
    ctx = context.CloudifyContext(_bridge.connect())
    try:
        return {'text': _render.render(request['template'], request['variables'], ctx)}
    except Exception as error:  # whatever a template can raise is the answer
        return {'type': type(error).__name__, 'message': str(error)}


def main():
    request = json.loads(sys.stdin.buffer.read().decode('utf-8'))
    sys.stdout.write(json.dumps(answer(request)))


if __name__ == '__main__':
    main()
