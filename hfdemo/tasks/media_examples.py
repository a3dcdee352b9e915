"""Where the pictures, sounds and videos of the rows' examples lie."""

from pathlib import Path

MEDIA = Path(__file__).resolve().parents[2] / "examples" / "media"
