"""The selection policies, as SQL: step by step a frame gets the reason to drop it (`fault`), if it has none yet.

`paper` follows APISR; `diverse` also wants no duplicates, one frame a scene, and a least quality. Both end in the same
way: a video's quota is spread over its partitions, the most complex candidates of each fill it (or any, where ranks are
random), and what a short partition leaves goes to the best of the rest. A folder of pictures has no quota.
"""
# ruff: noqa: S608 (only numbers of the settings, and a condition that was checked, are put into the SQL)

from apisr_data import config
from apisr_data.stages.select.conditions import TABLE

_LONG_VIDEO_S = 1800
_PAPER_QUOTA, _PAPER_QUOTA_OF_LONG, _DIVERSE_QUOTA = 16, 24, 10
_NO_QUOTA = 10**9

LIMITS = ("min_entropy", "min_sharpness", "max_blockiness", "max_combing")
"""Settings of `diverse`: min_ or max_ and the column that they limit."""


def selection_query(settings: config.Select) -> str:
    """SQL after `WITH described AS (...),` (see conditions.TABLE): the rows of the table of selections.

    Reads the views duplicates and repeats, and a relation `overrides` (frame_id, is_kept, reason), too.
    """
    is_paper = settings.policy == "paper"
    steps = [_judged(settings)]
    steps += [_by_position(settings), _every_nth(settings)] if is_paper else [_by_time(settings), *_DIVERSE]
    return ", ".join(steps) + _filled("stepped" if is_paper else "staged", settings)


def _judged(settings: config.Select) -> str:
    """What a frame is dropped for by itself: a person, the condition, no score, a limit."""
    faults = []
    for name in LIMITS if settings.policy == "diverse" else ():
        side, _, column = name.partition("_")
        if (limit := getattr(settings, name)) is not None:
            sign, told = ("<", "below the floor") if side == "min" else (">", "above the ceiling")
            faults.append(f"WHEN {column} {sign} {limit} THEN printf('{column} {told} of {limit} (%.2f)', {column})")
    # text orders as well as a number does; md5 is the same in every version
    merit = f"md5(concat({settings.seed}, ' ', frame_id))" if settings.rank_by == "random" else "complexity"
    quota = str(settings.per_video or _DIVERSE_QUOTA)
    if settings.policy == "paper" and settings.per_video is None:
        quota = f"if(duration_s > {_LONG_VIDEO_S}, {_PAPER_QUOTA_OF_LONG}, {_PAPER_QUOTA})"
    return f"""
    met AS (SELECT *, coalesce((\n{settings.where or "true"}\n), false) AS meets FROM {TABLE}),
    judged AS (
        SELECT frame_id, video_id, packet, coalesce(time_s, packet) AS moment, height, {merit} AS merit, kind,
            if(kind = 'images', packet, scene) AS scene,
            if(kind = 'images', {_NO_QUOTA}, {quota})::BIGINT AS quota,
            coalesce(overrides.is_kept, false) AS is_forced, overrides.reason AS decision,
            CASE WHEN overrides.is_kept THEN NULL
                WHEN NOT overrides.is_kept THEN concat_ws(': ', 'override', overrides.reason)
                WHEN is_corrupt THEN 'damaged: the decoder says so'
                WHEN NOT meets THEN 'where: not met'
                WHEN complexity IS NULL OR isnan(complexity) THEN 'not scored'
                {" ".join(faults)}
            END AS fault
        FROM met LEFT JOIN overrides USING (frame_id))"""


def _by_position(settings: config.Select) -> str:
    """Partitions of equally many frames, as in the paper; no tail is left over."""
    return f"""
    placed AS (
        SELECT *, (row_number() OVER (PARTITION BY video_id ORDER BY moment, packet) - 1) * {settings.partitions}
            // count(*) OVER (PARTITION BY video_id) AS partition
        FROM judged)"""


def _by_time(settings: config.Select) -> str:
    """Partitions of equal time: a fight with a cut a second does not take the place of a quiet evening."""
    return f"""
    spans AS (SELECT video_id, min(moment) AS first_moment, max(moment) AS last_moment FROM judged GROUP BY video_id),
    placed AS (
        SELECT judged.*, least({settings.partitions} - 1, coalesce(floor({settings.partitions}
            * (moment - first_moment) / nullif(last_moment - first_moment, 0)), 0))::BIGINT AS partition
        FROM judged JOIN spans USING (video_id))"""


def _every_nth(settings: config.Select) -> str:
    return f"""
    stepped AS (
        SELECT * REPLACE (CASE
            WHEN fault IS NULL AND NOT is_forced AND kind <> 'images' AND {settings.step} > 1 AND
                row_number() OVER (PARTITION BY video_id, partition, fault IS NULL ORDER BY moment, packet)
                    % {settings.step} <> 1
            THEN 'skipped: one frame in {settings.step} is a candidate' ELSE fault END AS fault)
        FROM placed)"""


_ONCE = """
    repeat_of AS (
        SELECT placed.frame_id, min(repeats.run) AS run, arg_min(repeats.kind, repeats.run) AS run_kind
        FROM placed JOIN repeats ON repeats.video_id = placed.video_id
            AND placed.moment BETWEEN repeats.start_s AND repeats.end_s
        GROUP BY placed.frame_id),
    shown AS (
        SELECT run, video_id AS shown_in FROM placed JOIN repeat_of USING (frame_id) WHERE fault IS NULL
        GROUP BY run, video_id QUALIFY row_number() OVER (
            PARTITION BY run ORDER BY count_if(is_forced) DESC, max(height) DESC, count(*) DESC, video_id) = 1),
    once AS (
        SELECT placed.* REPLACE (
            if(fault IS NULL AND NOT is_forced AND shown_in <> video_id,
                printf('%s of run %d: kept in %s', run_kind, run, shown_in), fault) AS fault)
        FROM placed LEFT JOIN repeat_of USING (frame_id) LEFT JOIN shown USING (run))"""
"""A stretch that videos share is taken from one of them: the tallest, then the one with the most candidates."""

_SINGLE = """
    single AS (
        SELECT once.* REPLACE (
            if(fault IS NULL AND NOT is_forced AND row_number() OVER best > 1,
                concat('duplicate of ', first_value(frame_id) OVER best,
                    if(first_value(frame_id) OVER best = kept_frame_id, printf(' (distance %d)', distance), '')),
                fault) AS fault)
        FROM once LEFT JOIN duplicates USING (frame_id)
        WINDOW best AS (PARTITION BY coalesce(kept_frame_id, frame_id), fault IS NULL
            ORDER BY is_forced DESC, duplicates.rank, frame_id))"""
"""Of the frames that one frame stands for, the most preferred that is still there: the others keep their chance."""

_STAGED = """
    staged AS (
        SELECT * REPLACE (
            if(fault IS NULL AND NOT is_forced AND row_number() OVER best > 1,
                concat('same scene as ', first_value(frame_id) OVER best), fault) AS fault)
        FROM single
        WINDOW best AS (
            PARTITION BY video_id, scene, fault IS NULL ORDER BY is_forced DESC, merit DESC, packet))"""
"""The most complex frame of each scene, or any where ranks are random."""

_DIVERSE = (_ONCE, _SINGLE, _STAGED)


def _filled(step: str, settings: config.Select) -> str:
    """The quota of each video, less what a person kept, over its partitions, then over the best of the rest.

    A partition's share is quota / partitions; as all have the same remainder, the largest ones are not told apart, and
    the frames left over are spread evenly.
    """
    count = settings.partitions
    return f""",
    candidates AS (
        SELECT *, fault IS NULL AND NOT is_forced AS is_candidate,
            greatest(quota - count_if(is_forced) OVER (PARTITION BY video_id), 0) AS places
        FROM {step}),
    ranked AS (
        SELECT *, (partition + 1) * places // {count} - partition * places // {count} AS share,
            count_if(is_candidate) OVER (PARTITION BY video_id, partition) AS rivals,
            if(is_candidate, row_number() OVER (
                PARTITION BY video_id, partition, is_candidate ORDER BY merit DESC, moment, packet), NULL) AS rank
        FROM candidates),
    shared AS (SELECT *, coalesce(rank <= share, false) AS has_share FROM ranked),
    filled AS (
        SELECT *, rank IS NOT NULL AND NOT has_share AND row_number() OVER (
                PARTITION BY video_id, rank IS NOT NULL AND NOT has_share ORDER BY merit DESC, moment, packet
            ) <= places - count_if(has_share) OVER (PARTITION BY video_id) AS is_best_of_rest,
            printf('rank %d of %d in partition %d', rank, rivals, partition) AS standing
        FROM shared)
    SELECT frame_id, is_forced OR has_share OR is_best_of_rest AS is_kept,
        CASE WHEN is_forced THEN concat_ws(': ', 'override', decision)
            WHEN fault IS NOT NULL THEN fault
            WHEN has_share THEN concat('kept: ', standing)
            WHEN is_best_of_rest THEN concat('kept: best of the rest, ', standing)
            ELSE concat('not chosen: ', standing, ', whose share is ', share)
        END AS reason, partition, rank
    FROM filled ORDER BY video_id, packet"""
