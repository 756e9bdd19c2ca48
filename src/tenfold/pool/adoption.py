"""Take up residents that were awake before the controller knew of them. It asks each, since nobody else can tell."""

import asyncio
import logging
from collections.abc import Callable, Mapping

import aiohttp

from tenfold.pool.deaths import Deaths
from tenfold.pool.demand import DemandMeter
from tenfold.pool.host import ResidentStatus
from tenfold.pool.moves import Address, Mover
from tenfold.pool.occupancy import Occupancy
from tenfold.pool.process import CountersReport

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 1.0
RESUME_TIMEOUT_S = 3.0


class Adoption:
    """Asks residents whether they are awake: all of them when a controller starts, later those that come back.

    Args:
        occupancy: who lives where.
        meters: told of work that was done before.
        mover: asks, and puts the second of two on a slot to sleep.
        deaths: has those killed that do not answer.
        occupy: notes who is awake on a slot.
        deadline_s: for a resident that is put to sleep.
    """

    def __init__(
        self,
        occupancy: Occupancy,
        meters: Mapping[str, DemandMeter],
        mover: Mover,
        deaths: Deaths,
        occupy: Callable[[str, Address], None],
        deadline_s: float,
    ) -> None:
        self._occupancy = occupancy
        self._meters = meters
        self._mover = mover
        self._deaths = deaths
        self._occupy = occupy
        self._deadline_s = deadline_s

    async def all(self, recorded: Mapping[str, str | None], epoch: int) -> int:
        """Take up all that are awake. Of two awake on one slot (a crash in mid-move) the recorded one stays.

        Args:
            recorded: workload of each slot, as it was last recorded.
            epoch: the last that was recorded.

        Returns:
            The newest epoch that anybody knows of.
        """
        asked = frozenset(self._occupancy.slots)
        found = sorted(self._occupancy.residents.values(), key=lambda r: recorded.get(r.slot or "") != r.workload)
        addresses = [
            (r, r.slot, address) for r in found if r.slot and (address := self._occupancy.address(r.name)) is not None
        ]
        # All at once, and patiently: whoever does not answer is killed, and there may be many, and much to do.
        reports = await asyncio.gather(
            *(self._mover.counters(address, RESUME_TIMEOUT_S) for _, _, address in addresses), return_exceptions=True
        )
        for (resident, slot, address), report in zip(addresses, reports, strict=True):
            if isinstance(report, BaseException):
                if not isinstance(report, aiohttp.ClientError | TimeoutError):
                    raise report
                log.warning("resident %s does not answer on resume: %r", address.name, report)
                # It may be awake, so its slot is its own until it is dead.
                self._deaths.order(address)
                self._occupy(slot, address)
                continue
            epoch = max(epoch, report.epoch)
            await self._take_up(resident, slot, address, report, epoch)
        self._occupancy.unasked -= asked
        return epoch

    async def returned(self, epoch: int) -> int:
        """Take up who is awake on slots that have come, or come back, e.g. those of a host whose link was cut.

        Nothing is decided about such a slot before. One with a resident that does not answer is asked again next time.

        Returns:
            The newest epoch that anybody knows of.
        """
        return max(
            [epoch, *await asyncio.gather(*(self._slot(slot, epoch) for slot in tuple(self._occupancy.unasked)))]
        )

    async def _slot(self, slot: str, epoch: int) -> int:
        living = [(resident, self._occupancy.address(resident.name)) for resident in self._occupancy.living_on(slot)]
        addresses = [(resident, address) for resident, address in living if address is not None]
        try:
            reports = await asyncio.gather(*(self._mover.counters(address, ASK_TIMEOUT_S) for _, address in addresses))
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("slot %s is not taken up again yet: %r", slot, error)
            return epoch
        epoch = max([epoch, *(report.epoch for report in reports)])
        for (resident, address), report in zip(addresses, reports, strict=True):
            await self._take_up(resident, slot, address, report, epoch)
        self._occupancy.unasked.discard(slot)
        return epoch

    async def _take_up(
        self, resident: ResidentStatus, slot: str, address: Address, report: CountersReport, epoch: int
    ) -> None:
        if slot in self._occupancy.slots:
            share = self._occupancy.slots[slot].share
            self._meters[resident.workload].adopt(f"{address.name}#{address.pid}", report.counters(share))
        if report.phase == "asleep":
            return
        if slot in self._occupancy.awake:
            await self._mover.move(address, None, epoch + 1, self._deadline_s)
        else:
            self._occupy(slot, address)
