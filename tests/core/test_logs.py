"""Logs say when, how grave, who and for which request; they are bounded, and no line is lost by rotating them."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from small_disk import WAYS, small_disk
from tenfold.core import logs
from tenfold.core.logs import KEPT_LOGS, append_line, open_log, rotate_logs


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(logs, "LOG_LIMIT_BYTES", 1000)


def parts(path) -> list[str]:
    """All parts of a log, the oldest first."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(KEPT_LOGS, 0, -1)]
    return [part.read_text() for part in (*older, path) if part.exists()]


def test_a_line_has_time_level_process_and_the_request_that_it_is_about():
    program = (
        "import logging\n"
        "from tenfold.core.logs import REQUEST, end_process, log_as\n"
        "log_as('rank@n0/cpu0 100%')\n"
        "log = logging.getLogger('tenfold.rank')\n"
        "log.info('loaded %d', 3)\n"
        "logging.getLogger('aiohttp').info('chatter')\n"
        "REQUEST.set('abc-1')\n"
        "log.warning('odd')\n"
        "log.warning('request abc-1 is told already')\n"
        "end_process(3, ValueError('broken'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    process = r"rank@n0/cpu0 100%\[\d+\]"
    assert re.fullmatch(rf"{when} INFO {process} tenfold.rank: loaded 3", lines[0])
    assert re.fullmatch(rf"{when} WARNING {process} tenfold.rank: odd \(request abc-1\)", lines[1])
    assert re.fullmatch(rf"{when} WARNING {process} tenfold.rank: request abc-1 is told already", lines[2])
    assert re.fullmatch(rf"{when} CRITICAL {process} .*: an error ends this process \(request abc-1\)", lines[3])
    assert lines[-1] == "ValueError: broken"


def test_a_log_that_has_grown_is_emptied_under_its_writer_and_all_lines_are_kept(tmp_path, small_limit):
    path = tmp_path / "front.log"
    program = "import time\nfor n in range(400): print(n, flush=True); time.sleep(0.002)"
    descriptor = open_log(path)
    with subprocess.Popen([sys.executable, "-c", program], stdout=descriptor) as writer:
        while writer.poll() is None:
            os.kill(writer.pid, signal.SIGSTOP)  # between copying and emptying nothing is written
            rotate_logs(tmp_path)
            os.kill(writer.pid, signal.SIGCONT)
            time.sleep(0.01)
    os.close(descriptor)
    assert "".join(parts(path)).splitlines() == [str(number) for number in range(400)]
    assert len(parts(path)) == 2


def test_only_the_last_parts_are_kept_and_small_logs_are_left_alone(tmp_path, small_limit):
    (tmp_path / "small.log").write_text("x" * 1000)
    path = tmp_path / "front.log"
    for number in range(10):
        append_line(path, f"{number}" * 1001)
        rotate_logs(tmp_path)
    assert [part[0] for part in parts(path) if part] == ["7", "8", "9"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("front.log", "front.log.1", "front.log.2", "front.log.3"),
        "small.log",
    ]


@pytest.mark.parametrize("way", WAYS)
def test_on_a_full_disk_a_log_is_kept_and_no_half_copy_is_left(tmp_path, small_limit, way):
    with small_disk(way, tmp_path) as disk:
        path = tmp_path / "front.log"
        append_line(path, "a" * 5000)
        disk.fill()
        rotate_logs(tmp_path)
        assert parts(path) == ["a" * 5000 + "\n"]
        disk.free()
        rotate_logs(tmp_path)
        assert parts(path) == ["a" * 5000 + "\n", ""]


def test_while_another_process_rotates_this_one_does_not(tmp_path, small_limit):
    path = tmp_path / "front.log"
    append_line(path, "a" * 5000)
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    rotate_logs(tmp_path)
    assert len(parts(path)) == 1
    os.close(other)
    rotate_logs(tmp_path)
    assert len(parts(path)) == 2


def test_no_line_holds_a_key_whatever_quotes_it():
    program = (
        "import logging\n"
        "from tenfold.core.logs import log_as\n"
        "log_as('front')\n"
        "key = 'tf_0123456789ab_' + 'Ab-_9' * 8 + 'xyz'\n"
        "log = logging.getLogger('tenfold.pool')\n"
        "log.warning('GET /v1/shop?key=%s&a=1', key)\n"
        "try:\n"
        "    raise ValueError(f'no such address: http://x/?key={key}')\n"
        "except ValueError:\n"
        "    log.exception('it failed')\n"
    )
    lines = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    assert "/v1/shop?key=tf_0123456789ab_...&a=1" in lines and "?key=tf_0123456789ab_...\n" in lines
    assert "Ab-_9" not in lines
