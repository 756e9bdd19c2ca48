"""What hosts report: who lives, who is out of reach, and who must be killed."""

import asyncio
import time

from tenfold.pool.deaths import Deaths
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.reports import HostsReport

HOSTS_SILENT_S = 5.0
RESTARTS_BEFORE_ALARM = 2


class Census:
    """Takes the supervisor's reports of all hosts.

    Attributes:
        taken: set once the first report was taken.
    """

    def __init__(self, known: Knowledge, deaths: Deaths) -> None:
        self._known = known
        self._deaths = deaths
        # By the clock that only goes on: nobody is silent because the wall clock was set.
        self._taken_at = time.monotonic()
        self.taken = asyncio.Event()

    async def take(self, report: HostsReport) -> dict[str, int]:
        """Take a report; returns the residents to kill now, name to process id."""
        known = self._known
        self._taken_at = time.monotonic()
        is_new = known.occupancy.take(report.slots, report.residents)
        known.totals.restarted(report.residents)
        dead = known.occupancy.dead()
        for slot, address in dead:
            known.lose(slot, address)
        if dead:
            # At once: a request that is sent to a host out of reach is seconds late.
            await known.routes.announce()
        self._raise_alarms(report)
        if is_new:
            known.nudged.set()
        await self._deaths.confirm()
        self.taken.set()
        return self._deaths.ordered()

    def _raise_alarms(self, report: HostsReport) -> None:
        texts = {
            f"broken {resident.name}": f"{resident.name} does not stay up; it {resident.last_words}"
            for resident in report.residents
            if resident.restarts >= RESTARTS_BEFORE_ALARM and resident.url is None
        }
        texts |= {
            f"node {node}": f"the host of node {node} does not answer: its slots are left out until it does"
            for node in report.out_of_reach
        }
        texts |= {f"process {name}": text for name, text in report.troubles.items()}
        self._known.alarms.replace("census", texts)

    def fault(self) -> str:
        """Say what is wrong with the reports, or nothing."""
        silent_s = time.monotonic() - self._taken_at
        if silent_s <= HOSTS_SILENT_S:
            return ""
        return f"no report from the supervisor for {silent_s:.0f} s: deaths are not noticed, and nobody can be killed"
