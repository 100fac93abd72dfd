"""The decisions of the sensors."""

from zeppelin_pipeline.defs.sensors import hosts_to_list


def test_only_hosts_without_a_listing_are_asked_for() -> None:
    assert hosts_to_list(["c.example", "a.example", "b.example"], listed=["b.example"]) == ["a.example", "c.example"]


def test_a_large_network_is_listed_a_bounded_number_of_hosts_at_a_time() -> None:
    hosts = [f"h{number:04d}.example" for number in range(500)]
    assert hosts_to_list(hosts, listed=hosts[:3], limit=50) == hosts[3:53]
