"""The differences between the settings of several runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastdl.data import Augment


def setting_differences(
    settings: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return the settings in which runs differ.

    Parameters
    ----------
    settings : mapping of str to mapping
        The settings of each run by its name, such as ``FinishedRun.config``. None means
        not set. Nested settings are compared one by one, as "augment.rotate"; those of
        augmentations only if they do something.

    Returns
    -------
    dict of str to dict
        By the name of a setting, its value in each run that has it.
    """
    flat = {run: flat_settings(each) for run, each in settings.items()}
    names = dict.fromkeys(name for each in flat.values() for name in each)
    found = {}
    for name in names:
        values = {run: each[name] for run, each in flat.items() if name in each}
        first = next(iter(values.values()))
        if len(values) < len(flat) or any(value != first for value in values.values()):
            found[name] = values
    return found


def flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are set, nested ones as "augment.rotate"."""
    usual = {"augment": asdict(Augment())}
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            without = usual.get(name, {})
            flat |= {
                f"{name}.{option}": each
                for option, each in value.items()
                if each is not None and each != without.get(option)
            }
        elif value is not None:
            flat[name] = value
    return flat
