"""The bundle to serve: where it is, whether it is whole, and opened.

Knows nothing of BentoML, whose import takes longer than all of this: the one can go on beside
the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models.installation import environment, extra, python
from models.manifest import STORED_BUNDLE, DamagedError, Manifest
from serving.errors import SpeechError
from serving.settings import Settings

if TYPE_CHECKING:
    from models.bundle import Bundle, Elsewhere

_DEMO_BUNDLE = Path("bundles/demo")
# Set by the process that starts the workers, once it has checked the bundle for them: its
# folder, and the version that its manifest had.
_CHECKED_FOLDER = "SIGHTLINE_CHECKED_BUNDLE"
_CHECKED_VERSION = "SIGHTLINE_CHECKED_VERSION"


def check_bundle(settings: Settings) -> None:
    """Open the bundle once and let go of it, on behalf of workers that this process starts.

    In a process of its own, since this one needs neither onnxruntime nor FAISS, nor their memory.

    Raises:
        SystemExit: names the file that is damaged or missing, or what this machine computes
            otherwise than the model's makers.
    """
    try:
        folder = _folder(settings)
        version = Manifest.read(folder).version
        _check_speech(settings)
    except (DamagedError, SpeechError) as error:
        raise SystemExit(f"error: {error}") from None
    checked = subprocess.run(
        python("-c", f"from {__name__} import try_to_open; try_to_open()", str(folder)),
        # A bento's code is on the path only while BentoML loads it.
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    if checked.returncode:
        raise SystemExit(checked.stderr.strip())
    os.environ[_CHECKED_FOLDER] = str(folder.resolve())
    os.environ[_CHECKED_VERSION] = version


def try_to_open() -> None:
    """Open the bundle that the command line names, with everything that is checked.

    Raises:
        SystemExit: what is wrong with it.
    """
    from models.bundle import Bundle

    try:
        bundle = Bundle.open(Path(sys.argv[1]), elsewhere=_elsewhere(Settings.load()))
        # Here, so that not every worker needs the memory for it at the same time.
        if bundle.image_encoder is not None:
            bundle.image_encoder.check()
        bundle.close()
    except DamagedError as error:
        raise SystemExit(f"error: {error}") from None


def open_bundle(settings: Settings, *, fresh: bool = False) -> Bundle:
    """Open the bundle, and hash its files unless that was done before this process started.

    Args:
        settings: where it is.
        fresh: the one that is there now, where another was there at the start.

    Raises:
        SystemExit: names the file that is damaged or missing.
    """
    # Here, since the process that only starts workers needs neither onnxruntime nor FAISS.
    from models.bundle import Bundle

    try:
        folder = _folder(settings, fresh=fresh)
        checked = os.environ.get(_CHECKED_VERSION) == Manifest.read(folder).version
        bundle = Bundle.open(
            folder,
            threads=settings.threads,
            verify=fresh or not checked,
            elsewhere=_elsewhere(settings),
        )
        _check_speech(settings)
    except (DamagedError, SpeechError) as error:
        raise SystemExit(f"error: {error}") from None
    return bundle


def _elsewhere(settings: Settings) -> Elsewhere | None:
    """Makes the collection that the settings name, where it is not the bundle's own."""
    address = settings.address
    if address is None:
        return None
    try:
        from models.milvus.collection import MilvusCollection
    except ImportError as error:
        raise SystemExit(
            f"error: SIGHTLINE_COLLECTION needs packages that are not here ({error}): "
            f"install them with {extra('milvus')}"
        ) from None
    given = settings.collection_token
    token = None if given is None else given.get_secret_value()
    return lambda manifest: MilvusCollection(address, manifest, token)


def _folder(settings: Settings, *, fresh: bool = False) -> Path:
    """The bundle asked for, the one in this bento, the demo's."""
    if settings.bundle is not None and "://" in settings.bundle:
        # What was fetched and checked is served, also where there is a newer one by now.
        if _CHECKED_FOLDER in os.environ and not fresh:
            return Path(os.environ[_CHECKED_FOLDER])
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
