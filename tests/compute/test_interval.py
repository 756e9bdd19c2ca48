"""Intervals combine as the docs say: exact factors scale, independent ones add in quadrature."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.compute.interval import Interval

positive = st.floats(1e-6, 1e12)
intervals = st.builds(lambda mid, down, up: Interval(mid / down, mid, mid * up), positive, *[st.floats(1, 50)] * 2)


@given(intervals, intervals)
def test_a_product_is_wider_than_its_parts_and_narrower_than_both_worst_cases(left, right):
    product = left.times(right)
    assert product.mid == pytest.approx(left.mid * right.mid)
    widest = max(left.high / left.low, right.high / right.low)
    assert widest * (1 - 1e-9) <= product.high / product.low
    assert left.low * right.low * (1 - 1e-9) <= product.low
    assert product.high <= left.high * right.high * (1 + 1e-9)


@given(intervals)
def test_inverting_twice_gives_the_same(interval):
    again = interval.inverse().inverse()
    assert (again.low, again.mid, again.high) == pytest.approx((interval.low, interval.mid, interval.high))


@given(intervals, intervals)
def test_a_sum_stays_positive(left, right):
    total = left.plus(right)
    assert 0 < total.low <= total.mid == pytest.approx(left.mid + right.mid)


def test_independent_factors_by_hand():
    doubled = Interval(0.5, 1, 2).times(Interval(0.5, 1, 2))
    assert doubled.high == pytest.approx(2 ** math.sqrt(2))
    assert Interval(8, 10, 13).plus(Interval(96, 100, 104)) == Interval(110 - math.hypot(2, 4), 110, 115)


def test_a_known_number_leaves_the_interval_as_it_is():
    assert Interval(1, 2, 4).times(Interval.exact(3)) == Interval(3, 6, 12)
