import lakehouse.sources


def test_the_public_interface_is_what_the_design_names() -> None:
    assert lakehouse.sources.__all__ == [
        "SIMULATED",
        "BreakerState",
        "CandleRequest",
        "CircuitBreaker",
        "Fetched",
        "RawCandle",
        "Sources",
        "asking_order",
        "has_timeframe",
        "is_set_up",
    ]
