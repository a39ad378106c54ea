"""The tables of the standard, as data. `asclepius.deidentify.profile.convert` makes them.

| file | table |
|---|---|
| attributes.csv | PS3.15 E.1-1: action codes of the basic profile and of every option, by attribute |
| concepts.csv | PS3.15 E.3.4-1: the same for content items, by concept name; `srt` is the code before SNOMED CT |
| private.csv | PS3.15 E.3.10-1: private attributes that are safe to keep |
| types.csv | PS3.3: attribute types, by column of sop_classes.csv; 3 or not in the IOD where blank |
| sop_classes.csv | PS3.4 B.5: storage SOP classes and their column of types.csv |
| releases.csv | release of the standard that each table is from |
"""
