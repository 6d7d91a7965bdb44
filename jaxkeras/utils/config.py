"""A container for the settings of an experiment."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any


class Config:
    """A container of named values, accessible as attributes or items, that can be frozen and written as JSON.

    Args:
        **kwargs: the initial values.

    Example:

    >>> config = Config(learning_rate=0.1)
    >>> config.seed = 3
    >>> config["learning_rate"], config.seed, config.to_json()
    (0.1, 3, '{"learning_rate": 0.1, "seed": 3}')
    >>> config.freeze()
    """

    _config: dict[str, Any]
    _frozen: bool

    def __init__(self, **kwargs: Any):
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether values can no longer be changed."""
        return self._frozen

    def freeze(self) -> None:
        """Make every later change raise an error."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allow changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changing(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("This Config is frozen, so its values cannot be changed; call `unfreeze()` first.")
        return self._config

    def as_dict(self) -> dict[str, Any]:
        """Copy the values to a dict."""
        return dict(self._config)

    def to_json(self) -> str:
        """The values as JSON."""
        return json.dumps(self._config)

    def keys(self) -> Any:
        """The names."""
        return self._config.keys()

    def values(self) -> Any:
        """The values."""
        return self._config.values()

    def items(self) -> Any:
        """Pairs of name and value."""
        return self._config.items()

    def pop(self, *args: Any) -> Any:
        """Remove and return a value, as `dict.pop` does."""
        return self._changing().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several values, as `dict.update` does."""
        self._changing().update(*args, **kwargs)

    def get(self, keyname: str, value: Any = None) -> Any:
        """The value named `keyname`, or `value` if there is none."""
        return self._config.get(keyname, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(f"{name!r} is the name of a method of Config, so it cannot be used for a value.")
        self._changing()[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_config", "_frozen"):  # copy and pickle look these up before they exist
            raise AttributeError(name)
        if name in self._config:
            return self._config[name]
        close = difflib.get_close_matches(name, self._config, n=1, cutoff=0.7)
        hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(self._config) or 'no values'}."
        raise AttributeError(f"This Config has no value {name!r}{hint}")

    def __setitem__(self, key: str, item: Any) -> None:
        self._changing()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def __contains__(self, item: object) -> bool:
        return item in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_frozen": self._frozen}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
