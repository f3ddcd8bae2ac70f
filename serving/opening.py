"""The bundle to serve: where it is, whether it is whole, and opened.

Knows nothing of BentoML, whose import takes longer than all of this: the one can go on beside
the other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from models.manifest import STORED_BUNDLE, DamagedError, Manifest, verify_files
from serving.errors import SpeechError
from serving.settings import Settings

if TYPE_CHECKING:
    from models.bundle import Bundle

_DEMO_BUNDLE = Path("bundles/demo")
# Set by the process that starts the workers, once it has checked the bundle for them.
_CHECKED = "SIGHTLINE_CHECKED_BUNDLE"


def check_bundle(settings: Settings) -> None:
    """Hash every file of the bundle, on behalf of processes that are started by this one.

    Raises:
        SystemExit: names the file that is damaged or missing.
    """
    try:
        folder = _folder(settings)
        verify_files(folder, Manifest.read(folder).files)
        _check_speech(settings)
    except (DamagedError, SpeechError) as error:
        raise SystemExit(f"error: {error}") from None
    os.environ[_CHECKED] = str(folder.resolve())


def open_bundle(settings: Settings) -> Bundle:
    """Open the bundle, and hash its files unless that was done before this process started.

    Raises:
        SystemExit: names the file that is damaged or missing.
    """
    # Here, since the process that only starts workers needs neither onnxruntime nor FAISS.
    from models.bundle import Bundle

    try:
        folder = _folder(settings)
        already_checked = os.environ.get(_CHECKED) == str(folder.resolve())
        bundle = Bundle.open(folder, threads=settings.threads, verify=not already_checked)
        _check_speech(settings)
    except (DamagedError, SpeechError) as error:
        raise SystemExit(f"error: {error}") from None
    return bundle


def _folder(settings: Settings) -> Path:
    """The bundle asked for, the one in this bento, the demo's."""
    if settings.bundle is not None and "://" in settings.bundle:
        # What was fetched and checked is served, also where there is a newer one by now.
        if _CHECKED in os.environ:
            return Path(os.environ[_CHECKED])
        from serving.remote import fetch

        return fetch(settings.bundle, settings.bundle_cache)
    if settings.bundle is not None:
        return Path(settings.bundle)
    # An image has the bento's code in src/ and its models beside that; a bento in BentoML's
    # store leaves its models in theirs.
    packed = Path(__file__).resolve().parents[2] / "models" / STORED_BUNDLE
    for manifest in packed.glob("*/manifest.json"):
        return manifest.parent
    import bentoml

    try:
        return Path(bentoml.models.get(STORED_BUNDLE).path)
    except bentoml.exceptions.NotFound:
        return _DEMO_BUNDLE


def _check_speech(settings: Settings) -> None:
    if settings.speech_model:
        from serving.speech import locate

        locate(settings.speech_model)
