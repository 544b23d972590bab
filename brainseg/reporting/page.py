"""HTML pages from templates. They need no network: every picture is inside the file."""

import base64
import json
from datetime import date
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from brainseg.files.atomic import NO_TEXT, writing
from brainseg.reporting.canvas import drawn

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("brainseg.reporting"),
    autoescape=True,  # a file called <script> is only a name
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page from `templates/<template>.html`, whole or not at all.

    Args:
        path: The .html file.
        template: Name of a template that extends `base.html`.
        values: The names in the template; it is an error if one is missing.
    """
    made = f"{version('brainseg')} on {date.today().isoformat()}"
    text = _ENVIRONMENT.get_template(f"{template}.html").render(made=made, **values)
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=NO_TEXT)


def template_text(name: str) -> str:
    """The text of a file beside the templates."""
    text: str = _ENVIRONMENT.loader.get_source(_ENVIRONMENT, name)[0]  # type: ignore[union-attr]
    return text


def readable(values: Any) -> str:
    """Plain values as indented JSON."""
    return json.dumps(values, indent=2, ensure_ascii=False)


_ENVIRONMENT.filters["readable"] = readable
_ENVIRONMENT.policies["json.dumps_kwargs"] = {}  # by default it sorts, but the order of sequences matters


def inline_file(png: Path) -> Markup:
    """The picture in a file as the `src` of an <img>."""
    return _data_uri("png", png.read_bytes())


def inline_figure(figure: Figure) -> Markup:
    """A figure as the `src` of an <img>."""
    return _data_uri("png", drawn(figure))


def inline_slice(image: NDArray[np.uint8], *, side: int = 128) -> Markup:
    """A slice (H, W), or (H, W, 3) in colour, no larger than `side` pixels, as the `src` of an <img>."""
    thumbnail = Image.fromarray(image)
    thumbnail.thumbnail((side, side))
    jpeg = BytesIO()
    thumbnail.save(jpeg, format="JPEG", quality=80)
    return _data_uri("jpeg", jpeg.getvalue())


def _data_uri(kind: str, content: bytes) -> Markup:
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")
