"""JPEG streams whose scan header contradicts their frame header, made lawful."""

_SOS, _SEQUENTIAL = 0xDA, (0xC0, 0xC1)
_WHOLE = bytes((0, 63, 0))  # all coefficients in one scan, without approximation


def with_whole_scans(stream: bytes) -> bytes:
    """A sequential JPEG that says so in every scan: spectral selection 0 to 63 (ITU-T T.81, table B.3).

    Some writers of 12 bit JPEG leave those bytes zero, which strict decoders refuse. Other streams stay.
    """
    at, sequential = 2, False
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        sequential |= marker in _SEQUENTIAL
        if marker == _SOS:
            end = at + 2 + length
            return stream[: end - 3] + _WHOLE + stream[end:] if sequential else stream
        at += 2 + length
    return stream
