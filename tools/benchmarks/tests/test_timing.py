"""What the times of answers come to."""

from tools.benchmarks.timing import Times, auc


def test_auc_is_half_where_nothing_can_be_told_and_one_where_all_can():
    assert auc([1, 2, 3], [1, 2, 3]) == 0.5
    assert auc([4, 5], [1, 2, 3]) == 1
    assert auc([1, 2], [3]) == 0
    assert auc([2], [1, 2, 3, 4]) == 0.375


def test_the_best_of_each_address_is_compared_as_well():
    times = Times(known=[[0.9, 0.2], [0.9, 0.2]], unknown=[[0.3, 0.1], [0.3, 0.1]])
    assert times.cells() == ["0.750", "1.000", "550", "200"]
