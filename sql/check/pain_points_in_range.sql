-- Each row is a pain point that cannot be: a rate off its range or outside its own interval, a small cell that is shown, or a rank without a reason.
select
    pains.stage,
    pains.touchpoint,
    pains.rank,
    pains.n_touches,
    pains.n_dropped,
    pains.drop_off_rate,
    pains.n_answers,
    pains.score_norm
from pain_points as pains
cross join run
where
    (pains.n_touches < run.min_cell and not pains.is_suppressed)
    or (pains.is_suppressed and (pains.n_dropped is not null or pains.drop_off_rate is not null))
    or (not pains.is_suppressed and pains.n_dropped is null)
    or pains.n_dropped > pains.n_touches
    or pains.drop_off_rate > pains.drop_off_high
    or pains.drop_off_rate < pains.drop_off_low
    or pains.drop_off_difference > pains.difference_high
    or pains.drop_off_difference < pains.difference_low
    or (pains.n_answers < run.min_cell and not pains.is_score_suppressed)
    or (pains.is_score_suppressed and pains.score_norm is not null)
    or pains.score_norm < cast(0 as double)
    or pains.score_norm > cast(1 as double)
    or pains.score_difference > pains.score_high
    or pains.score_difference < pains.score_low
    or (pains.rank is null) <> (pains.severity is null)
