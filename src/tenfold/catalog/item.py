"""What a business sells: an item, its variants, and the offer of each.

An item is what shops, UCP and schema.org call a product; here a product is a part of Tenfold (``product/product.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenfold.catalog.money import Money


@dataclass(frozen=True, slots=True)
class Offer:
    """What a variant costs, and whether it can be had.

    ``list_price``: what it cost before, where it is reduced. ``stock``: pieces; none where the shop does not count.
    """

    price: Money
    available: bool
    stock: int | None = None
    list_price: Money | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing that can be bought: an item in one choice of its options, as ``{"color": "blue", "size": "M"}``."""

    id: str
    item: str
    options: Mapping[str, str]
    offer: Offer
    url: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """Something for sale, with at least one variant.

    ``attributes``: what is the same in all variants, as ``{"material": "cotton"}``. ``url``: its page.
    """

    id: str
    title: str
    variants: tuple[Variant, ...]
    description: str = ""
    brand: str = ""
    category: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    image: str = ""
