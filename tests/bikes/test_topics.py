"""Topics of the contract, and vendors' own patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes import topics
from bikes.topics import NAME, Topic, TopicPattern

NAMES = st.from_regex(NAME, fullmatch=True)


@given(vendor=NAMES, bike_id=NAMES, kind=st.sampled_from(topics.KINDS))
def test_what_is_written_is_read_back(vendor: str, bike_id: str, kind: topics.Kind) -> None:
    """The topic of any valid name is taken apart into that name."""
    assert topics.parse(topics.of_bike(kind, vendor, bike_id)) == (vendor, bike_id, kind)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "patrol/v1/hello/7",
        "patrol/v1/hello/7/telemetry/",
        "/patrol/v1/hello/7/telemetry",
        "patrol/v2/hello/7/telemetry",
        "Patrol/v1/hello/7/telemetry",
        "patrol/v1/hello/7/Telemetry",
        "patrol/v1/hello/7/rejected",
        "patrol/v1/coverage/z1",
        "patrol/v1/alerts/z1/zone_unpatrolled",
        "patrol/v1//7/telemetry",
        "patrol/v1/hello/a b/telemetry",
        "patrol/v1/hello/a+b/telemetry",
        "patrol/v1/智/7/telemetry",
        "patrol/v1/hello/./telemetry",
        "patrol/v1/hello/../telemetry",
        "patrol/v1/hello/e\N{COMBINING ACUTE ACCENT}/telemetry",
        "patrol/v1/hello/7/telemetry\n",
        f"patrol/v1/hello/{'x' * 65}/telemetry",
    ],
)
def test_what_is_not_inbound(topic: str) -> None:
    """What the system publishes itself, and names the contract does not allow, are not inbound."""
    assert topics.parse(topic) is None


def test_topics_as_the_contract_writes_them() -> None:
    """The topics are those of the contract, to the letter."""
    assert topics.parse("patrol/v1/hello/b-7/status") == Topic("hello", "b-7", "status")
    assert topics.of_bike("event", "hello", "b-7") == "patrol/v1/hello/b-7/event"
    assert topics.coverage("z1") == "patrol/v1/coverage/z1"
    assert topics.alert("z1", "zone_unpatrolled") == "patrol/v1/alerts/z1/zone_unpatrolled"
    assert topics.INBOUND_FILTERS == (
        "patrol/v1/+/+/telemetry",
        "patrol/v1/+/+/event",
        "patrol/v1/+/+/status",
    )


@pytest.mark.parametrize("bike_id", ["京A12345", "AA:BB:CC:00:11:22", "HB.001", "é", "Ж-7_", "..."])
def test_ids_as_vendors_have_them(bike_id: str) -> None:
    """Letters and digits of any script, and the marks of plates and MAC addresses."""
    assert topics.parse(topics.of_bike("telemetry", "hello", bike_id)).bike_id == bike_id


@pytest.mark.parametrize(
    ("vendor", "bike_id", "topic"),
    [
        ("hello", "b-7", "patrol/v1/hello/b-7/rejected"),
        ("hello", "HB 001!", "patrol/v1/hello/HB 001!/rejected"),
        ("hello", "", "patrol/v1/hello/unknown/rejected"),
        ("hello", "a/b", "patrol/v1/hello/unknown/rejected"),
        ("hello", "a+", "patrol/v1/hello/unknown/rejected"),
        ("hello", "\x01", "patrol/v1/hello/unknown/rejected"),
        ("hello", "x" * 70_000, "patrol/v1/hello/unknown/rejected"),
        ("Acme GmbH", "7", "patrol/v1/Acme GmbH/7/rejected"),
        ("", "7", None),
        ("a#", "7", None),
    ],
)
def test_a_vendor_hears_where_it_listens(vendor: str, bike_id: str, topic: str | None) -> None:
    """Names are as they came, allowed or not, if something can be published to them."""
    assert topics.rejected(vendor, bike_id) == topic


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a b", "x" * 65, "①²½\u0301", "a\n"])
def test_bad_names_make_no_topic(name: str) -> None:
    """A name that would change the meaning of a topic is refused."""
    for kind in topics.KINDS:
        with pytest.raises(ValueError, match=r"digits and : \. _ -"):
            topics.of_bike(kind, "hello", name)
        with pytest.raises(ValueError, match="A-Z a-z 0-9 _ -"):
            topics.of_bike(kind, name, "7")
    with pytest.raises(ValueError, match="A-Z a-z 0-9 _ -"):
        topics.coverage(name)


@pytest.mark.parametrize(
    ("pattern", "filter_", "topic", "bike_id"),
    [
        ("owntracks/hello/{bike}", "owntracks/hello/+", "owntracks/hello/b7", "b7"),
        ("fleet/bike-{bike}/gps", "fleet/+/gps", "fleet/bike-7/gps", "7"),
        ("{bike}", "+", "7", "7"),
        ("a.b/{bike}/$x", "a.b/+/$x", "a.b/7/$x", "7"),
        ("owntracks/hello/{bike}", "owntracks/hello/+", "owntracks/hello/b 7", "b 7"),
        ("$share/g/acme/{bike}/gps", "$share/g/acme/+/gps", "acme/7/gps", "7"),
        ("$share/g/fleet", "$share/g/fleet", "fleet", ""),
        ("$queue/fleet/{bike}", "$queue/fleet/+", "fleet/京A12345", "京A12345"),
        ("$aws/things/{bike}", "$aws/things/+", "$aws/things/7", "7"),
        ("fleet/{bike}", "fleet/+", "fleet/", None),
        ("owntracks/hello/{bike}", "owntracks/hello/+", "owntracks/hello/b7/event", None),
        ("fleet/bike-{bike}/gps", "fleet/+/gps", "fleet/van-7/gps", None),
        ("a.b/{bike}", "a.b/+", "aXb/7", None),
        ("fleet/gps", "fleet/gps", "fleet/gps", ""),
        ("fleet/gps", "fleet/gps", "fleet/gps/7", None),
    ],
)
def test_pattern(pattern: str, filter_: str, topic: str, bike_id: str | None) -> None:
    """A pattern is subscribed to with a filter, and finds the bike in what it matches only."""
    compiled = TopicPattern(pattern)
    assert compiled.filter == filter_
    assert compiled.bike_id(topic) == bike_id
    assert not bike_id or compiled.meets(TopicPattern(topic))


@given(bike_id=NAMES)
def test_a_pattern_meets_the_topics_in_which_it_finds_a_bike(bike_id: str) -> None:
    pattern = TopicPattern("fleet/bike-{bike}/gps")
    topic = f"fleet/bike-{bike_id}/gps"
    assert pattern.bike_id(topic) == bike_id
    assert pattern.meets(TopicPattern(topic))
    assert not pattern.meets(TopicPattern(f"{topic}/x"))


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("fleet/{bike}/gps", "fleet/beta-{bike}/gps", True),
        ("fleet/{bike}-gps", "fleet/beta-{bike}", True),
        ("fleet/a-{bike}/gps", "fleet/b-{bike}/gps", False),
        ("fleet/{bike}-a/gps", "fleet/{bike}-b/gps", False),
        ("fleet/{bike}/gps", "fleet/beta/{bike}", True),  # fleet/beta/gps
        ("fleet/{bike}/gps", "fleet/beta/x-{bike}", False),
        ("fleet/a{bike}/gps", "fleet/a/gps", False),  # without a bike's id
        ("$share/g/fleet/{bike}", "fleet/{bike}", True),
        ("fleet/{bike}", "fleet/all", True),
        ("fleet/{bike}", "fleet/all/gps", False),
    ],
)
def test_two_patterns_meet_where_a_topic_is_of_both(one: str, other: str, meet: bool) -> None:
    """Whichever comes first."""
    assert TopicPattern(one).meets(TopicPattern(other)) == meet
    assert TopicPattern(other).meets(TopicPattern(one)) == meet


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "it is empty"),
        ("patrol/v1/hello", "need no pattern"),
        ("{bike}/{bike}", "more than once"),
        ("x/{vendor}/{bike}", "only placeholder"),
        ("x/+/{bike}", "wildcards"),
        ("x/{bike}/#", "wildcards"),
        ("x\0/{bike}", "MQTT does not allow"),
        ("x" * 65_535 + "{bike}", "MQTT does not allow"),
        ("patrol/v1/hello/{bike}/telemetry", "need no pattern"),
        ("$share/g/patrol/v1/hello/{bike}/telemetry", "need no pattern"),
        ("$share/fleet", r"is written \$share/group/topic"),
        ("$share/{bike}/fleet", r"is written \$share/group/topic"),
        ("$share/g/", "it is empty"),
    ],
)
def test_bad_pattern(pattern: str, problem: str) -> None:
    """A pattern that cannot work is refused with what to change."""
    with pytest.raises(ValueError, match=problem):
        TopicPattern(pattern)


def test_patterns_are_values() -> None:
    """Two patterns that are written alike are equal."""
    assert TopicPattern("a/{bike}") == TopicPattern("a/{bike}")
    assert len({TopicPattern("a/{bike}"), TopicPattern("a/{bike}")}) == 1
