import lakehouse.simulated


def test_the_public_names_are_all_there_and_sorted() -> None:
    names = lakehouse.simulated.__all__
    assert names == sorted(names)
    assert all(hasattr(lakehouse.simulated, name) for name in names)
