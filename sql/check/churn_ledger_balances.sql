-- Periods whose customers or recurring revenue do not add up, that do not start where the one before ended, or whose rates lie outside their own intervals.
with

ledger as (

    select * from churn_ledger

),

ordered as (

    select
        *,
        lag(n_end) over (
            partition by period_grain, dimension, dimension_value
            order by period_start asc nulls first
        ) as n_end_before,
        lag(mrr_end) over (
            partition by period_grain, dimension, dimension_value
            order by period_start asc nulls first
        ) as mrr_end_before
    from ledger

)

select
    period_grain,
    period_start,
    dimension,
    dimension_value
from ordered
where
    n_start + n_new + n_resurrected - n_churned <> n_end
    or n_churned_of_start > n_start
    or n_churned_of_start > n_churned
    or mrr_start + mrr_new + mrr_expansion + mrr_reactivated - mrr_contraction - mrr_churned <> mrr_end
    or n_start <> n_end_before
    or mrr_start <> mrr_end_before
    or churn_gross < churn_gross_low
    or churn_gross > churn_gross_high
    or churn_net < churn_net_low
    or churn_net > churn_net_high
