"""API keys: made once, kept as digests, found by what is shown, gone when revoked."""

import json
import threading

import pytest

from tenfold.cli.main import main
from tenfold.core.errors import AssetError, UsageError
from tenfold.pool.keys import Keyring, keys_path, make_key, read_keys, revoke_key
from tenfold.pool.metering.budget import Budget


def test_a_key_opens_until_it_is_revoked_and_the_file_holds_no_secret(tmp_path):
    keyring = Keyring(tmp_path)
    text = make_key(tmp_path, "owner", tenant="acme", note="till 3")
    key = keyring.find(text)
    assert key is not None and (key.role, key.tenant, key.note) == ("owner", "acme", "till 3")
    secret = text.split("_", 2)[2]
    assert len(secret) == 43, "256 bits"
    kept = keys_path(tmp_path)
    assert secret not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert revoke_key(tmp_path, key.id) == key
    assert keyring.find(text) is None


def test_what_is_no_key_of_this_pool_opens_nothing(tmp_path):
    text = make_key(tmp_path, "viewer")
    keyring = Keyring(tmp_path)
    other = make_key(tmp_path / "elsewhere", "operator")
    identity = text.split("_")[1]
    for wrong in ("", "sk-anything", other, text[:-1], text + "A", f"tf_{identity}_{'A' * 43}"):
        assert keyring.find(wrong) is None


@pytest.mark.parametrize(
    ("role", "given", "cause"),
    [
        ("owner", {}, "needs tenant"),
        ("developer", {}, "needs tenant"),
        ("viewer", {"tenant": "acme"}, "takes no tenant"),
        ("owner", {"tenant": "acme\r\nx-tenfold-role: operator"}, "no name of a tenant"),
        ("owner", {"tenant": "acme", "origins": ("https://acme.com",)}, "only a visitor's key"),
        ("visitor", {"tenant": "acme", "origins": ("acme.com",)}, "is no origin"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_what_would(tmp_path, role, given, cause):
    with pytest.raises(UsageError, match=cause) as error:
        make_key(tmp_path, role, **given)
    assert error.value.next_step
    assert read_keys(tmp_path) == ()


def test_a_host_is_one_tenants(tmp_path):
    make_key(tmp_path, "visitor", tenant="acme", hosts=("shop.acme.com",))
    make_key(tmp_path, "visitor", tenant="acme", hosts=("shop.acme.com",))
    with pytest.raises(UsageError, match=r"shop.acme.com is the tenant acme's"):
        make_key(tmp_path, "visitor", tenant="evil", hosts=("evil.example", "Shop.Acme.com"))
    assert len(read_keys(tmp_path)) == 2


def test_keys_that_are_made_at_once_are_all_kept(tmp_path):
    makers = [threading.Thread(target=make_key, args=(tmp_path, "viewer")) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len({key.id for key in read_keys(tmp_path)}) == 8


def test_where_the_file_is_damaged_nobody_is_let_in_and_the_cause_is_said(tmp_path):
    text = make_key(tmp_path, "operator")
    keyring = Keyring(tmp_path)
    assert keyring.find(text) is not None
    whole = keys_path(tmp_path).read_text()
    keys_path(tmp_path).write_text(whole.replace('"operator"', '"visitor"'))
    assert keyring.find(text) is None
    assert "no key is taken" in keyring.trouble
    with pytest.raises(AssetError):
        make_key(tmp_path, "viewer")
    keys_path(tmp_path).write_text(whole)
    assert keyring.find(text) is not None and keyring.trouble == ""


def test_the_command_makes_lists_and_revokes(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    main(["keys"])
    assert "no keys" in capsys.readouterr().out
    main(["keys", "make", "--role", "visitor", "--tenant", "acme", "--origin", "https://acme.com", "--json"])
    made = json.loads(capsys.readouterr().out)
    assert Keyring(tmp_path).find(made["key"]).origins == ("https://acme.com",)
    main(["keys", "--json"])
    (listed,) = json.loads(capsys.readouterr().out)["keys"]
    assert listed["tenant"] == "acme" and "digest" not in listed
    main(["keys", "make", "--role", "developer", "--tenant", "team", "--budget", "2.50 usd", "--json"])
    key = Keyring(tmp_path).find(json.loads(capsys.readouterr().out)["key"])
    assert Keyring(tmp_path).budget_of(key.id) == Budget(amount=2.5, unit="usd")
    main(["keys"])
    assert "2.5 USD a day" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["keys", "make", "--role", "developer", "--tenant", "team", "--budget", "a lot"])
    assert "--budget: 'a lot' is no budget; write it as" in capsys.readouterr().err
    main(["keys", "revoke", listed["id"]])
    assert "revoked" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["keys", "revoke", listed["id"]])
    assert ended.value.code == 2
    assert "there is no key" in capsys.readouterr().err
