"""A whole folder without the workflow: `asclepius deidentify IN OUT --key FILE`."""

from asclepius.deidentify.folder.run import Summary, deidentify_folder

__all__ = ["Summary", "deidentify_folder"]
