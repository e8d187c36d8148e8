"""The HTTP side: a blueprint is the name `blueprint` in a file beside these, found by looking.

Those in `dev/`, the inbox and the gallery, exist in debug only, and for this machine alone.
"""

import importlib
import pkgutil

from flask import Blueprint, Flask

import blueprints.limit_storage  # noqa: F401  Flask-Limiter finds it by its scheme
from blueprints import errors, security, sessions


def init_app(app: Flask) -> None:
    """Register every blueprint, and what holds for all routes."""
    development = _blueprints_in("blueprints.dev") if app.debug else []
    for blueprint in [*_blueprints_in("blueprints"), *development]:
        app.register_blueprint(blueprint)
    security.keep_local(app, development)
    errors.init_app(app)
    security.init_app(app)
    app.context_processor(sessions.page_context)


def _blueprints_in(package: str) -> list[Blueprint]:
    """The blueprints of a package by the names of their modules, each once."""
    path = importlib.import_module(package).__path__
    names = sorted(module.name for module in pkgutil.iter_modules(path))
    modules = [importlib.import_module(f"{package}.{name}") for name in names]
    found = [getattr(module, "blueprint", None) for module in modules]
    # A module may also put its routes on the blueprint of another.
    return list(dict.fromkeys(each for each in found if isinstance(each, Blueprint)))
