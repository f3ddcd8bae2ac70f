"""Forms with one file, as browsers send them."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from serving.errors import RequestError, no_room, too_long
from serving.wire.requests import ImageSearchRequest

_MAX_FIELDS = len(ImageSearchRequest.model_fields)
# What a form needs beside its file: borders, headers and the other fields.
FORM_FRAME = 64 << 10


@asynccontextmanager
async def uploaded(
    request: Request, name: str, limit: int
) -> AsyncIterator[tuple[Callable[[], bytes], dict[str, object]]]:
    """What reads the file of a form, and the form's other fields.

    Args:
        request: whose body is the form.
        name: of the field that is the file.
        limit: the most bytes that the file may have.

    Raises:
        RequestError: 400 for what is no such form, 413 for too large a file, 507 where there is
            no room for it.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise RequestError(400, f"{name}: send multipart/form-data with the file as {name!r}", name)
    try:
        form = await request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=FORM_FRAME)
    # Starlette gives its parser's errors to the application as 400s of its own.
    except (MultiPartException, HTTPException) as error:
        detail = getattr(error, "message", None) or getattr(error, "detail", "")
        raise RequestError(400, f"the body is no multipart form: {detail}") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room() from None
        raise
    except (LookupError, ValueError) as error:
        # Of a form without a border, in a character set that there is not.
        raise RequestError(400, f"the body is no multipart form: {error}") from None
    try:
        names = [key for key, _ in form.multi_items()]
        if repeated := [key for key in names if names.count(key) > 1]:
            raise RequestError(400, f"{repeated[0]}: is there twice", repeated[0])
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise RequestError(400, f"{name}: the file is missing", name)
        if (file.size or 0) > limit:
            raise too_long(limit)
        yield file.file.read, {key: form[key] for key in names if key != name}
    finally:
        await form.close()
