"""HTML pages from Jinja templates."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def environment(folder: Path) -> Environment:
    """Of the templates in a folder: text is escaped, and a name that nobody gave is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(path: Path) -> Template:
    """One template, where no other filters are needed."""
    return environment(path.parent).get_template(path.name)
