"""Self-contained HTML pages from templates: no network, every picture inside the file."""

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

from brainseg.files.atomic import writing

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("brainseg.reporting"),
    autoescape=True,  # a file called <script> is only a name
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill `templates/<template>.html` and write it whole or not at all.

    Args:
        path: The .html file.
        template: Name of a template that extends `base.html`.
        values: What the template names; one that it needs and does not get is an error.
    """
    made = f"{version('brainseg')} on {date.today().isoformat()}"
    text = _ENVIRONMENT.get_template(f"{template}.html").render(made=made, **values)
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def template_text(name: str) -> str:
    """A file beside the templates, as it is."""
    text: str = _ENVIRONMENT.loader.get_source(_ENVIRONMENT, name)[0]  # type: ignore[union-attr]
    return text


def readable(values: Any) -> str:
    """Plain values as indented JSON, for people."""
    return json.dumps(values, indent=2, ensure_ascii=False)


_ENVIRONMENT.filters["readable"] = readable
_ENVIRONMENT.policies["json.dumps_kwargs"] = {}  # by default it sorts: the order of sequences is ours


def inline_file(png: Path) -> Markup:
    """A picture's file as the `src` of an <img>."""
    return _data_uri("png", png.read_bytes())


def inline_figure(figure: Figure, *, dpi: int = 110) -> Markup:
    """A figure as the `src` of an <img>."""
    png = BytesIO()
    figure.savefig(png, format="png", dpi=dpi, facecolor=figure.get_facecolor())
    return _data_uri("png", png.getvalue())


def inline_slice(image: NDArray[np.uint8], *, side: int = 128) -> Markup:
    """A grey slice (H, W), no larger than `side` pixels, as the `src` of an <img>."""
    thumbnail = Image.fromarray(image)
    thumbnail.thumbnail((side, side))
    jpeg = BytesIO()
    thumbnail.save(jpeg, format="JPEG", quality=80)
    return _data_uri("jpeg", jpeg.getvalue())


def _data_uri(kind: str, content: bytes) -> Markup:
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")
