"""Every operation of the OpenAPI document, asked at random by everybody who may and may not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from dashboards.access.roles import ROLES
from tests.dashboards.access.people import People, boss
from tests.dashboards.district import District

EXAMPLES = 6
"""For each operation; each is asked by everybody."""


def test_every_answer_is_documented(people: People, district: District) -> None:
    """Whatever is asked, right and wrong, by whomever: no 5xx, no status that is not listed."""
    known = {
        "zone_id": "cy-04",
        "bike_id": "bike-03",
        "alert_id": district.raise_alert("cy-08"),
        "username": "vera",
    }
    asking: list[dict[str, str]] = [{}, {"Authorization": "Bearer unknown"}]
    for role in ROLES:
        token = people.access.add_token(boss(people.access), role, role)[1]
        asking.append({"Authorization": f"Bearer {token}"})
    here = {"Host": "127.0.0.1"}
    people.app.state.feed.close()  # a stream would never end
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", people.app, headers=here)
    wrong: Counter[str] = Counter()
    seen: Counter[int] = Counter()

    def ask(operation: Any) -> None:
        right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        twisted = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=right | twisted, there=st.booleans())
        def asked(case: Any, there: bool) -> None:
            if there:
                case.path_parameters |= {
                    k: v for k, v in known.items() if k in case.path_parameters
                }
            for who in asking:
                others = {k: v for k, v in case.headers.items() if k != "Authorization"}
                case.headers = {**others, **here, **who}
                answer = case.call()
                seen[answer.status_code] += 1
                if answer.status_code >= 500 or str(answer.status_code) not in listed:
                    wrong[f"{operation.label}: {answer.status_code} {answer.text[:300]}"] += 1

        listed = operation.definition.raw["responses"]
        asked()

    for found in schema.get_all_operations():
        ask(found.ok())
    assert not wrong, "\n".join(wrong)
    assert seen[200] > 200
