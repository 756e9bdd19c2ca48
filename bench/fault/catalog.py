"""All faults of a pool on one machine, by name, in the order in which the bench does them."""

from fault import damage, hostile
from fault.kinds import ANY_STREAMS, FRONT_HANDS, RESIDENT_STREAMS, Fault, Struck, kill, stop
from fault.pool import NotHappened, Pool

FAULTS = (
    Fault("kill_rank", "a ranking resident is killed", kill("rank")),
    Fault("kill_serve", "a chat resident is killed", kill("serve"), RESIDENT_STREAMS),
    Fault("kill_train", "a training worker is killed", kill("train")),
    Fault("kill_controller", "the controller is killed", kill("controller")),
    Fault("kill_front", "the front is killed", kill("front"), ANY_STREAMS, FRONT_HANDS),
    Fault("kill_coordinator", "training's coordinator is killed", kill("coordinator")),
    Fault("kill_nursery", "the parent of all residents is killed", kill("nursery"), ANY_STREAMS),
    Fault("kill_host", "the host process is killed", kill("host"), ANY_STREAMS),
    Fault("kill_raylet", "Ray's process on the node is killed", kill("raylet"), ANY_STREAMS),
    Fault("stop_resident", "a chat resident is stopped (SIGSTOP)", stop("serve"), RESIDENT_STREAMS),
    Fault("stop_controller", "the controller is stopped", stop("controller")),
    Fault("stop_front", "the front is stopped", stop("front")),
    Fault("stop_coordinator", "training's coordinator is stopped", stop("coordinator")),
    Fault("stop_nursery", "the parent of all residents is stopped", stop("nursery")),
    Fault("stop_host", "the host process is stopped", stop("host")),
    Fault("full_disk", "the home's disk is full for 12 s", damage.fill_disk),
    Fault("damaged_ledger", "the ledger is garbled and the controller killed", damage.damage_ledger),
    Fault("damaged_checkpoint", "the newest checkpoint is garbled, the coordinator killed", damage.damage_checkpoint),
    Fault(
        "damaged_model", "the chat model's bytes change, a resident is killed", damage.damage_model, RESIDENT_STREAMS
    ),
    Fault("withheld_bodies", "40 bodies a service never come", hostile.withhold_bodies),
    Fault("query_of_death", "a chat asks for a nested grammar of 600 kB", hostile.ask_query_of_death),
    Fault("endless_headers", "a request has 64 MB of headers", hostile.send_endless_headers),
    Fault("deep_json", "bodies are nested 200,000 deep", hostile.send_deep_json),
    Fault("open_pages", "400 console pages are open", hostile.open_pages),
)


def _no_link(_: Pool) -> Struck:
    raise NotHappened("a pool on one machine has no link between hosts")


CUT_LINK = Fault("cut_link", "the link between two hosts is cut for 20 s", _no_link, ANY_STREAMS)
"""It needs a pool on two hosts, whose link is known once they are made."""
