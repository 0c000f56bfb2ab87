"""The OpenAPI document: it says everything, and every answer is as it says.

Every operation is asked at random, by everybody who may and may not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from dashboards.access.roles import ROLES
from dashboards.api.document import FIELDS
from dashboards.api.routes import API
from tests.dashboards.access.people import People, boss
from tests.dashboards.district import District
from tests.dashboards.shapes import Document, fields, shapes_of

EXAMPLES = 6
"""For each operation; each is asked by everybody."""

SHAPE = re.compile(r"#/components/schemas/\w+")
UNITS = ("_s", "_m", "_ms", "_deg", "_mps", "_percent", "lat", "lng")


@pytest.fixture
def document(people: People) -> Document:
    """The document, with the routes of users and tokens."""
    return shapes_of(people.app).document


def operations(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Method with path, and description of every operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_says_what_it_answers(document: Document) -> None:
    """JSON has a shape of `answers.py`, everything else a kind; errors are problem documents."""
    wrong = []
    for route, operation in operations(document):
        for status, said in operation["responses"].items():
            for kind, content in said.get("content", {}).items():
                schema = content.get("schema", {})
                refs = [each.get("$ref", "") for each in schema.get("anyOf", [schema])]
                if kind.endswith("json") and not all(map(SHAPE.fullmatch, refs)):
                    wrong.append(f"{route}: {status}: say response_model=, a TypedDict")
                if (
                    int(status) >= 400
                    and kind != "application/problem+json"
                    and "Readiness" not in refs[0]
                ):
                    wrong.append(f"{route}: {status}: an error is of problems.PROBLEMS")
            if status != "204" and not said.get("content"):
                wrong.append(f"{route}: {status}: say response_class=, with a media_type")
    assert not wrong, "\n".join(wrong)


def test_every_route_has_a_name_and_a_summary(document: Document) -> None:
    """The function's name is the operationId, its first sentence the summary: both say what."""
    names = Counter(operation["operationId"] for _, operation in operations(document))
    for route, operation in operations(document):
        name, summary = operation["operationId"], operation["summary"]
        assert names[name] == 1, f"{route}: another route has the name {name}"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name), f"{route}: call the function verb_noun"
        assert len(summary.split()) > 2, f"{route}: its docstring begins with {summary!r}"


def test_every_field_and_parameter_is_described(document: Document) -> None:
    """In fields.toml, with the unit in brackets and an example that is right."""
    said = [(f"{shape}.{name}", name, field, field) for shape, name, field in fields(document)]
    for _, operation in operations(document):
        for each in operation.get("parameters", ()):
            owner = f"{operation['operationId']}.{each['name']}"
            said.append((owner, each["name"], each, each["schema"]))
    wrong = []
    for owner, name, about, schema in said:
        text = about.get("description", "")
        if not text:
            wrong.append(f"{owner}: describe it in dashboards/api/fields.toml")
        elif name.endswith(UNITS) and "[" not in text:
            wrong.append(f"{owner}: state its unit in brackets")
        kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
        if kinds & {"string", "number", "integer"} and not {"const", "examples"} & set(schema):
            wrong.append(f"{owner}: give an example in dashboards/api/fields.toml")
        whole = {**schema, "components": document["components"]}
        wrong += [
            f"{owner}: {example!r} is no example of it"
            for example in schema.get("examples", ())
            if not jsonschema_rs.is_valid(whole, example)
        ]
    assert not wrong, "\n".join(wrong)


def test_no_description_is_left_over(document: Document) -> None:
    """Each entry of fields.toml is of a field or parameter that there is."""
    there = {name for shape, field, _ in fields(document) for name in (field, f"{shape}.{field}")}
    for _, operation in operations(document):
        for each in operation.get("parameters", ()):
            there |= {each["name"], f"{operation['operationId']}.{each['name']}"}
    assert set(FIELDS) - there == set()


def test_every_answer_is_documented(people: People, district: District) -> None:
    """Whatever is asked, right and wrong, by whomever: no 5xx, no status that is not listed.

    And no field that is not described, or of another type.
    """
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
    held = shapes_of(people.app)
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
                kind = {"content-type": answer.headers.get("content-type", [""])[0]}
                told = httpx.Response(answer.status_code, headers=kind, content=answer.content)
                held.hold(case.method, f"{API}{case.formatted_path}", told)

        listed = operation.definition.raw["responses"]
        asked()

    for found in schema.get_all_operations():
        ask(found.ok())
    assert not wrong, "\n".join(wrong)
    assert seen[200] > 200
