"""Handlers for ctx.instance.update(on_conflict)."""


def simple_merge_handler(previous_props, next_props):
    """Merges two dictionaries that differ in different keys only."""
    merged = dict(next_props)
    for key, value in previous_props.items():
        if key in next_props and next_props[key] != value:
            raise ValueError(
                'runtime property {0!r} was changed to {1!r} here and to {2!r} meanwhile'.format(
                    key, value, next_props[key]))
        merged[key] = value
    return merged
