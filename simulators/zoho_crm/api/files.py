"""Downloads: attachments, files of upload fields, photos of records."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from ..crm.contents import Missing
from ..crm.org import Org
from ..exceptions import refuse, unmodelled
from ..oauth.scopes import need_scope
from ..routes import Answer, Request, no_content, route
from .records import live_record, module_of, unknown_id

ATTACHMENTS = "Attachments"
UPLOADS = frozenset({"fileupload", "imageupload"})
PHOTO_SIZE = 4_000
PNG = b"\x89PNG\r\n\x1a\n"
RANGE = re.compile(r"bytes=(\d+)-")


@route(
    "GET",
    "/crm/v8/{module}/{id}/Attachments/{attachment_id}",
    scopes="ZohoCRM.modules.READ",
    authority="documented, also 204 for an unknown attachment and the refusal of a link; ranges: inferred",
)
def download_attachment(org: Org, request: Request, module: str, id: str, attachment_id: str) -> Answer:
    module_of(org, module)
    module_of(org, ATTACHMENTS)
    need_scope(request, "ZohoCRM.modules.READ", org.scope_words(ATTACHMENTS))
    attachment = live_record(org, ATTACHMENTS, attachment_id)
    parent = attachment.values["Parent_Id"] if attachment else {}
    if attachment is None or (parent["module"], parent["id"]) != (module, id):
        return unknown_id(org)
    content = org.contents.of(attachment_id, int(attachment.values.get("Size") or 0))
    if content == "link":
        refuse(400, "DOWNLOAD_NOT_ALLOWED")
    return _sent(org, request, content, str(attachment.values.get("File_Name")))


@route(
    "GET",
    "/crm/v8/{module}/{id}/actions/download_fields_attachment",
    params="fields_attachment_id",
    scopes="ZohoCRM.modules.READ",
    authority="documented; that the id is the key `id` of the field's value: inferred",
)
def download_fields_attachment(org: Org, request: Request, module: str, id: str) -> Answer:
    known = module_of(org, module)
    record = live_record(org, module, id)
    wanted = request.query.get("fields_attachment_id")
    if not wanted:
        refuse(400, "REQUIRED_PARAM_MISSING", param="fields_attachment_id")
    uploads = [field.api_name for field in known.readable_fields if field.data_type in UPLOADS]
    files: list[dict[str, Any]] = [
        file for name in uploads for file in (record.values.get(name) or () if record else ())
    ]
    found = next((file for file in files if file["id"] == wanted), None)
    content: bytes | Missing = "gone" if found is None else org.contents.of(wanted, int(found["Size__s"]))
    if found is None or content == "gone":
        refuse(400, "INVALID_DATA", resource_path_index=0)
    return _sent(org, request, content, found["File_Name__s"])


@route(
    "GET",
    "/crm/v8/{module}/{id}/photo",
    scopes="ZohoCRM.modules.READ",
    authority="documented, also 204 without a photo",
)
def download_photo(org: Org, request: Request, module: str, id: str) -> Answer:
    known = module_of(org, module)
    if (record := live_record(org, module, id)) is None:
        refuse(400, "INVALID_DATA", resource_path_index=1)
    images = [field.api_name for field in known.readable_fields if field.data_type == "profileimage"]
    if not any(record.values.get(name) for name in images):
        return no_content()
    return _sent(org, request, org.contents.of(id, PHOTO_SIZE, PNG), "photo.png", "image/png")


def _sent(
    org: Org,
    request: Request,
    content: bytes | Missing,
    name: str,
    content_type: str = "application/x-download",
) -> Answer:
    if content == "gone":
        return unknown_id(org)
    if isinstance(content, str):
        unmodelled("only an attachment can be a link")
    headers = {"Content-Disposition": f"attachment;filename*=UTF-8''{quote(name)}"}
    found = RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or not org.quirks.file_ranges:
        return Answer(200, raw=content, content_type=content_type, headers=headers)
    start = int(found[1])
    if start >= len(content):
        return Answer(416, raw=b"", headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Answer(206, raw=content[start:], content_type=content_type, headers=headers)
