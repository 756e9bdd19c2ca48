"""A folder appears whole or not at all, for whoever may read its parent."""

import pytest

from tenfold.core.paths import new_folder


def test_what_was_filled_appears_at_once_and_others_may_read_it(tmp_path):
    target = tmp_path / "deep" / "target"
    with new_folder(target) as fresh:
        (fresh / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert target.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_what_fails_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="full"), new_folder(tmp_path / "target") as fresh:
        (fresh / "a").write_text("1")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []
