"""A switch for everything about Zoho that is not proven, with all that it may be.

The first value of `one_of` is the default, the others are what else Zoho may do. The word in the comment
says on what authority the default stands: *documented*, *seen live* (measured by others against a real
account, or relied on by a connector in production), *conflict* (two sources disagree), *inferred* (nobody
wrote it down).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, TypeVar

Choice = TypeVar("Choice")


def one_of(default: Choice, *others: Any) -> Choice:
    """A switch of `Quirks`: its default, and everything else that it may be."""
    return field(default=default, metadata={"choices": (default, *others)})


@dataclass
class Quirks:
    """What Zoho may do either way; tests that touch one run with every value."""

    # -- tokens
    throttle_status: int = one_of(400, 200)  # conflict: 400 in a production connector, 200 in Zoho's post
    token_error_status: int = one_of(200, 400)  # seen live: invalid_code and invalid_client answer 200
    grant_code_seconds: int = one_of(180, 120)  # conflict: 180 on v8's page, 120 on older ones
    live_access_tokens: int = one_of(15, 10, 30)  # conflict: 15 on v8's page, others on other products'
    wrong_secret_error: str = one_of("invalid_client_secret", "invalid_client")  # inferred; both were seen
    expires_in_milliseconds: bool = one_of(False, True)  # seen in Zoho's SDK: old answers had milliseconds
    scope_in_token_answer: bool = one_of(True, False)  # conflict: recent answers have it, older ones do not
    client_credentials_path: str = one_of("token", "auth")  # conflict: Zoho prints auth, others use token
    bearer_accepted: bool = one_of(True, False)  # seen live: a connector in production sends Bearer
    access_token_reset_header: bool = one_of(False, True)  # documented on one page: X-ACCESSTOKEN-RESET

    # -- records
    unknown_fields: str = one_of("dropped", "INVALID_DATA")  # seen live: unknown names in `fields`
    no_permission_status: int = one_of(403, 400)  # documented
    no_permission_status_on_fields: int = one_of(400, 403)  # seen live
    error_shape: str = one_of("object", "data", "list")  # seen live, all three
    unknown_id: str = one_of("204", "INVALID_DATA", "404")  # conflict: 204, 400 INVALID_DATA, 404
    rfc_1123_if_modified_since: bool = one_of(True, False)  # seen live on v2 only; False ignores such a date
    if_modified_since_inclusive: bool = one_of(False, True)  # inferred: after that second, or from it on
    list_lag_seconds: float = one_of(0, 5, 45)  # inferred: until lists, COQL and Bulk Read show a change
    org_wide_attachments: bool = one_of(True, False)  # seen live; False answers INVALID_MODULE
    file_ranges: bool = one_of(False, True)
    # ^ inferred: no page names the header Range; False sends the whole file with 200, True a part with 206
    multiselectlookup_keys: str = one_of("v8", "v7")  # conflict: linking_details in v8, other names in v7
    multi_user_linking_module: str = one_of("text", "object")
    # ^ documented for v7: how the field of a multi-user look-up names its linking module
    module_time_moves: bool = one_of(False, True)
    # ^ inferred: whether modified_time in settings/modules changes with a module's fields
    all_users_hold_deleted: bool = one_of(False, True)  # conflict: one sample of AllUsers has a deleted user
    feature_off_status: int = one_of(403, 400)  # conflict: 403 documented, 400 in a connector in production
    currencies_off_code: str = one_of("CURRENCIES_NOT_ENABLED", "FEATURE_NOT_SUPPORTED")  # documented, both
    list_approved: str = one_of("honoured", "ignored")
    # ^ conflict: `approved` of a list, in Zoho's specification and not on v7's page; ignored shows all records
    approval_in_criteria: str | None = one_of(None, "$approved", "$approval_state")
    # ^ inferred: what Bulk Read and COQL call the approval of a record; None: neither name is accepted

    # -- counts
    count_lag_minutes: float = one_of(0, 1, 10)  # documented: the count may lag 1 to 10 minutes
    count_parameters: str = one_of("taken", "refused", "ignored")
    # ^ documented for v7: converted and approved, without which a count leaves such records out
    search_criteria: int = one_of(10, 15)  # conflict: conditions in a criteria, 10 in v7's page, 15 in v8's

    # -- deletions
    deleted_page_11: bool = one_of(True, False)  # inferred: /deleted goes on past page 10; False refuses it
    deleted_nothing_new_status: int = one_of(204, 304)  # inferred: /deleted, If-Modified-Since, nothing new
    deleted_newest_first: bool = one_of(True, False)
    # ^ seen in a sample; the order of /deleted is not documented
    deleted_of_rows: str = one_of("INVALID_MODULE", "NOT_SUPPORTED", "offered")
    # ^ inferred: Zoho's list of modules with /deleted names no subform, linking or history module
    deleted_of_notes: str = one_of("offered", "INVALID_MODULE", "NOT_SUPPORTED")
    # ^ conflict: not in Zoho's list of modules with /deleted, yet its recycle bin holds Notes and Attachments
    subform_rows_in_deleted: bool = one_of(False, True)
    # ^ inferred: whether subform rows deleted with their record are listed in their own /deleted
    notes_go_with_record: bool = one_of(True, False)  # documented: Notes and Attachments are deleted too
    notes_in_deleted: bool = one_of(False, True)
    # ^ inferred: whether notes deleted with their record are listed in their own /deleted
    notes_in_recycle_bin: bool = one_of(True, False)
    # ^ inferred: whether notes deleted with their record are listed in the recycle bin
    activities_go_with_record: bool = one_of(True, False)
    # ^ documented for tasks: they are deleted and restored with their record
    activities_in_deleted: bool = one_of(False, True)
    # ^ inferred: whether activities deleted with their record are listed in their own /deleted
    merged_shown_as: str | None = one_of("permanent", "recycle", None)
    # ^ documented: merged records never enter the recycle bin; None: /deleted does not list them
    merge_moves_notes: str = one_of("moved", "silently", "lost")
    # ^ inferred: a merged record's notes move to the master, with or without a new Modified_Time, or are deleted
    restore_moves_modified_time: bool = one_of(False, True)
    # ^ inferred: a restored record keeps its Modified_Time
    deleted_keeps_restored: bool = one_of(False, True)  # inferred: /deleted still lists a restored record
    purged_shown: bool = one_of(True, False)  # inferred: after 60 days in the bin it is listed as permanent
    purged_time: str = one_of("deleted", "purged")  # inferred: which of the two deleted_time then is
    history_loses_record: bool = one_of(True, False)  # seen live: the history of a deleted deal names no deal
    rows_touched_by_edit: bool = one_of(False, True)
    # ^ inferred: whether an edit changes Modified_Time of the record's subform rows
    unlinking_touches_record: bool = one_of(True, False)  # inferred: removing a link edits its record

    # -- limits
    retry_after: int | None = one_of(None, 1)  # inferred: Zoho documents no Retry-After; seconds to send one
    credits_remaining_header: str = one_of("half", "always", "never")  # documented: from 50 % used
    credits_for_refused_calls: int = one_of(0, 1)  # inferred: a 429 costs nothing
    gzip: bool = one_of(True, False)  # seen live: JSON is compressed when the client accepts it

    # -- Bulk Read
    bulk_modules_refused: frozenset[str] = one_of(
        frozenset({"Notes", "Attachments", "Emails"}), frozenset({"Attachments", "Emails"}), frozenset()
    )  # conflict: documented as not readable, yet one account got a valid archive of Notes
    bulk_linking_modules: bool = one_of(True, False)  # conflict: shown in a post, excluded on another page
    bulk_multiselect_separator: str = one_of(";", ",")  # conflict: import pages, a production converter
    bulk_booleans: tuple[str, str] = one_of(("true", "false"), ("TRUE", "FALSE"))  # seen live: case varies
    bulk_id_header: str = one_of("Id", "id")  # seen live three times; the documentation says "id"
    bulk_field_cap: int | None = one_of(None, 200)
    # ^ documented: with more than 200 every field of the module is exported; 200 refuses them, as a third party says
    bulk_refuses_address_fields: bool = one_of(True, False)  # seen live: FIELD_NOT_SUPPORTED names the field
    bulk_hides_converted: bool = one_of(False, True)
    # ^ inferred: a sample of a job without a view shows no such criteria; True: unless they name the flag
    bulk_hides_unapproved: bool = one_of(True, False)  # inferred: unless the criteria name the approval
    bulk_drops_orphans: bool = one_of(True, False)  # seen live: history rows whose deal is gone are left out
    bulk_rich_text_cut: bool = one_of(False, True)  # inferred: whole in bulk; True cuts at 500
    bulk_line_end: str = one_of("\n", "\r\n")  # inferred
    bulk_seconds_per_job: float | None = one_of(None, 3.5)  # seen live: 3.5; None: a state a poll
    bulk_rows_per_second: float = one_of(28_000 / 3.5)  # seen live: 28,000 rows of 4 columns took 3.5 s
    bulk_jobs_parallel: int = one_of(1, 3)  # seen live: about one job at a time per org
    bulk_expired_token: tuple[int, str] = one_of((400, "EXPIRED_VALUE"), (400, "INVALID_DATA"))  # inferred
    bulk_expired_file: tuple[int, str] = one_of(
        (404, "RESOURCE_NOT_FOUND"), (400, "INVALID_DATA")
    )  # inferred

    # -- the audit log
    audit_columns: str = one_of("ids", "names", "api_names")
    # ^ inferred: the headers of the exported file; Zoho documents none
    audit_times: str = one_of("offset", "local", "words")
    # ^ inferred: times with their offset, or as the user's zone has them, also as 2 Mar 2026 is written in the CRM
    audit_file: str = one_of("by size", "zip")
    # ^ conflict: a CSV of up to 100,000 entries, says the page; the samples of a week's log show a zip
    audit_status: str = one_of("finished", "Finished")  # conflict: the sample, and the list of statuses
    audit_of_others: str = one_of("refused", "own")
    # ^ conflict: 403 for a user who is no administrator in Zoho's specification; on its page the user's own entries
    audit_expired_link: tuple[int, str] = one_of(
        (404, "INVALID_URL_PATTERN"), (403, ""), (400, "EXPIRED_VALUE")
    )  # inferred

    # -- COQL
    coql_columns: int = one_of(500, 200, 50)  # conflict: 500 runs in production, the others are documented
    coql_flat_triples: bool = one_of(True, False)  # conflict: runs in production, a documented SYNTAX_ERROR
    coql_in_values: int = one_of(100, 50)  # documented: values of one `in`; 50 on older pages
    coql_reach: int = one_of(100_000)  # documented for v7 and v8; 10,000 up to v6
    coql_hides_converted: bool = one_of(True, False)
    # ^ inferred: hidden unless the where clause names the flag
    coql_hides_unapproved: bool = one_of(True, False)  # inferred: unless it names the approval
    coql_rich_text_cut: bool = one_of(False, True)  # inferred: whole in COQL; True cuts at 500
    coql_modules_refused: frozenset[str] = one_of(
        frozenset({"Notes", "Attachments"}), frozenset({"Attachments"}), frozenset()
    )  # inferred: Zoho names neither; subform and linking modules are documented
    coql_refused_types: frozenset[str] = one_of(
        frozenset({"subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload"}),
        frozenset({"subform", "multiselectlookup", "imageupload"}),
    )  # documented for image and multi-select lookups, seen live for the others

    # -- Bigin, in which all the others hold, too
    bigin_count: bool = one_of(True, False)
    # ^ conflict: no page of Zoho's was found, and a connector counts records; False: there is no such call
    bigin_deleted: bool = one_of(True, False)  # documented for records; False: there is no such call
    bigin_pipelines: bool = one_of(False, True)  # inferred: whether there is settings/pipeline
    bigin_currencies: bool = one_of(False, True)  # inferred: whether there is org/currencies
    bigin_coql_rows: int = one_of(200, 2_000)  # documented: rows of one query
    bigin_coql_texts: bool = one_of(False, True)
    # ^ documented, says a third party: COQL takes no columns of several lines and no tags

    @classmethod
    def shuffled(cls, random: Random, **pinned: Any) -> Quirks:
        """Every switch at one of its values, except those that are pinned; no account contradicts itself."""
        drawn = {switch.name: random.choice(switch.metadata["choices"]) for switch in fields(cls)}
        quirks = cls(**{**drawn, **pinned})
        for name, value in impossible(quirks).items():
            if name not in pinned:
                setattr(quirks, name, value)
        return quirks


def impossible(quirks: Quirks) -> dict[str, Any]:
    """The switches whose values contradict the others, with the values that they get instead."""
    found: dict[str, Any] = {}
    if not quirks.notes_go_with_record:  # notes that stay are in no recycle bin
        found |= {"notes_in_deleted": False, "notes_in_recycle_bin": False}
        if quirks.merge_moves_notes == "lost":
            found["merge_moves_notes"] = "moved"
    if not quirks.activities_go_with_record:
        found["activities_in_deleted"] = False
    if quirks.deleted_of_notes != "offered":
        found["notes_in_deleted"] = False
    if quirks.deleted_of_rows != "offered":
        found["subform_rows_in_deleted"] = False
    return {name: value for name, value in found.items() if getattr(quirks, name) != value}
