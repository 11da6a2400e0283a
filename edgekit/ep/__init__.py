"""Execution providers, one file each: options, what a session needs, and whether this machine can open one.

A provider's file has EP, an Ep. Its short name is the file's; ONNX Runtime's name for it is the Python runtime's,
which reads the same manifests.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from edgekit import registry
from edgekit.data import nearest
from edgekit.ep.provider import Ep, Option
from edgekit.errors import ToolMissing, UsageError
from edgekit.wrappers.python.manifest import PROVIDERS

__all__ = ["Ep", "Option", "attach", "load", "names", "options_problem", "provider", "unavailable"]

_SHARED = ("pipeline", "provider")  # modules here that are no provider


def names() -> list[str]:
    """The providers edgekit knows, sorted."""
    return [name for name in registry.members("edgekit.ep") if name not in _SHARED]


def load(name: str) -> Ep:
    """The provider of this short name.

    Raises:
        UsageError: there is none; the nearest name is suggested.
    """
    if name not in names():
        raise UsageError(
            f"unknown execution provider {name!r}{nearest(name, names())}", next=f"one of: {', '.join(names())}"
        )
    found: Ep = registry.member("edgekit.ep", name).EP
    return found


def provider(name: str) -> str:
    """ONNX Runtime's name of a provider: "qnn" is "QNNExecutionProvider"."""
    return PROVIDERS[load(name).name]


def options_problem(name: str, options: Mapping[str, str]) -> str:
    """What is wrong with the options of a provider, in one line; "" when nothing is."""
    known = {option.key: option for option in load(name).options}
    for key, value in options.items():
        if key not in known:
            return f"the execution provider {name} has no option {key!r}{nearest(key, known)}"
        if refusal := known[key].refusal(value):
            return f"the option {key!r} of {name} {refusal}, not {value!r}"
    return ""


def unavailable(name: str) -> str:
    """Why no session of this provider can be opened on this machine; "" when nothing speaks against it.

    Of a plugin only its package is looked for: whether it finds a device is known when it is loaded, which is for a
    process of its own.
    """
    found = load(name)
    if found.plugin:
        return "" if find_spec(found.plugin) else f"{found.plugin.replace('_', '-')} is not installed"
    import onnxruntime

    here = onnxruntime.get_available_providers()
    return "" if provider(name) in here else f"onnxruntime {onnxruntime.__version__} here is built without it"


def attach(session_options: Any, name: str, options: Mapping[str, str]) -> None:
    """Give onnxruntime.SessionOptions a provider, with these options over those of this machine.

    Raises:
        ToolMissing: this machine has not what the provider needs.
    """
    found = load(name)
    if reason := unavailable(name):
        step = f"pip install {found.plugin.replace('_', '-')}" if found.plugin else "use another machine or provider"
        raise ToolMissing(f"no session of the execution provider {name}: {reason}", next=step)
    full = {**found.defaults(), **options}
    if "backend_type" in options:
        full.pop("backend_path", None)  # one of the two at most
    if found.plugin:
        session_options.add_provider_for_devices(_devices(found)[:1], full)
    else:
        session_options.add_provider(provider(name), full)


def _devices(found: Ep) -> list[Any]:
    """The devices of a plugin, which is registered with ONNX Runtime if it is not yet."""
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    wanted = PROVIDERS[found.name]
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == wanted]
    if not devices:
        try:
            library = registry.named(found.plugin).get_library_path()
            onnxruntime.register_execution_provider_library(wanted, library)
        except (Fail, InvalidArgument, RuntimeException, RuntimeError, OSError, ImportError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ToolMissing(f"the plugin of {found.name} cannot be loaded: {lines[0][:200]}") from None
        devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == wanted]
    if not devices:
        raise ToolMissing(f"the plugin of {found.name} finds no device here", next="use a machine that has one")
    return devices
