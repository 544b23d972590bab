"""Why a result did not pass."""

from collections.abc import Mapping
from typing import Any


def reasons_of(result: Mapping[str, Any]) -> list[str]:
    """Why a result did not pass: the sentences of its gates, or else its error."""
    wrong = [gate["sentence"] for gate in result.get("gates", []) if gate["level"] != "pass"]
    return wrong or ([result["error"]] if "error" in result else [])
