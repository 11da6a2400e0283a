"""A project: the models and targets of one edgekit.toml, built together, and the edgekit.lock that says what they were.

file     edgekit.toml as data
pairs    each model for each of its targets, with the options that hold for it
run      build all pairs; one that fails keeps no other from being built
lock     edgekit.lock: what each bundle was made of, and its sha256
status   what is fresh, what is stale and why, without building
begin    the first edgekit.toml
"""
