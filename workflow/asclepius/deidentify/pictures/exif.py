"""The one thing kept of Exif: which side of the picture is up."""

import struct

_ORIENTATION = 0x0112


def orientation(tiff: bytes) -> int:
    """Orientation (1 to 8) of an Exif block that starts with its TIFF header; 1 where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    try:
        at = struct.unpack_from(order + "L", tiff, 4)[0]
        for i in range(struct.unpack_from(order + "H", tiff, at)[0]):
            tag, kind, _count, value = struct.unpack_from(order + "HHLH", tiff, at + 2 + 12 * i)
            if tag == _ORIENTATION and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def block(value: int) -> bytes:
    """An Exif block (TIFF header onwards) that holds the orientation alone."""
    return b"MM\0*" + struct.pack(">LHHHLHHL", 8, 1, _ORIENTATION, 3, 1, value, 0, 0)
