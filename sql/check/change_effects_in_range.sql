-- Each row is an effect of a change that cannot be: a number outside its own interval, a difference to nothing, or a small cell that is shown.
select
    effects.change_name,
    effects.metric,
    effects.scale,
    effects.phase,
    effects.n,
    effects.value,
    effects.difference,
    effects.p_value
from change_effects as effects
cross join run
where
    effects.is_suppressed <> (effects.n < run.min_cell or effects.n = 0)
    or effects.is_suppressed <> (effects.value is null)
    or (effects.is_suppressed and effects.rest_value is not null)
    or (effects.phase = 'before' and effects.difference is not null)
    or effects.ci_low > effects.value
    or effects.ci_high < effects.value
    or effects.difference_low > effects.difference
    or effects.difference_high < effects.difference
    or effects.net_low > effects.net_difference
    or effects.net_high < effects.net_difference
    or effects.p_value > effects.p_value_holm
    or effects.first_date > effects.last_date
