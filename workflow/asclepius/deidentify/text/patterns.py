"""What identifies a person by its form alone, whoever the patient is: telephones, addresses of mail, titles, dates."""

import re

_MONTHS = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|june?|juni|july?|juli|"
    r"aug(?:ust)?|sep(?:t(?:ember)?)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_NAME = r"[A-Z\u00C0-\u00DE][\w'’.-]*"

# Written days. A version like 4.7.19 is not told from a day: it goes too.
DATES = re.compile(
    rf"(?<![\d.])(?:{_YEAR}([-/. ]){_MONTH}\1{_DAY}|{_DAY}([-/.]){_MONTH}\2(?:{_YEAR}|\d\d)|"
    rf"{_MONTH}([-/.]){_DAY}\3(?:{_YEAR}|\d\d)|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{6}})?)(?![\d.]*\d)"
    rf"|\b{_DAY}(?:st|nd|rd|th)?\.?[ -]?(?:of )?{_MONTHS}[ ,-]*(?:{_YEAR}|\d\d)?\b"
    rf"|\b{_MONTHS}[ -]{_DAY}(?:st|nd|rd|th)?[ ,-]+{_YEAR}\b",
    re.IGNORECASE,
)

_MAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_LINK = r"\b(?:https?|ftp|file)://\S+|\bwww\.\S+"
_UID = r"(?<![\d.])(?!1\.2\.840\.10008\.)[0-2](?:\.\d+){5,}"
_SOCIAL = r"(?<!\d)\d{3}[- ]\d{2}[- ]\d{4}(?!\d)"
_PHONE = (
    r"(?<![\w.])(?:\+\d{1,3}[ ./-]?(?:\(0\))?(?:\(?\d{1,5}\)?[ ./-]?){1,5}\d{2,}|"
    r"\(\d{2,5}\)[ ./-]?\d{2,5}(?:[ ./-]?\d{2,5})*|\d{3,5}[ /-]\d{3,4}[ -]\d{3,4}|\b0\d{2,4}[ /-]\d{4,9}|"
    r"\d{3}-\d{4})(?![\w.])"
)
_CALLED = r"\b(?:tel|phone|fax|mobile|telefon|pager|beeper|ext|call(?:ed|back)?)\b\.?[:# ]*[+(]?\d[\d ()./-]{2,}\d"
_NUMBERED = (
    r"\b(?:mrn|ssn|nhs|dob|acc(?:ession)?|pat(?:ient)?[ _-]?id|pid|case[ _-]?(?:no|number|id)|chart|insurance|passport|"
    r"medical record(?: number)?|hospital no|id)\b[ .:#=-]*(?:no\.?|number)?[ .:#=-]*(?=[\w/-]*\d)[\w/-]{3,}"
)
_STREET = (
    r"\b\d{1,5}[a-z]? (?:[A-Z][\w.'-]+ ){1,3}(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|"
    r"way|square|sq|place|pl)\b\.?|"
    r"\b[A-Z\u00C0-\u00DE][\w-]*(?:straße|strasse|str\.|gasse|weg|platz|allee) ?\d+[a-z]?\b"
)
OTHERS = re.compile("|".join((_MAIL, _LINK, _UID, _SOCIAL, _CALLED, _NUMBERED, _STREET, _PHONE)), re.IGNORECASE)

# MR, DR, MS and SR in capitals are modalities, a disease and a report: as titles only with a point.
TITLES = re.compile(
    rf"\b(?:(?:Mr|Mrs|MRS|Ms|Miss|Dr|Prof|PROF|Herr|HERR|Frau|FRAU|Mme|Mlle|Monsieur|Madame|Sra|Señora?|Sig|Signora?|"
    rf"Doctor|Nurse|Tech|dr|prof|mr|mrs|[Pp]hysician|[Rr]adiologist|[Rr]eferred by|[Rr]ead by|[Ss]een by|[Oo]perator|"
    rf"[Pp]erformed by|[Nn]ame)\b[.:]?|\b(?:MR|DR|MS)\.) *(?:Dr\.? *|Prof\.? *)?{_NAME}(?:[ ,^-]+{_NAME}){{0,3}}"
)
# Ages that few people reach.
AGES = re.compile(
    r"\b(?:9\d|1[0-3]\d)[ -]?(?:years?|yrs?|y/?o|y)\b(?:[ -]?old)?|\b(?:aged?|age[:=]) ?(?:9\d|1[0-3]\d)\b|"
    r"\b(?:9\d|1[0-3]\d)-?j(?:ähr|aehr)\w*",
    re.IGNORECASE,
)
# Seven digits in a row name something: a record, an accession, a telephone.
LONG_NUMBER = re.compile(r"(?<![\d.])\d{7,}(?![\d.]*\d)")
