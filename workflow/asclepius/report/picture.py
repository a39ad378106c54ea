"""A figure made of pixels."""

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """Args:
    title: what stands below it.
    description: the figure in words, for readers who do not see it.
    content: a PNG file.
    """

    title: str
    description: str
    content: bytes

    @property
    def source(self) -> str:
        """The picture as a data address."""
        return "data:image/png;base64," + base64.b64encode(self.content).decode("ascii")
