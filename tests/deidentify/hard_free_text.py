"""Hard cases of free text: the patient's identifiers as people write them, and short or ordinary names."""

from hard_bytes import element, text
from hard_cases import Draft, case

COMMENTS, STUDY, SERIES = 0x00204000, 0x00081030, 0x0008103E
KEPT = 0x00286190  # Mask Operation Explanation: not in table E.1-1
_MONTHS = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"


def _says(d: Draft, *sentences: str, charset: str = "ISO_IR 192", **options) -> None:
    """Each sentence in a listed description, a comment and an attribute the table does not list."""
    one = d.ct(charset=charset)
    del one.StudyDescription, one.SeriesDescription
    joined = "; ".join(sentences)
    extra = [
        text(STUDY, "LO", sentences[0][:64], "utf-8"),
        text(SERIES, "LO", sentences[-1][:64], "utf-8"),
        text(COMMENTS, "LT", joined, "utf-8"),
        text(KEPT, "ST", joined, "utf-8"),
        text(0x00189939, "UT", "\r\n".join(sentences), "utf-8"),
    ]
    d.file(one, extra, **options)


def _patient(d: Draft, family: str, given: str) -> None:
    """Give the patient another name, which is planted."""
    d.family, d.given = family, given


@case()
def names_upper_reversed_glued(d):
    first, last = d.given, d.family
    glued = f"{first.lower()}.{last.lower()}", f"CT_{last}{first}_v2", f"{last}{first} Thorax"
    _says(d, f"CT {last.upper()}", f"{first} {last}", f"{last}, {first}", *glued, f"{last}'s scan", f"{last}s Mann")


@case()
def umlauts_transliterated(d):
    _patient(d, "Müßigbrödt", "Jürgenhans")
    for said in ("Muessigbroedt", "Juergenhans", "Mussigbrodt", "MÜSSIGBRÖDT"):
        d.plant(said, "name", "free text")
    _says(
        d, "CT Muessigbroedt", "Juergenhans Muessigbroedt", "MUESSIGBROEDT, JUERGENHANS", "Mussigbrodt", "MÜSSIGBRÖDT"
    )


@case()
def accents_decomposed(d):
    _patient(d, "Lefèvrejacquet", "Zoéline")
    _says(d, "Lefe\u0300vrejacquet", "Lefevrejacquet Zoeline", "LEFE\u0300VREJACQUET")


@case()
def hyphenated_name(d):
    _patient(d, "Wolkenstein-Trotzburg", "Anna-Lenora")
    for part in ("Wolkenstein", "Trotzburg", "Lenora"):
        d.plant(part, "name", "part of a double name")
    _says(d, "Fr. Trotzburg", "Anna Lenora Wolkenstein Trotzburg", "WolkensteinTrotzburg", "Wolkenstein/Trotzburg")


@case()
def name_with_particles(d):
    _patient(d, "von der Hohenwaldau", "Friederun Maria")
    for part in ("Hohenwaldau", "Friederun"):
        d.plant(part, "name", "without its particles")
    _says(d, "Frau Hohenwaldau", "v.d. Hohenwaldau, F.", "Friederun v. d. Hohenwaldau")


@case()
def letters_interrupted(d):
    """Control characters, soft hyphens, joiners and marks of direction between the letters."""
    name = d.family
    split = [f"{name[:4]}{mark}{name[4:]}" for mark in ("\u00ad", "\x07", "\u2060", "-\r\n")]
    _says(d, split[0], "\u200b".join(name), "\u200f" + name + "\u200e", *split[1:])


@case()
def letters_full_width(d):
    wide = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in d.family)
    digits = "".join(chr(ord(letter) + 0xFEE0) for letter in d.patient)
    _says(d, wide, f"ID {digits}", f"\u202e{d.family}\u202c")


@case()
def dates_in_words(d):
    day, month = d.day.day, f"{d.day:%B}"
    forms = [
        f"{day} {month} {d.day:%Y}", f"{month} {day}, {d.day:%Y}", f"{d.day:%d-%b-%Y}", f"{d.day:%d/%b/%Y}".upper(),
        f"{day}. {_MONTHS.split()[d.day.month - 1]} {d.day:%Y}", f"{d.day:%Y} {month} {day}",
    ]  # fmt: skip
    for form in forms:
        d.plant(form, "date", "a date in words")
    _says(d, *(f"prior of {form}" for form in forms))


@case()
def dates_in_figures(d):
    forms = [
        f"{d.day:%Y-%m-%d}", f"{d.day:%d.%m.%Y}", f"{d.day:%m/%d/%Y}", f"{d.day.month}/{d.day.day}/{d.day:%Y}",
        f"{d.day:%Y/%m/%d}", f"{d.day:%d.%m.%y}", f"{d.day:%Y.%m.%d}", f"{d.day:%d-%m-%Y}", f"{d.day:%Y%m%d}",
    ]  # fmt: skip
    for form in forms:
        d.plant(form, "date", "a date in figures")
    _says(d, *(f"compared with {form}" for form in forms))


@case()
def birth_dates_in_text(d):
    forms = [f"{d.born:%d.%m.%Y}", f"{d.born:%Y-%m-%d}", f"{d.born.day} {d.born:%b %Y}", f"{d.born:%d%m%Y}"]
    for form in forms:
        d.plant(form, "date", "a birth date in text")
    _says(d, f"geb. {forms[0]}", f"DOB {forms[1]}", f"born {forms[2]}", f"*{forms[3]}")


@case()
def date_time_in_text(d):
    forms = [f"{d.day:%Y-%m-%d}T10:11:12", f"{d.day:%Y%m%d}101112", f"{d.day:%a %b} {d.day.day} 10:11:12 {d.day:%Y}"]
    for form in forms:
        d.plant(form, "date", "a date with its time")
    _says(d, *forms)


@case()
def phones_and_mails(d):
    forms = [f"(555) 012-{d.number:04d}", f"+1-555-013-{d.number:04d}", f"0049 30 9018{d.number:04d}",
             f"555.014.{d.number:04d}", f"+49/30/90182{d.number:03d}"]  # fmt: skip
    mails = [f"{d.given}.{d.family}@mail.example".lower(), f"info@{d.town.lower()}-clinic.example"]
    for form in forms:
        d.plant(form, "phone", "free text")
    for mail in mails:
        d.plant(mail, "email", "free text")
    _says(d, *(f"call {form}" for form in forms), *(f"mail {mail}" for mail in mails))


@case()
def street_addresses(d):
    forms = [
        f"{d.number + 12} {d.town} Street",
        f"{d.other(5)}straße {d.number + 2}",
        f"{d.number + 100} {d.other(6)} Avenue",
    ]
    for form in forms:
        d.plant(form, "address", "free text")
    _says(d, *(f"lives at {form}" for form in forms))


@case()
def numbers_with_separators(d):
    digits = f"{70402000 + d.number}"
    d.patient = digits
    d.plant(digits, "id", "PatientID")
    parts = (digits[:2], digits[2:5], digits[5:])
    forms = ["-".join(parts), " ".join(parts), ".".join(parts), f"MRN#{digits}", f"MRN: {digits[:4]}/{digits[4:]}"]
    _says(d, *forms, f"{d.accession[:3]}-{d.accession[3:6]}-{d.accession[6:]}")


@case()
def numbers_with_leading_zeros(d):
    number = str(5130000 + d.number)
    d.plant(number, "id", "PatientID without its zeros")
    d.patient = number.zfill(10)
    _says(d, f"MRN {number}", f"Pat.{number}", f"000{number}")


@case()
def ages_over_89(d):
    forms = ["93-year-old", "93 years old", "aged 93", "93yo", "93 y/o"]
    for form in forms:
        d.plant(form, "age", "free text")
    extra = [text(COMMENTS, "LT", "; ".join(forms)), text(KEPT, "ST", f"A {forms[0]} woman, {forms[3]}")]
    for number, age in enumerate(("093Y", "101Y"), 1):
        one = d.ct(number)
        one.PatientAge = d.plant(age, "age", "PatientAge", local=["PatientAge"])
        d.file(one, extra)


@case()
def relatives(d):
    """People that no header names, with the titles and words people use."""
    one, other, third = d.other(11), d.other(12), d.other(13)
    for name in (one, other, third):
        d.plant(name, "name", "a relative in free text")
    tail = f"555-0177-{d.number:03d}"
    d.plant(tail, "phone", "a relative's telephone")
    said = f"Accompanied by Mr Robert {one}, tel {tail}; referred by Dr. {other}; mother: Mrs. {third}"
    d.file(d.ct(), [text(tag, "LT", said) for tag in (0x00104000, 0x001021B0, COMMENTS, KEPT)])


@case()
def behind_a_nul(d):
    """Text behind the end of a string, as C programs leave it."""
    extra = [
        element(COMMENTS, "LT", f"ok\0{d.family} {d.patient} ".encode()),
        element(0x00180015, "CS", f"CHEST\0{d.family}".ljust(20).encode()),
        element(0x00080070, "LO", f"Acme\0\0{d.family}".ljust(20).encode()),
        element(0x00200011, "IS", f"{d.case.series}\0{d.patient} ".ljust(22).encode()),
    ]
    d.file(d.ct(), extra, without=[0x00080070, 0x00200011], survive=False)


@case()
def odd_lengths(d):
    """Values of odd length, which the standard forbids."""
    extra = [
        element(COMMENTS, "LT", f"{d.family}{'x' * (len(d.family) % 2 == 0)}".encode()),
        element(0x00100010, "PN", f"{d.family}^{d.given}^".encode()[: (len(d.family + d.given) // 2) * 2 + 1]),
        element(KEPT, "ST", f"of {d.family} {'x' * ((len(d.family)) % 2)}".encode()),
    ]
    d.file(d.ct(), extra, without=[0x00100010])


@case()
def short_names(d):
    """Names of two letters count where they stand alone."""
    d.family, d.given = "Ng", "Li"
    one = d.ct(plant=False)
    local = ["PatientName", "ImageComments", "SeriesDescription", "MaskOperationExplanation"]
    d.plant("Ng", "name", "short name", local=local)
    d.plant("Li", "name", "short name", local=local)
    one.SeriesDescription, one.ImageComments = "CT Ng Li", "Mr Ng, Li"
    d.file(one, [text(KEPT, "ST", "Li Ng")])


def _ordinary(d: Draft, family: str, given: str) -> None:
    d.family, d.given = family, given
    one = d.ct(plant=False)
    local = ["PatientName", "OtherPatientNames", "ImageComments"]
    d.plant(family, "name", "an ordinary word as a name", local=local)
    d.plant(given, "name", "an ordinary word as a name", local=local)
    one.OtherPatientNames, one.ImageComments = f"{family}^{given}", f"Mrs {given} {family}"
    d.file(one)


@case()
def named_like_a_plane(d):
    _ordinary(d, "Axial", "Prim")


@case()
def named_like_a_body_part(d):
    _ordinary(d, "Head", "Chest")


@case(may_quarantine=True)
def named_like_a_maker(d):
    """The patient is called like the maker and the model, which a preset may keep or give up."""
    _ordinary(d, "Acme", "Scan")
    kept = [one for one in d.case.must_survive if not one.keyword.startswith("Manufacturer")]
    d.case.must_survive[:] = kept


def _number(d: Draft, number: str) -> None:
    one = d.ct()
    d.forget(one.PatientID, one.OtherPatientIDs)
    one.PatientID = d.plant(number, "id", "a common number as PatientID", local=["PatientID", "OtherPatientIDs"])
    one.OtherPatientIDs = number
    d.file(one)


@case()
def patient_id_one(d):
    _number(d, "1")


@case()
def patient_id_512(d):
    _number(d, "512")


@case()
def patient_id_empty(d):
    one = d.ct()
    d.forget(one.PatientID)
    one.PatientID = ""
    one.ImageComments = f"Mr {d.family}"
    d.file(one, [text(KEPT, "ST", f"for {d.given} {d.family}")])
