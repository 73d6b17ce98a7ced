"""What the types that come with the manager do: components, shared resources,
blueprints and passwords as nodes."""
