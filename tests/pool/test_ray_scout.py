"""Which of Ray's nodes are alive: Ray itself notices a dead raylet late."""

import os
import socket

from tenfold.pool.ray_scout import RayScout, _ghosts
from tenfold.pool.scout import ScoutSpec, Told


def node(name: str, port: int, *, address: str = "127.0.0.1", alive: bool = True) -> dict[str, object]:
    return {"NodeID": name, "NodeManagerAddress": address, "NodeManagerPort": port, "Alive": alive}


async def test_a_raylet_that_died_a_moment_ago_is_a_ghost_beside_its_heir_and_a_living_twin_is_not():
    with socket.create_server(("127.0.0.1", 0)) as heir, socket.create_server(("127.0.0.1", 0)) as twin:
        with socket.create_server(("127.0.0.1", 0)) as dead:
            ports = [s.getsockname()[1] for s in (heir, twin, dead)]
        found = [node("heir", ports[0]), node("twin", ports[1]), node("dead", ports[2])]
        assert await _ghosts(found, "heir") == {"dead"}


async def test_nobody_knocks_at_another_machine_with_one_raylet():
    with socket.create_server(("127.0.0.1", 0)) as own:
        found = [node("own", own.getsockname()[1]), node("b", 1, address="127.0.0.2"), node("c", 1, alive=False)]
        assert await _ghosts(found, "own") == set()


async def test_the_own_raylet_is_known_to_be_dead_at_once():
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
    assert await _ghosts([node("own", port), node("b", 1, address="127.0.0.2")], "own") == {"own"}


def test_an_address_at_which_nobody_listens_is_told_at_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    told, out = os.pipe()
    with os.fdopen(told, "rb") as lines:
        assert not RayScout(ScoutSpec(address=address, home=str(tmp_path), claim_gpus=False), out).connect()
        os.close(out)
        said = Told.model_validate_json(lines.readline())
    assert f"no Ray cluster answers at '{address}': nobody listens there" in said.failed
    assert "ray start --head" in said.next_step
