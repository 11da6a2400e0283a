"""What a runtime answers, held to the contract: it may be another version's, a trusted bundle's own, or no runtime."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from edgekit.data import Strict, first_fault
from edgekit.errors import DeviceError

Outcome = TypeVar("Outcome", bound=Strict)
NEXT = "run it without --trust-bundle-code; if it persists, report it with what --verbose shows"


def read(form: type[Outcome], answered: Any, action: str, *, extra: Literal["ignore", "forbid"] = "forbid") -> Outcome:
    """The outcome of an action.

    Args:
        extra: what is done with keys that the form has not.

    Raises:
        DeviceError: it has another form.
    """
    try:
        return form.model_validate(answered, extra=extra)
    except ValidationError as error:
        where, message, _ = first_fault(error)
        words = f"{where}: {message}" if where else message
        raise DeviceError(f"the runtime's answer to {action} cannot be used: {words[:300]}", next=NEXT) from None
