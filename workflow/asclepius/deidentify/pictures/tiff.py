"""TIFF 6.0 and BigTIFF: directories written anew from the tags that decoding needs, strips and tiles as they were.

Only the picture itself stays: private tags, sub-directories (thumbnails, pyramids), descriptions (OME-XML), colour
profiles, Exif, GPS, gaps and trailing bytes go, and of whole-slide files the label, macro, overview and smaller pages.
"""

import re
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from asclepius.deidentify.pictures import jpeg, strips
from asclepius.deidentify.pictures.pieces import Pieces
from asclepius.errors import Rejected

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Bytes of a value by type; what is signed or a float is no measure of a picture.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "L", 5: "L", 13: "L", 16: "Q", 18: "Q"}
_TEXTS = frozenset({2, 7})
_SHORT, _LONG, _RATIONAL, _UNDEFINED, _LONG8 = 3, 4, 5, 7, 16
_MOST_PAGES = 100_000
_SIDE = 1 << 31
_LARGEST = 1 << 31  # bytes that are decoded at once
# Tags.
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_DESCRIPTION, _STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES = 270, 273, 274, 277, 278, 279
_X, _Y, _PLANAR, _UNIT, _PREDICTOR, _COLOURS = 282, 283, 284, 296, 317, 320
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_JPEG_TABLES, _COEFFICIENTS, _SUBSAMPLING, _POSITIONING, _REFERENCE, _DEPTH = 347, 529, 530, 531, 532, 32997
_PALETTE, _YCBCR = 3, 6
# Numbers that may stay as they are, with their legal values; the others are computed or checked one by one.
_CODES: dict[int, Callable[[int], bool]] = {
    _PHOTOMETRIC: lambda value: value in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 32844, 32845),
    _FILL_ORDER: lambda value: value in (1, 2),
    _ORIENTATION: lambda value: 1 <= value <= 8,
    _PLANAR: lambda value: value in (1, 2),
    _UNIT: lambda value: value in (1, 2, 3),
    _PREDICTOR: lambda value: value in (1, 2, 3),
    _EXTRA: lambda value: value in (0, 1, 2),
    _FORMAT: lambda value: 1 <= value <= 6,
    _SUBSAMPLING: lambda value: value in (1, 2, 4),
    _POSITIONING: lambda value: value in (1, 2),
}
_RATIONALS = {_X: 1, _Y: 1, _COEFFICIENTS: 3, _REFERENCE: 6}  # with the number of values
_STRUCTURE = frozenset({*_CODES, *_RATIONALS, _SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _SAMPLES, _ROWS,
                        _STRIP_BYTES, _COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _JPEG_TABLES,
                        _DEPTH})  # fmt: skip
_NAMES = {255: "SubfileType", 269: "DocumentName", 270: "ImageDescription", 271: "Make", 272: "Model", 285: "PageName",
          297: "PageNumber", 305: "Software", 306: "DateTime", 315: "Artist", 316: "HostComputer", 330: "SubIFDs",
          700: "XMP", 33432: "Copyright", 33723: "IPTC", 34377: "Photoshop", 34665: "ExifIFD", 34675: "ICCProfile",
          34853: "GPSIFD", 50838: "ImageJ", 50839: "ImageJ"}  # fmt: skip
# What scanners of slides call the pictures of the glass: Aperio, Philips, Ventana.
_GLASS = re.compile(rb"^\W*(label|macro|thumbnail|overview)([ _]image)?\W*(\d+x\d+\W*)?$", re.IGNORECASE | re.MULTILINE)

_IMAGEJ = re.compile(rb"^ImageJ=[^\0]*?^images=(\d{1,9})$", re.MULTILINE)


@dataclass(frozen=True)
class _Page:
    number: int
    tags: dict[int, tuple[int, ...] | bytes]

    def get(self, tag: int, default: int = 0) -> int:
        """The first number of a tag."""
        return self.tags[tag][0] if self.tags.get(tag) else default

    @property
    def alike(self) -> tuple[object, ...]:
        """Pages of one stack agree in this."""
        tags = (_WIDTH, _HEIGHT, _BITS, _SAMPLES, _FORMAT)
        return tuple(self.tags.get(tag) for tag in tags)

    @property
    def area(self) -> int:
        """Pixels."""
        return self.get(_WIDTH) * self.get(_HEIGHT)

    @property
    def size(self) -> int:
        """Bytes of the pixels when decoded."""
        return self.area * self.get(_SAMPLES, 1) * max(8, self.get(_BITS, 1)) // 8


class _Unknown(Exception):
    """A kind of TIFF file whose strips cannot be kept: it is decoded and written anew."""


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> Pieces:
    """The picture, or all pages of its size, without any tag but those needed to decode it.

    Strips and tiles stay byte for byte if uncompressed or compressed by LZW, deflate, PackBits, JPEG or JPEG 2000;
    other files are decoded and written uncompressed.

    Raises:
        Rejected: truncated, damaged, pages of different sizes, or a compression that is not supported.
    """
    order, big, pages = _directories(data)
    chosen = _chosen(pages, audit)
    for page in chosen:
        for tag in page.tags.keys() - _STRUCTURE:
            audit[_NAMES.get(tag, "other"), "TIFF tag", "X"] += 1
    try:
        return _Writer(data, order, big, audit).written(chosen)
    except _Unknown:
        if sum(page.size for page in chosen) > _LARGEST:
            raise Rejected("undecodable", "a TIFF file of more than 2 GB in an unsupported compression") from None
        from asclepius.deidentify.pictures import redrawn  # slow to import: only for who needs it

        redone = redrawn.tiff(data, [page.number for page in chosen])
        order, big, pages = _directories(redone)
        return _Writer(redone, order, big, Counter()).written(pages)


def _directories(data: bytes) -> tuple[str, bool, list[_Page]]:
    """Byte order, whether it is BigTIFF, and all pages of the chain."""
    order, big = {b"I": "<", b"M": ">"}[data[:1]], 43 in data[2:4]
    pages: list[_Page] = []
    try:
        if big and struct.unpack_from(order + "HH", data, 4) != (8, 0):
            raise Rejected("undecodable", "the header of the TIFF file is damaged")
        at = struct.unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)[0]
        seen = set()
        while at and at not in seen and len(pages) < _MOST_PAGES:
            seen.add(at)
            tags, at = _directory(data, at, order, big)
            pages.append(_Page(len(pages), tags))
    except struct.error:
        raise Rejected("truncated", "the TIFF file ends within its directory") from None
    if not pages:
        raise Rejected("undecodable", "the TIFF file holds no picture")
    return order, big, pages


def _directory(data: bytes, at: int, order: str, big: bool) -> tuple[dict[int, tuple[int, ...] | bytes], int]:
    head, entry, inline = ("Q", "HHQ", 8) if big else ("H", "HHL", 4)
    if at > len(data):
        raise Rejected("truncated", "the TIFF file ends before its directory")
    count = struct.unpack_from(order + head, data, at)[0]
    at += struct.calcsize("=" + head)
    tags: dict[int, tuple[int, ...] | bytes] = {}
    for _ in range(min(count, 65536)):
        tag, kind, number = struct.unpack_from(order + entry, data, at)
        at += struct.calcsize("=" + entry)
        size = _SIZES.get(kind, 1) * number
        place = at if size <= inline else struct.unpack_from(order + ("Q" if big else "L"), data, at)[0]
        at += inline
        if tag in tags or (tag not in _STRUCTURE and tag != _DESCRIPTION):
            tags.setdefault(tag, ())
            continue
        if place + size > len(data):
            raise Rejected("truncated", "the TIFF file ends within a tag")
        raw = data[place : place + size]
        if kind in _TEXTS:
            tags[tag] = raw
        elif kind in _NUMBERS:
            letter = _NUMBERS[kind]
            tags[tag] = struct.unpack(f"{order}{size // struct.calcsize('=' + letter)}{letter}", raw)
    return tags, struct.unpack_from(order + ("Q" if big else "L"), data, at)[0]


def _chosen(pages: list[_Page], audit: Counter[tuple[str, str, str]]) -> list[_Page]:
    """The pages that are the picture.

    Raises:
        Rejected: pages of different sizes that no flag explains, or pages without a directory.
    """
    if len(pages) == 1:
        planes = _IMAGEJ.search(bytes(pages[0].tags.get(_DESCRIPTION) or b""))
        if planes and int(planes[1]) > 1:
            raise Rejected("wrong-shape", "an ImageJ stack with a single directory; save it as pages or as NIfTI")
        return pages
    glass = [page for page in pages if _GLASS.search(bytes(page.tags.get(_DESCRIPTION) or b"")[:4096])]
    rest = [page for page in pages if page not in glass and not page.get(_SUBFILE) & 1]
    if not rest:
        raise Rejected("not-an-image", "the TIFF file holds only thumbnails or labels")
    largest = max(rest, key=lambda page: page.area)
    chosen = [page for page in rest if page.alike == largest.alike]
    if len(chosen) < len(rest) and not (glass or _TILES in largest.tags):
        raise Rejected("wrong-shape", "a TIFF file with pages of different sizes; give one file per picture")
    if len(chosen) < len(pages):
        audit["smaller pages, label, macro", "TIFF page", "X"] += len(pages) - len(chosen)
    return chosen


class _Writer:
    """Lays strips and tiles, then directories, one behind the other."""

    def __init__(self, data: bytes, order: str, big: bool, audit: Counter[tuple[str, str, str]]):
        self._data, self._order, self._big, self._audit = data, order, big, audit
        self._at = 16 if big else 8
        self._body = Pieces()
        self._placed: dict[tuple[int, ...], tuple[int, int]] = {}  # pages may share a strip

    def written(self, pages: list[_Page]) -> Pieces:
        """The whole file.

        Raises:
            Rejected: truncated or damaged.
            _Unknown: it has to be decoded.
        """
        entries = [self._page(page) for page in pages]
        first = self._at
        for number, tags in enumerate(entries):
            self._directory(tags, last=number == len(entries) - 1)
        if not self._big and self._at >= 1 << 32:
            raise Rejected("undecodable", "a TIFF file of more than 4 GB")
        out = Pieces()
        mark = b"II" if self._order == "<" else b"MM"
        out.add(
            mark
            + struct.pack(self._order + ("HHHQ" if self._big else "HL"), *((43, 8, 0) if self._big else (42,)), first)
        )
        out.extend(self._body)
        return out

    def _page(self, page: _Page) -> dict[int, tuple[int, tuple | bytes]]:
        """Tags of the new directory, as type and values; writes the page's strips."""
        width, height, samples = page.get(_WIDTH), page.get(_HEIGHT), page.get(_SAMPLES, 1)
        compression, bits = page.get(_COMPRESSION, 1), page.tags.get(_BITS) or (1,)
        if not (0 < width < _SIDE and 0 < height < _SIDE and 0 < samples <= 1024 and min(bits) > 0):
            raise Rejected("undecodable", "the TIFF file holds no picture")
        bits = bits * samples if len(bits) == 1 else bits[:samples]
        if compression not in strips.KNOWN or len(set(bits)) != 1 or bits[0] > 64 or page.get(_DEPTH, 1) != 1:
            raise _Unknown
        if page.get(_PHOTOMETRIC) == _YCBCR and compression not in (strips.JPEG, *strips.JPEG_2000):
            raise _Unknown
        if page.get(_PHOTOMETRIC) == _PALETTE and not page.tags.get(_COLOURS):
            raise Rejected("undecodable", "the TIFF file has no palette")
        tiled = _TILES in page.tags
        wide, high = (page.get(_TILE_WIDTH), page.get(_TILE_HEIGHT)) if tiled else (width, page.get(_ROWS, height))
        high = high if tiled else min(high, height)
        if not (wide and high):
            raise Rejected("undecodable", "the TIFF file holds no picture")
        planes = samples if page.get(_PLANAR, 1) == 2 else 1
        row = (wide * bits[0] * (samples // planes) + 7) // 8
        down, across = -(-height // high), -(-width // wide)
        places = page.tags.get(_TILES if tiled else _STRIPS) or ()
        counts = page.tags.get(_TILE_BYTES if tiled else _STRIP_BYTES) or ()
        if not counts:  # old files
            raise _Unknown
        if min(len(places), len(counts)) < down * across * planes or row * high > _LARGEST:
            raise Rejected("truncated", "the TIFF file does not hold all of its pixels")
        rows = [high if tiled else min(high, height - y * high) for y in range(down) for _ in range(across)] * planes
        sizes = [row * number for number in rows]
        new = [self._strip(*each, compression) for each in zip(places, counts, sizes, strict=False)]

        number = _LONG8 if self._big else _LONG
        tags: dict[int, tuple[int, tuple | bytes]] = {
            _WIDTH: (_LONG, (width,)),
            _HEIGHT: (_LONG, (height,)),
            _BITS: (_SHORT, bits),
            _COMPRESSION: (_SHORT, (compression,)),
            _SAMPLES: (_SHORT, (samples,)),
            (_TILES if tiled else _STRIPS): (number, tuple(at for at, _ in new)),
            (_TILE_BYTES if tiled else _STRIP_BYTES): (number, tuple(count for _, count in new)),
        }
        tags |= {_TILE_WIDTH: (_LONG, (wide,)), _TILE_HEIGHT: (_LONG, (high,))} if tiled else {_ROWS: (_LONG, (high,))}
        limits = {_EXTRA: samples, _FORMAT: samples, _SUBSAMPLING: 2}
        for tag, legal in _CODES.items():
            values = page.tags.get(tag)
            if values and not isinstance(values, bytes):
                values = values[: limits.get(tag, 1)]
                if all(map(legal, values)):
                    tags[tag] = (_SHORT, values)
                elif tag in (_PHOTOMETRIC, _PLANAR, _PREDICTOR, _SUBSAMPLING, _FORMAT):
                    raise Rejected("undecodable", "the TIFF file has a tag with an impossible value")
        for tag, count in _RATIONALS.items():
            values = _rational(page.tags.get(tag), count)
            if values:
                tags[tag] = (_RATIONAL, values)
        if page.get(_PHOTOMETRIC) == _PALETTE:
            tags[_COLOURS] = (_SHORT, self._colours(page))
        if compression == strips.JPEG and page.tags.get(_JPEG_TABLES):
            tables, _ = jpeg.rewritten(bytes(page.tags[_JPEG_TABLES]), self._audit, tables_only=True)
            tags[_JPEG_TABLES] = (_UNDEFINED, tables.join())
        return dict(sorted(tags.items()))

    def _strip(self, at: int, count: int, size: int, compression: int) -> tuple[int, int]:
        """Place and length of a strip in the new file; both 0 for one that is not there (sparse files)."""
        if not count:
            return 0, 0
        if at + count > len(self._data):
            raise Rejected("truncated", "the TIFF file ends before its last pixel")
        key = (at, count, size, compression)
        if key not in self._placed:
            piece = strips.cut(memoryview(self._data)[at : at + count], compression, size, self._audit)
            self._placed[key] = self._at, piece.size
            self._append(piece)
        return self._placed[key]

    def _append(self, piece: Pieces) -> None:
        self._body.extend(piece)
        self._body.add(bytes(piece.size % 2))
        self._at += piece.size + piece.size % 2

    def _directory(self, tags: dict[int, tuple[int, tuple | bytes]], *, last: bool) -> None:
        head, entry, inline = ("Q", "HHQ", 8) if self._big else ("H", "HHL", 4)
        pointer = "Q" if self._big else "L"
        start = self._at + struct.calcsize("=" + head) + len(tags) * struct.calcsize(f"={entry}{inline}s")
        start += inline
        table, values = [struct.pack(self._order + head, len(tags))], b""
        for tag, (kind, content) in tags.items():
            raw = content if isinstance(content, bytes) else self._packed(kind, content)
            count = len(raw) // _SIZES[kind]
            place = raw.ljust(inline, b"\0")
            if len(raw) > inline:
                place = struct.pack(self._order + pointer, start + len(values))
                values += raw + bytes(len(raw) % 2)
            table.append(struct.pack(self._order + entry, tag, kind, count) + place)
        end = start + len(values)
        piece = Pieces()
        piece.add(*table, struct.pack(self._order + pointer, 0 if last else end + end % 2), values)
        self._append(piece)

    def _packed(self, kind: int, content: tuple) -> bytes:
        return struct.pack(f"{self._order}{len(content)}{_NUMBERS[kind]}", *content)

    def _colours(self, page: _Page) -> tuple[int, ...]:
        """The palette, in which colours that no pixel has are black."""
        from asclepius.deidentify.pictures import redrawn  # slow to import: only for who needs it

        colours, one = page.tags[_COLOURS], 1 << page.get(_BITS, 1)
        if one > 1 << 16 or len(colours) < 3 * one or page.size > _LARGEST:
            raise Rejected("undecodable", "the palette of the TIFF file is damaged")
        used = redrawn.values(self._data, page.number)
        return tuple(colour if index % one in used else 0 for index, colour in enumerate(colours[: 3 * one]))


def _rational(values: tuple[int, ...] | bytes | None, count: int) -> tuple[int, ...]:
    """Fractions with small terms; none if one is no number that occurs."""
    if not values or isinstance(values, bytes) or len(values) < 2 * count:
        return ()
    out: list[int] = []
    for top, bottom in zip(values[: 2 * count : 2], values[1 : 2 * count : 2], strict=True):
        if not bottom or abs(top) > bottom * 10_000_000:
            return ()
        fraction = Fraction(top, bottom).limit_denominator(10_000)
        out += (fraction.numerator, fraction.denominator)
    return tuple(out)
