"""Calls a hook: a function that is told what has happened to an execution."""
from cloudify import utils


def call(ctx, function, context, inputs, **_):
    return utils.get_func(function)(dict(context, rest_token=ctx.rest_token), **inputs)
