-- Each row is a day whose published risks were no better, on the last window, than telling everybody the share that churned.
-- severity: warn
select
    as_of,
    model,
    n,
    churned,
    value as brier_skill
from churn_risk_model
where measure = 'brier_skill' and is_published and value <= cast(0 as double)
