"""Handlers for ctx.instance.update(on_conflict)."""


def simple_merge_handler(local, latest):
    """Merges two dictionaries that differ in different keys only."""
    merged = dict(latest)
    for key, value in local.items():
        if key in latest and latest[key] != value:
            raise ValueError(
                'runtime property {0!r} was changed to {1!r} here and to {2!r} meanwhile'.format(
                    key, value, latest[key]))
        merged[key] = value
    return merged
