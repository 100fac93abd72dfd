"""The decisions of the sensors."""

from zeppelin_pipeline.defs.sensors import hosts_to_list, next_stale_shards


def test_only_hosts_without_a_listing_are_asked_for() -> None:
    assert hosts_to_list(["c.example", "a.example", "b.example"], listed=["b.example"]) == ["a.example", "c.example"]


def test_a_large_network_is_listed_a_bounded_number_of_hosts_at_a_time() -> None:
    hosts = [f"h{number:04d}.example" for number in range(500)]
    assert hosts_to_list(hosts, listed=hosts[:3], limit=50) == hosts[3:53]


def test_hosts_that_cannot_be_listed_hold_up_no_others() -> None:
    hosts = [f"h{number:04d}.example" for number in range(5)]
    assert hosts_to_list(hosts, listed=[], limit=2) == hosts[:2]
    assert hosts_to_list(hosts, listed=[], after=hosts[1], limit=2) == hosts[2:4]
    assert hosts_to_list(hosts, listed=hosts[2:4], after=hosts[3], limit=2) == hosts[4:]
    assert hosts_to_list(hosts, listed=hosts[2:], after=hosts[4], limit=2) == hosts[:2]


def test_stale_shards_are_asked_for_in_order_and_once_for_each_look() -> None:
    shards = ["c~00000", "a~00000", "b~00000"]
    first, cursor = next_stale_shards(shards, 7, None, limit=2)
    second, cursor = next_stale_shards(shards, 7, cursor, limit=2)
    third, cursor = next_stale_shards(shards, 7, cursor, limit=2)
    assert (first, second, third) == (["a~00000", "b~00000"], ["c~00000"], [])
    assert next_stale_shards(shards, 8, cursor, limit=2)[0] == first
