"""The values along an axis are round, on a linear scale and on a logarithmic one."""

import pytest

from hfdemo.ui import axes


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 37, [0, 10, 20, 30]), (-2.4, 3.1, [-2, 0, 2])],
)
def test_the_values_along_an_axis_are_round(low: float, high: float, found: list[float]) -> None:
    assert axes.axis_ticks(low, high) == pytest.approx(found)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.004, 30, [0.01, 0.1, 1, 10]),
        (0.3, 4, [0.5, 1, 2]),
        (1.1, 1.9, [1.2, 1.4, 1.6, 1.8]),
        (1e-20, 1, [1e-20, 1e-17, 1e-14, 1e-11, 1e-8, 1e-5, 1e-2]),
    ],
)
def test_a_logarithmic_axis_has_powers_of_ten_or_what_fits_a_narrow_range(
    low: float, high: float, found: list[float]
) -> None:
    assert axes.log_ticks(low, high) == pytest.approx(found)


def test_equal_distances_on_a_logarithmic_axis_are_equal_factors() -> None:
    frame = axes.Frame(low_y=0.01, high_y=1, log_y=True)
    assert float(frame.y(0.1)) == pytest.approx((float(frame.y(0.01)) + float(frame.y(1))) / 2)


@pytest.mark.parametrize(("values", "log"), [([1e-4, 1e-4], False), ([0.0], False), ([3.0], True), ([1, 100], True)])
def test_an_axis_has_all_values_inside_its_ends_also_where_they_are_the_same(values: list[float], log: bool) -> None:
    low, high = axes.find_range(values, log)
    assert low < min(values) <= max(values) < high
    assert low > 0 or not log
