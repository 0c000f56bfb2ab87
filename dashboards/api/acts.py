"""What people send with whatever they do: why, and who where nobody has to sign in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=2000)]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Act(BaseModel):
    """Why; and who, where nobody has to sign in. Elsewhere the actor is who has signed in."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    actor: Name = "console"
    reason: Text = ""
