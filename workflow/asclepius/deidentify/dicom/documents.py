"""Documents that say nothing, to stand in for an encapsulated one (PS3.15 table E.1-1 asks for a dummy)."""

_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
    b"0000000009 00000 n \n0000000054 00000 n \n0000000105 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n167\n"
    b"%%EOF\n"
)
_CDA = b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>\n'
_STL = bytes(84)  # a binary model without triangles
_OBJ = b"# empty\n"
_BY_TYPE = {"application/pdf": _PDF, "text/xml": _CDA, "model/stl": _STL, "application/sla": _STL, "model/obj": _OBJ}


def dummy(kind: str) -> bytes:
    """An empty document.

    Args:
        kind: MIME Type of Encapsulated Document (0042,0012).
    """
    return _BY_TYPE.get(kind.strip().lower(), b"\0\0")
