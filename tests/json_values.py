"""Any JSON, and rather JSON with the names that a reader looks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st


def json_values(names: Sequence[str], texts: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Values nested up to 20 deep; objects have some of `names`, whose values may be `texts`."""

    def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        values = inner | st.sampled_from(texts) if texts else inner
        keys = st.sampled_from(names) | st.text(max_size=3)
        return st.lists(inner, max_size=4) | st.dictionaries(keys, values, max_size=6)

    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(leaves, nested, max_leaves=20)
