"""The catalogue against the documentation of the very releases that the other tests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .drift import EXPECTED, documentation_of, listing
from .provision import RELEASES

if TYPE_CHECKING:
    from .provision import Release


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: f"asterisk-{release.major}")
def test_a_release_differs_as_it_is_known_to(release: Release) -> None:
    path = documentation_of(release)
    if not path.exists():
        pytest.skip(f"Asterisk {release.major} is not provisioned")
    assert listing(path) == EXPECTED[release.major]
