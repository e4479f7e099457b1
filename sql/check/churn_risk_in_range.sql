-- Each row is a risk that cannot be, or a reason that does not raise it.
select
    customer_id,
    as_of,
    status,
    churn_risk,
    risk_decile,
    reason_1,
    reason_1_effect
from churn_risk
where
    churn_risk < cast(0 as double)
    or churn_risk > cast(1 as double)
    or (status = 'trained') <> (churn_risk is not null)
    or risk_decile not between 1 and 10
    or reason_1_effect < coalesce(reason_2_effect, cast(0 as double))
    or reason_2_effect < coalesce(reason_3_effect, cast(0 as double))
    or days_silent < 0
